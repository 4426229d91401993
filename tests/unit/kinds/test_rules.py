"""The rules of a kind: in its file, beside its neighbours, for an event, in December."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fep.domain.calendar import CST, to_ms
from fep.domain.event import BillingEvent, Item
from fep.domain.faults import Refused
from fep.domain.kind import Kind, Mapped, value
from fep.domain.kind_check import (
    MAIN_EXT_ORDER,
    KindProblem,
    admit,
    kind_problems,
    known_source,
    offline_refusal,
    page_problems,
    province_problems,
    stocked,
    unit_problems,
    unprepared,
    year_ends,
    year_of,
)
from fep.wire.einvoice import derived_check_code
from tests.unit.kinds.shipped import NOON, kinds, province, unit
from tests.unit.kinds.test_einvoice_read import plain

OUTPATIENT = kinds()["outpatient"]
RELATED = (Mapped("RelatedInvoiceCode", "related.code"),
           Mapped("RelatedInvoiceNumber", "related.number"))  # fmt: skip


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    from datetime import datetime

    return to_ms(datetime(year, month, day, hour, tzinfo=CST))


def places(found: list[KindProblem]) -> list[tuple[object, bool]]:
    return [(problem.at[0], problem.weak) for problem in found]


@pytest.mark.parametrize("name", sorted(kinds()))
def test_a_shipped_kind_has_no_problem(name: str):
    kind = kinds()[name]
    elements = [member.element for member in kind.main_ext]

    assert [] == list(kind_problems(kind))
    assert set(elements) <= set(MAIN_EXT_ORDER)
    assert elements == sorted(elements, key=MAIN_EXT_ORDER.index)


def test_the_eight_codes_of_a_year_are_the_official_classes():
    codes = {name: kind.code("420900", 2027) for name, kind in kinds().items()}

    assert {
        "unified": "42010127", "penalty": "42020127", "payment": "42030127",
        "settlement": "42040127", "donation": "42050127", "outpatient": "42060127",
        "inpatient": "42060227", "membership": "42070127",
    } == codes  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "at_", "weak"),
    [
        ({"code_template": "{area2}060{yy}"}, "code_template", False),
        ({"code_template": "{area2}0501{yy}"}, "code_template", True),
        ({"code_template": "{area2}060126"}, "code_template", True),
        ({"specimen_template": "{code}{code}01234"}, "specimen_template", False),
        ({"slip_template": "poster"}, "slip_template", False),
        ({"required": ("ext.",)}, "required", False),
        ({"required": ("related.code",)}, "required", False),
        ({"main_ext": (*RELATED, Mapped("RelatedInvoiceCode", ""))}, "main_ext", False),
        ({"main_ext": (*RELATED, Mapped("A", "nothing"))}, "main_ext", False),
        ({"main_ext": (*RELATED, Mapped("Gender", "ext.gender"))}, "main_ext", True),
        ({"main_ext": (Mapped("Gender", "ext.gender"),)}, "main_ext", True),
    ],
)
def test_what_is_wrong_in_a_file_is_told(changes: dict[str, object], at_: str, weak: bool):
    found = list(kind_problems(replace(OUTPATIENT, **changes)))

    assert (at_, weak) in places(found)


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("", True), ("key", True), ("occurred_on", True), ("payer.account", True),
        ("ext.pay_code", True), ("related.number", True), ("unit", False), ("payer.x", False),
        ("ext.", False), ("ext.a b", False), ("related", False),
    ],
)  # fmt: skip
def test_a_source_is_one_that_events_have(source: str, known: bool):
    assert known is known_source(source)


def test_required_fields_that_events_have_are_no_problem():
    assert [] == list(kind_problems(replace(OUTPATIENT, required=("payer.code", "ext.case_no"))))


def test_a_page_template_must_exist_where_templates_are_known():
    assert [] == list(page_problems(OUTPATIENT, set()))
    assert [] == list(page_problems(OUTPATIENT, {"medical"}))
    assert ["page_template"] == [p.at[0] for p in page_problems(OUTPATIENT, {"page"})]


def test_a_province_cannot_make_the_check_code_yet():
    assert [] == list(province_problems(province()))
    assert [] == list(province_problems(replace(province(), check_code="digest")))
    found = list(province_problems(replace(province(), check_code="platform")))
    assert [("check_code", False)] == places(found)


def test_two_kinds_of_a_unit_must_not_share_a_code():
    twin = replace(kinds()["inpatient"], code_template="{area2}060127")
    table = {**kinds(), "inpatient": twin, "outpatient": OUTPATIENT}

    assert [] == list(unit_problems(unit(), table, province(), (2025, 2026)))
    ((name, found),) = unit_problems(unit(), table, province(), (2026, 2027, 2027))

    assert ("inpatient", "code_template", False) == (name, found.at[0], found.weak)


def test_a_name_with_its_province_must_fit_and_a_kind_must_exist():
    long = replace(OUTPATIENT, name="票" * 98)
    one = replace(unit(), kinds=("outpatient", "nobody"))

    found = list(unit_problems(one, {"outpatient": long}, province(), (2026,)))

    assert [("nobody", "kinds"), ("outpatient", "name")] == [(n, p.at[0]) for n, p in found]
    assert [] == list(unit_problems(replace(one, kinds=("outpatient",)), {"outpatient": long},
                                    None, (2026,)))  # fmt: skip


def refused(kind: Kind, event: BillingEvent) -> str:
    with pytest.raises(Refused) as caught:
        admit(kind, event)
    return caught.value.code


def test_an_event_must_bring_what_its_kind_requires():
    strict = replace(OUTPATIENT, required=("payer.code",), required_ext=("patient_no",))

    assert "REQ_FIELD_MISSING" == refused(strict, plain())
    assert "REQ_FIELD_LENGTH" == refused(OUTPATIENT, plain(ext={"pay_mode": "现" * 21}))
    admit(OUTPATIENT, plain(ext={"pay_mode": "现" * 20}))
    assert ("payer.code", "ext.patient_no") == strict.required_sources
    assert "ext.patient_no" not in strict.optional_sources
    assert {"ext.gender", "ext.pay_mode", "key"} <= set(strict.optional_sources)


def test_negative_lines_are_for_kinds_that_allow_them_and_for_red_receipts():
    items = (Item("1", "甲", 2000), Item("2", "乙", -770))
    event = plain(items=items)
    firm = replace(OUTPATIENT, negative_lines=False)

    admit(OUTPATIENT, event)
    admit(firm, replace(event, related=("42060126", "0000000001")))
    assert "KIND_NEGATIVE" == refused(firm, event)


def test_a_face_without_details_refuses_what_does_not_fit():
    items = tuple(Item(str(n), "甲", 246) for n in range(5))
    event = plain(items=items)

    admit(replace(OUTPATIENT, item_limit=4), event)
    admit(replace(OUTPATIENT, item_limit=5, overflow="refuse"), event)
    assert "KIND_FACE" == refused(replace(OUTPATIENT, item_limit=4, overflow="refuse"), event)


@pytest.mark.parametrize(
    ("allowed", "offline", "is_refused"),
    [(True, True, False), (False, False, False), (False, True, True)],
)
def test_a_kind_that_may_not_is_not_issued_offline(allowed: bool, offline: bool, is_refused: bool):
    found = offline_refusal(replace(OUTPATIENT, offline=allowed), offline)

    assert is_refused is (found is not None and found.code == "KIND_OFFLINE")


def test_values_of_a_source_are_texts():
    event = plain(related=("42060126", "0000000001"), ext={"a": "b"}, occurred_at="20261121083015")

    sources = ("", "key", "payer.name", "ext.a", "ext.b", "occurred_on", "related.number")
    assert ["", "OP1", "欧阳䶮", "b", "", "20261121", "0000000001"] == [
        value(event, source) for source in sources
    ]
    assert "" == value(plain(), "related.code")


def test_an_event_that_reverses_another_receipt_is_another_event():
    one, other = (("42060126", f"000000000{n}") for n in (1, 2))
    contents = {plain(related=related).content() for related in (None, one, other)}

    assert 3 == len(contents)


@pytest.mark.parametrize(
    ("at_ms", "year", "ends"),
    [
        (at(2026, 11, 30, 23), 2026, False), (at(2026, 12, 1, 0), 2026, True),
        (at(2026, 12, 31, 23), 2026, True), (at(2027, 1, 1, 0), 2027, False),
    ],
)  # fmt: skip
def test_the_year_is_that_of_the_business_date(at_ms: int, year: int, ends: bool):
    assert (year, ends) == (year_of(at_ms), year_ends(at_ms))


def test_from_december_kinds_in_use_need_next_years_numbers():
    fixed = replace(kinds()["donation"], code_template="{area2}050199")
    table = {**kinds(), "donation": fixed}
    left = {("H001", "42060126"): 5, ("H001", "42060127"): 0, ("H001", "42060226"): 0,
            ("H001", "42060227"): 9, ("H001", "42010125"): 1, ("H001", "42050199"): 3}  # fmt: skip

    rows = stocked([replace(unit(), kinds=(*unit().kinds, "gone"))], table, left, at(2026, 12, 1))

    assert ["outpatient", "unified"] == [row.kind for row in unprepared(rows, at(2026, 12, 1))]
    assert [] == unprepared(rows, at(2026, 11, 30))
    assert {"outpatient", "inpatient", "unified", "donation"} == {r.kind for r in rows if r.used}
    assert (5, 0) == (rows[0].left, rows[0].next_left)


def test_a_derived_check_code_follows_everything_it_is_made_of():
    given = ("湖北省医疗门诊收费票据（电子）", "欧阳䶮", 1230, "42060126", "0022739009", NOON)
    other = ("湖北省", "欧阳", 1231, "42060127", "0022739010", NOON + 86_400_000)

    codes = {derived_check_code(*given)}
    for place, changed in enumerate(other):
        codes.add(derived_check_code(*given[:place], changed, *given[place + 1 :]))

    assert 7 == len(codes)
    assert derived_check_code(*given) == derived_check_code(*given[:5], NOON + 3_600_000)
    assert all(len(code) == 6 and code.isascii() and code.isalnum() for code in codes)
