"""What the rest of the house gets: absolute paths, domain values, the official order."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fep.domain.kind import Point
from fep.settings import template_dir
from fep.settings_signer import SkfFile
from fep.settings_site import KindFile, ProvinceFile, UnitFile
from fep.settings_types import CallerSettings, FepFile
from tests.unit.settings.place import Place

# facts/standards 4.2: the outpatient group, in the sender's order.
OUTPATIENT = (
    "Gender", "Age", "MedicalType", "PatientNumber", "MedicalDate", "OrgType",
    "MedicalInsuranceType", "MedicalInsuranceID", "FundPayAmount", "OtherPayAmount",
    "AccountPayAmount", "OwnPayAmount", "SelfpaymentAmount", "SelfpaymentCost",
)  # fmt: skip
ALL_KINDS = ("BusinessNumber", "BusinessDate", "RelatedInvoiceCode", "RelatedInvoiceNumber",
             "PayCode")  # fmt: skip
KINDS = ("outpatient", "inpatient", "unified", "payment", "settlement", "donation", "penalty",
         "membership")  # fmt: skip
# facts/standards 6.1.
ITEMS = (
    "诊察费", "检查费", "化验费", "治疗费", "手术费", "卫生材料费", "西药费", "中药饮片",
    "中成药费", "一般诊疗费", "挂号费", "其他",
)  # fmt: skip


def test_every_path_is_absolute_and_starts_at_the_configuration(place: Place):
    settings = place.load()
    root = place.root.resolve()

    assert root == settings.root
    assert [
        root / "data", root / "keys/node.key", root / "keys/node.crt", root / "data/control.sock",
        root / "keys/caller-his.key",
    ] == [
        settings.node.data, settings.node.key, settings.node.cert, settings.api.control,
        settings.callers[0].key_file,
    ]  # fmt: skip
    unit = settings.units["H001"]
    assert [str(root / "keys/unit.key"), str(root / "keys/unit.crt")] == [
        unit.signer_key, unit.signer_cert,
    ]  # fmt: skip


def test_an_absolute_path_stays_as_it_is(place: Place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    place.change('data = "data"', f'data = "{elsewhere}"')
    place.change('file = "-"', f'file = "{elsewhere}/fep.log"')

    settings = place.load()

    assert (elsewhere, f"{elsewhere}/fep.log") == (settings.node.data, settings.log.file)


def test_the_demo_unit_is_a_domain_value(place: Place):
    unit = place.load().units["H001"]

    assert ("示范医院", "420900", "hubei", "示范医院", KINDS) == (
        unit.name, unit.area, unit.province, unit.rec_name, unit.kinds,
    )  # fmt: skip
    assert (Point("001", "window-1", "on_request"),) == unit.points


def test_the_outpatient_kind_has_the_official_order(place: Place):
    kind = place.load().kinds["outpatient"]
    elements = [member.element for member in kind.main_ext]

    assert list(OUTPATIENT) == [name for name in elements if name in OUTPATIENT]
    assert {*OUTPATIENT, *ALL_KINDS} == set(elements)
    assert ITEMS == kind.item_order
    assert 12 == kind.item_limit
    assert "42060126" == kind.code("420900", 2026)


def test_the_outpatient_kind_maps_the_event_as_the_facts_say(place: Place):
    sources = {m.element: m.source for m in place.load().kinds["outpatient"].main_ext}

    assert {
        "BusinessNumber": "key", "BusinessDate": "occurred_on", "OwnPayAmount": "ext.cash_pay",
        "SelfpaymentAmount": "ext.self_pay", "SelfpaymentCost": "ext.self_cost",
        "OtherPayAmount": "ext.other_pay", "PatientNumber": "ext.patient_no",
        "OrgType": "ext.org_type", "MedicalInsuranceType": "ext.insurance_type",
        "MedicalDate": "ext.visit_date",
    }.items() <= sources.items()  # fmt: skip


def test_the_names_on_a_receipt_are_those_of_the_province(place: Place):
    settings = place.load()
    name = settings.provinces["hubei"].name + settings.kinds["outpatient"].name

    assert "湖北省医疗门诊收费票据（电子）" == name
    assert "CZ-EI-42" == settings.provinces["hubei"].tag


def table(name: str) -> dict[str, Any]:
    """Return a shipped file as it is written."""
    return tomllib.loads((template_dir() / name).read_text("utf-8"))


def members(kind: type[msgspec.Struct]) -> set[str]:
    """Return the keys that a table may have."""
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_every_key_of_every_section_stands_in_the_shipped_configuration():
    """Somebody who looks for a key finds it with its explanation beside it."""
    shipped = table("fep.toml")
    missing = members(FepFile) - set(shipped)
    for field in msgspec.structs.fields(FepFile):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            missing |= {
                f"{field.name}.{key}" for key in members(field.type) - set(shipped[field.name])
            }
    # A section of which there may be none stands as a comment.
    text = (template_dir() / "fep.toml").read_text("utf-8")
    missing -= {line[4:-2] for line in text.splitlines() if line.startswith("# [[")}
    missing |= {f"callers.{key}" for key in members(CallerSettings) - set(shipped["callers"][0])}

    assert set() == missing


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("units/demo-hospital.toml", UnitFile),
        *((f"kinds/{kind}.toml", KindFile) for kind in KINDS),
        ("provinces/hubei.toml", ProvinceFile),
        ("provinces/generic.toml", ProvinceFile),
        *((f"skf/{name}.toml", SkfFile) for name in ("standard", "packed", "ulong8")),
    ],
)
def test_every_key_of_the_other_files_is_shipped_too(name: str, kind: type[msgspec.Struct]):
    assert members(kind) == set(table(name))


def test_the_shipped_values_are_the_defaults():
    """Taking a line out of the shipped file changes nothing."""
    shipped = msgspec.convert(table("fep.toml"), FepFile, dec_hook=lambda kind, text: Path(text))

    assert FepFile() == msgspec.structs.replace(shipped, callers=())


def test_every_key_of_the_shipped_configuration_is_explained():
    """Above each key, or above the group it stands in, there is a comment in both languages."""
    lines = (template_dir() / "fep.toml").read_text("utf-8").splitlines()
    bare = []
    explained = False
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("["):
            explained = False
        elif line.startswith("#"):
            explained = True
        elif not explained:
            bare.append(f"{number} {line}")

    assert [] == bare
