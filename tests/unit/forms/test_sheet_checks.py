"""Descriptions of preprinted sheets: the shipped ones are sound, wrong ones are told apart."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fep.cli import fepctl
from fep.domain.faults import Refused
from fep.render.form_layout import lay
from fep.render.form_sheet import Column, Field, FormSheet, Items, problems
from fep.settings import load
from fep.settings_forms import check_forms
from fep.settings_toml import Source
from tests.golden.draw_forms import FORMS, SHEET, crowded, laid, page, sheets
from tests.unit.settings.place import Place

PLAIN = FormSheet("票", ["outpatient"], 190.0, 127.0, [
    Field("number", 10, 10, 30, 5), Field("total", 60, 10, 30, 5),
])  # fmt: skip
TABLE = Items(40, 5, 2, [10.0], [Column("name", 0, 40), Column("amount", 40, 30)])


def test_the_shipped_forms_are_sound_and_each_kind_has_one():
    found = sheets()

    assert {} == {
        name: list(problems(sheet)) for name, sheet in found.items() if [*problems(sheet)]
    }
    assert ["inpatient", "outpatient", "unified"] == sorted(
        kind for sheet in found.values() for kind in sheet.kinds
    )


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        (replace(PLAIN, length=125.0), "no multiple of 1/6 inch"),
        (replace(PLAIN, kinds=[]), "no kind"),
        (replace(PLAIN, fields=[*PLAIN.fields, Field("payer", 180, 40, 20, 5)]), "leaves"),
        (replace(PLAIN, fields=[*PLAIN.fields, Field("payer", 10, 40, 20, 2)]), "lower than"),
        (replace(PLAIN, fields=[*PLAIN.fields, Field("payer", 35, 12, 20, 5)]), "overlaps"),
        (replace(PLAIN, fields=[*PLAIN.fields, Field("pair", 10, 40, 20, 5)]), "called pair"),
        (replace(PLAIN, fields=PLAIN.fields[:1]), "total is missing"),
        (replace(PLAIN, items=replace(TABLE, columns=[Column("name", 0, 300)])), "leaves"),
        (replace(PLAIN, items=replace(TABLE, columns=[Column("price", 0, 30)])), "no price"),
        (replace(PLAIN, items=replace(TABLE, blocks=[10.0, 50.0])), "overlaps"),
    ],
)
def test_what_is_wrong_with_a_sheet_is_told(sheet: FormSheet, expected: str):
    assert any(expected in wrong.en for wrong in problems(sheet))


def test_a_sound_sheet_has_no_problem():
    assert [] == list(problems(replace(PLAIN, items=TABLE)))


def test_a_kind_with_two_forms_or_no_file_is_told_and_keeps_nobody_from_issuing(tmp_path):
    told = []
    files = [(Source(tmp_path / f"{n}.toml", told), PLAIN) for n in "ab"]
    files.append((Source(tmp_path / "c.toml", told), replace(PLAIN, kinds=["tuition"])))

    check_forms(files, {"outpatient"})

    assert [("b.toml", True), ("c.toml", True)] == [
        (problem.file.rsplit("/", 1)[1], problem.weak) for problem in told
    ]


def test_a_long_text_is_broken_then_drawn_smaller_and_never_shortened():
    sheet = replace(PLAIN, fields=[*PLAIN.fields, Field("payer", 10, 40, 30, 8, lines=2)])
    data = {"other": [], "items": [], "number": "1", "total": "1.00", "payer": "", "marks": []}

    def sizes(payer: str) -> list[tuple[str, int]]:
        form = lay("f", sheet, {**data, "payer": payer}, SHEET)
        return [(text.text, text.dots) for text in form.texts if text.y_mm > 30]

    assert [("甲" * 8, 24)] == sizes("甲" * 8)
    assert [("甲" * 8, 24), ("甲" * 8, 24)] == sizes("甲" * 16)
    assert [("甲" * 12, 16), ("甲" * 12, 16)] == sizes("甲" * 24)
    with pytest.raises(Refused, match="FRM_OVERFLOW"):
        sizes("甲" * 26)


def test_items_beyond_the_room_are_summed_up_in_the_last_row():
    view = crowded("outpatient", 4, 9)

    texts = [text.text for text in laid("outpatient", view).texts]

    assert "其余6项见明细" in texts


def test_an_entry_with_a_box_of_its_own_is_not_told_twice():
    texts = [text.text for text in laid("outpatient", page("outpatient", 16)).texts]

    assert 1 == sum("0010023456" in text for text in texts)
    assert not any("门诊号" in text for text in texts)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with the shipped forms; nothing in it was ever started."""
    place = Place(tmp_path)
    shutil.copytree(FORMS, tmp_path / "forms")
    return place.config


def told(site: Path, *words: str) -> tuple[int, Any]:
    """Run a verb; return its exit code and its JSON."""
    said, code = io.StringIO(), 0
    with redirect_stdout(said):
        try:
            code = int(fepctl.run(["-c", str(site), *words, "--json"]) or 0)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, json.loads(said.getvalue())


def test_the_check_of_a_site_ends_with_one_when_a_form_is_wrong(site: Path):
    good, before = told(site, "forms", "check")
    form = site.parent / "forms" / "unified.toml"
    form.write_text(form.read_text("utf-8").replace("length = 93.1", "length = 95.0"), "utf-8")
    bad, after = told(site, "forms", "check")

    assert (0, True, []) == (good, before["ok"], before["problems"])
    assert (1, False) == (bad, after["ok"])
    (problem,) = after["problems"]
    assert problem["at"].startswith("unified.toml:")
    assert "1/6" in problem["en"]
    assert "unified" in load(site, {}).forms


def test_a_form_is_shown_with_its_boxes_and_a_wrong_name_with_those_there_are(site: Path):
    _code, shown = told(site, "forms", "show", "outpatient")
    refused, _why = told(site, "forms", "show", "outpatien")

    assert ("outpatient", 16, 19 + 16 * 3) == (shown["form"], shown["items"], len(shown["boxes"]))
    assert 0 != refused
