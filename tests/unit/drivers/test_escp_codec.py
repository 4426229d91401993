"""ESC/P bytes: what stands in every job, and where ink comes to lie on the sheet."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import escp
from drivers.escp import codec, lines
from drivers.escp.profile import BadProfile, Profile, load, names, parse
from fep.domain.printing import Form, FormText
from fep.render.form_sheet import Box, boxes
from fep.sim.form.commands import Cutter
from fep.sim.form.machine import Mark
from tests.golden.draw_forms import CASES, MAKE_OF, job, laid, page, printed, sheets

EDGE_MM = 0.5
NAMES = sorted(MAKE_OF)


def _form(*texts: FormText, length_mm: float = 127.0) -> Form:
    return Form("f", 190.0, length_mm, texts)


def _ink(form: Form, profile: str, **offset: float) -> list[Mark]:
    """Return the ink of one job on its first sheet; nothing may go wrong on the way."""
    data = job(form, load(profile), codec.Offset(**offset))
    machine, out = printed([data], MAKE_OF[profile], form.length_mm)
    assert (machine.unknown, machine.backward, machine.waiting) == ([], 0, 0)
    (marks,) = out
    return marks


def test_the_shipped_profiles_are_known():
    assert NAMES == list(names())


def test_a_job_opens_with_reset_and_page_length_and_ends_with_a_form_feed():
    data = job(_form(), load("lq-generic"))

    # 127 mm are 5 inches: 1800/360. No line feed, no carriage return.
    expected = "1b40 1b7801 1b67 1c26 1c530000 1b28550100 0a 1b28430200 0807 0c"
    assert bytes.fromhex(expected) == data


def test_without_units_the_length_is_told_in_lines_of_a_sixth_of_an_inch():
    assert bytes.fromhex("1b331e 1b431e 0c") == job(_form(), load("jolimark"))[-7:]


@pytest.mark.parametrize("profile", NAMES)
@pytest.mark.parametrize("name", [*sheets(), "outpatient-crowded", "inpatient-crowded"])
def test_every_field_of_a_receipt_is_inside_its_box(name: str, profile: str):
    form = CASES[name]()
    there = list(boxes(sheets()[form.name]))

    outside = [mark for mark in _ink(form, profile) if not any(_inside(mark, b) for b in there)]

    assert [] == outside


def _inside(mark: Mark, box: Box) -> bool:
    return (
        box.x - EDGE_MM <= mark.x
        and mark.x + mark.w <= box.x + box.w + EDGE_MM
        and box.y - EDGE_MM <= mark.y
        # An image is 24 pins high whatever is drawn on them; its text is 16 or 20.
        and mark.y + (_high(mark) if mark.dots else mark.h) <= box.y + box.h + EDGE_MM
    )


def _high(mark: Mark) -> float:
    lowest = max(24 - (pins & -pins).bit_length() + 1 for pins in mark.dots if pins)
    return lowest / 180 * 25.4


@pytest.mark.parametrize("profile", NAMES)
def test_each_glyph_is_where_the_form_says(profile: str):
    form = _form(FormText("票据12", 20.0, 30.0), FormText("额3", 150.0, 30.2), FormText("x", 8, 99))

    found = {mark.char: (mark.x, mark.y) for mark in _ink(form, profile)}

    step = 24 / 180 * 25.4
    wanted = {"票": (20.0, 30.0), "据": (20.0 + step, 30.0), "1": (20.0 + 2 * step, 30.0),
              "2": (20.0 + 2.5 * step, 30.0), "额": (150.0, 30.2), "3": (150.0 + step, 30.2),
              "x": (8.0, 99.0)}  # fmt: skip
    assert wanted.keys() == found.keys()
    for char, place in wanted.items():
        assert place == pytest.approx(found[char], abs=0.15), char


@pytest.mark.parametrize("profile", NAMES)
@pytest.mark.parametrize("name", list(sheets()))
def test_twenty_sheets_in_a_row_do_not_drift(name: str, profile: str):
    form = laid(name, page(name, sheets()[name].room))
    data = job(form, load(profile))

    machine, out = printed([data] * 20, MAKE_OF[profile], form.length_mm)

    assert 20 == len(out)
    assert all(marks == out[0] for marks in out)
    assert 0 == machine.drift_mm


def test_a_sheet_that_is_not_as_long_as_the_form_says_shows_as_drift():
    form = laid("outpatient", page("outpatient", 16))

    machine, _out = printed([job(form, load("lq-generic"))] * 3, "lq", 131.2)

    assert abs(machine.drift_mm) > 4


@pytest.mark.parametrize("profile", NAMES)
def test_the_offset_moves_everything(profile: str):
    form = _form(FormText("票据", 20.0, 30.0), FormText("䶮", 60.0, 40.0))

    plain, moved = _ink(form, profile), _ink(form, profile, x_mm=1.5, y_mm=-2.3)

    for before, after in zip(plain, moved, strict=True):
        assert (before.x + 1.5, before.y - 2.3) == pytest.approx((after.x, after.y), abs=0.15)


def test_chinese_arrives_as_it_is_and_what_the_font_lacks_is_drawn():
    text = "欧阳䶮𬭎㛃￥1,234.56（大写）壹贰叁é¥"
    marks = _ink(_form(FormText(text, 10.0, 10.0)), "lq-generic")

    assert "欧阳￥1,234.56（大写）壹贰叁é" == "".join(mark.char for mark in marks)
    assert 4 == sum(bool(mark.dots) for mark in marks)
    # Every glyph has its cell, drawn ones too.
    steps = [right.x - left.x for left, right in pairwise(marks)]
    assert min(steps) >= 12 / 180 * 25.4 - 0.02


def test_a_narrower_charset_draws_more():
    form = _form(FormText("喆䶮票", 10.0, 10.0))
    profile = load("lq-generic")

    assert ["䶮"] == [wish.text for wish in codec.wishes(form, profile)]
    old = replace(profile, charset="gb2312")
    assert ["喆", "䶮"] == [wish.text for wish in codec.wishes(form, old)]
    assert () == codec.wishes(form, replace(profile, charset="gb18030"))


def test_runs_are_kept_together_where_the_pitch_is_known():
    form = _form(FormText("票据 号码", 10.0, 10.0))
    profile = replace(load("lq-generic"), place_each=False)

    data = codec.body(form, profile, {}, codec.Offset())

    assert 2 == data.count(b"\x1b$")
    assert "票据".encode("gbk") in data


def test_lines_are_sorted_and_the_paper_never_moves_back():
    form = _form(FormText("c", 5, 90), FormText("a", 90, 10), FormText("b", 5, 10.2))

    marks = _ink(form, "lq-generic")

    assert ["a", "b", "c"] == [mark.char for mark in marks]


@pytest.mark.parametrize(
    "text",
    [FormText("x", 189.0, 10), FormText("x", -1, 10), FormText("x", 5, 125), FormText("x", 5, -1)],
)
def test_what_would_stand_beside_the_sheet_is_refused(text: FormText):
    with pytest.raises(codec.OffSheet):
        codec.body(_form(text), load("lq-generic"), {}, codec.Offset())


def test_a_control_character_never_reaches_the_printer():
    with pytest.raises(codec.ControlInText):
        codec.body(_form(FormText("a\x0c", 5, 5)), Profile(), {}, codec.Offset())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.sampled_from(["lq", "lq1600k"]))
def test_any_split_of_a_job_prints_the_same(size: int, make: str):
    profile = next(name for name, one in MAKE_OF.items() if one == make)
    data = job(_form(FormText("票据1䶮", 10.0, 10.0, bold=True)), load(profile))
    whole, split = Cutter(brackets=make == "lq"), Cutter(brackets=make == "lq")

    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    assert whole.feed(data) == [command for piece in pieces for command in split.feed(piece)]


def test_zero_bytes_end_an_image_that_was_cut_off():
    form = _form(FormText("阿卜杜热合曼买买提", 10.0, 10.0, dots=16))
    data = job(form, load("lq-generic"))
    for cut in range(1, len(data)):
        machine, _out = printed([data[:cut], codec.FLUSH], "lq", 127.0)
        machine.align()
        machine.receive(data)

        assert (0, 0) == (machine.waiting, machine.drift_mm), cut


def test_status_lines_of_a_port_are_read_and_a_port_without_them_tells_nothing():
    def port(status: int):
        def ioctl(_descriptor: int, request: int, answer: bytearray) -> None:
            assert request == 0x060B
            answer[0] = status

        return ioctl

    def none(*_args: object) -> None:
        raise OSError(25, "ENOTTY")

    assert () == lines.asked(3, port(0x18))
    assert ("PRN_PAPER_END",) == lines.asked(3, port(0x38))
    assert ("PRN_OFFLINE",) == lines.asked(3, port(0x08))
    assert ("PRN_ERROR",) == lines.asked(3, port(0x10))
    assert () == lines.asked(3, none)


def test_options_take_an_offset_in_tenths_and_nothing_else():
    raw = {"transport": {"type": "tcp", "host": "h"}}

    found = escp.parse_options({**raw, "options": {"offset_x_mm": 1.26, "offset_y_mm": -3}})

    assert codec.Offset(1.3, -3.0) == found.offset
    for wrong in ({"offset_x_mm": 99}, {"offset_x_mm": "1"}, {"offset": 1.0}):
        with pytest.raises(ValueError, match="options"):
            escp.parse_options({**raw, "options": wrong})


def test_a_wrong_profile_says_what_is_wrong():
    for text in ("colour = 1", "charset = 'big5'", "unit_d = 15", "units = 1"):
        with pytest.raises(BadProfile):
            parse(text, "p")
    with pytest.raises(BadProfile, match="lq-generic"):
        load("nonesuch")
