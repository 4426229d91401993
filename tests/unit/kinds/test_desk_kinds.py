"""fepctl kinds check and what the desk says of kinds: in use, in December, without a store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from fep.cli.common_lang import LANG
from fep.cli.fepctl import run
from fep.domain.calendar import CST, to_ms
from fep.services.desk_kinds import page_names, told
from fep.settings import load
from fep.store.queries_stock import Stock
from tests.harness.storeroom import CODE, KIND, UNIT
from tests.unit.desk.desk_site import DeskSite
from tests.unit.settings.place import Place

NOVEMBER = to_ms(datetime(2026, 11, 30, 23, tzinfo=CST))
DECEMBER = to_ms(datetime(2026, 12, 1, tzinfo=CST))
NEXT = f"{CODE[:6]}27"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    """Return a site with three receipts."""
    built = DeskSite(tmp_path / "site")
    yield built
    built.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a site that was never started; English is spoken."""
    before = LANG.get()
    LANG.set("en")
    yield Place(tmp_path)
    LANG.set(before)


def test_a_kind_is_told_with_both_codes_and_what_is_left(site: DeskSite):
    answer = site.ask("kinds.list")

    (row,) = answer["kinds"]
    assert (2026, UNIT, KIND, CODE, NEXT, 997, 0, True) == (
        answer["year"], row["unit"], row["kind"], row["code"], row["next_code"], row["left"],
        row["next_left"], row["used"],
    )  # fmt: skip
    assert "湖北省医疗门诊收费票据（电子）" == row["name"]
    assert all(problem["weak"] for problem in answer["problems"])


@pytest.mark.parametrize(("now_ms", "late"), [(NOVEMBER, 0), (DECEMBER, 1)])
def test_from_december_everything_warns_of_next_year(site: DeskSite, now_ms: int, late: int):
    site.clock.wall_ms = now_ms

    rows = site.ask("numbers.list")["next_year"]
    kinds = site.ask("kinds.list")["problems"]
    alarms = site.ask("system.status")["alarms"]
    checks = site.ask("system.doctor")["checks"]

    assert late == len(rows)
    assert late == sum(NEXT in problem["zh"] for problem in kinds)
    for found in (alarms, checks):
        assert late == sum(check["code"] == "NUMBERS_YEAR" for check in found)
        assert all(NEXT in check["next"] for check in found if check["code"] == "NUMBERS_YEAR")


def test_a_block_of_next_year_ends_the_warning(site: DeskSite):
    site.clock.wall_ms = DECEMBER

    site.ask("numbers.import", unit=UNIT, code=NEXT, first="0000000001", last="0000000100",
             approval="鄂财票〔2026〕9号", reason="明年")  # fmt: skip

    assert [] == site.ask("numbers.list")["next_year"]
    assert 100 == site.ask("kinds.list")["kinds"][0]["next_left"]


def test_last_years_kind_without_numbers_fails_and_an_unused_one_is_named_once(place: Place):
    settings = place.load()
    answer = told(settings, [Stock("H001", "42060125", 3, 9, 0)], NOVEMBER)

    used = {row["kind"] for row in answer["kinds"] if row["used"]}
    assert {"outpatient"} == used
    assert 8 == len(answer["kinds"])
    assert [] == answer["problems"]


def test_the_doctor_names_kinds_that_never_had_a_number(site: DeskSite):
    settings = site.settings
    bare = replace(settings.kinds[KIND], id="donation", code_template="{area2}0501{yy}")
    unit = replace(settings.units[UNIT], kinds=(KIND, "donation"))
    site.with_services(
        settings=SimpleNamespace(**{**vars(settings), "units": {UNIT: unit},
                                    "kinds": {**settings.kinds, "donation": bare}})
    )  # fmt: skip

    checks = site.ask("system.doctor")["checks"]

    assert [f"never had a block and cannot be issued: {UNIT} donation"] == [
        check["en"] for check in checks if check["code"] == "KINDS"
    ]
    assert ["OK"] == [check["state"] for check in checks if check["code"] == "NUMBERS"]


def test_without_settings_there_is_nothing_to_tell():
    assert {"year": 2026, "kinds": [], "problems": []} == told(None, [], NOVEMBER)


def test_a_sites_own_page_templates_come_first(tmp_path: Path):
    shipped = page_names(tmp_path)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "ours.typ").touch()

    assert "ours" not in shipped
    assert {"ours"} == page_names(tmp_path)


def asked(place: Place, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    try:
        code = run(["kinds", "check", "-c", str(place.config), "--json"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(capsys.readouterr().out)


def test_the_shipped_kinds_are_sound(place: Place, capsys: pytest.CaptureFixture[str]):
    code, answer = asked(place, capsys)

    assert (0, True, []) == (code, answer["ok"], answer["problems"])
    assert 8 == len(answer["kinds"])


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ("{area2}0602{yy}", "{area2}0601{yy}", "code_template"),
        ("{area2}0602{yy}", "{area2}060{yy}", "code_template"),
        ('page_template = "medical"', 'page_template = "poster"', "page_template"),
        ('source = "ext.gender", ', "", "main_ext[2].source"),
        ('source = "ext.gender"', 'source = "gender"', "main_ext[2].source"),
    ],
)
def test_a_kind_that_cannot_be_issued_ends_with_one(
    place: Place, capsys: pytest.CaptureFixture[str], old: str, new: str, at: str
):
    place.change(old, new, "kinds/inpatient.toml")

    code, answer = asked(place, capsys)

    assert (1, False) == (code, answer["ok"])
    assert any(at in problem["at"] and problem["kind"] == "inpatient"
               for problem in answer["problems"])  # fmt: skip


def test_a_unit_adds_its_own_kind_by_adding_a_file(
    place: Place, capsys: pytest.CaptureFixture[str]
):
    text = (place.root / "kinds" / "unified.toml").read_text("utf-8")
    text = text.replace("{area2}0101{yy}", "{area2}0105{yy}").replace("统一票据", "学费票据")
    (place.root / "kinds" / "tuition.toml").write_text(text, "utf-8")
    place.change('"membership"]', '"membership", "tuition"]', "units/demo-hospital.toml")

    code, answer = asked(place, capsys)

    assert 0 == code
    assert "420105" in {row["code"][:6] for row in answer["kinds"]}
    assert "tuition" in load(place.config, {}).units["H001"].kinds


@pytest.mark.parametrize("strategy", ["digest", "platform"])
def test_a_check_code_of_the_platform_is_refused_for_now(place: Place, strategy: str):
    place.change('check_code = "random"', f'check_code = "{strategy}"', "provinces/hubei.toml")

    assert (["check_code"] if strategy == "platform" else []) == [p.key for p in place.errors()]


def test_the_table_shows_every_kind_and_ends_with_the_count(
    place: Place, capsys: pytest.CaptureFixture[str]
):
    place.change("{area2}0602{yy}", "{area2}0601{yy}", "kinds/inpatient.toml")

    with pytest.raises(SystemExit):
        run(["kinds", "check", "-c", str(place.config), "--lang", "en"])

    out = capsys.readouterr().out
    assert re.search(r"FAIL  H001 inpatient code_template  code 420601\d\d is that of outp", out)
    assert "8 kinds: 1 errors, 0 warnings" in out
