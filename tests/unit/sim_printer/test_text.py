"""Characters come out in the right cell, in the right script, or are said to be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fep.sim.printer.actions import Band, Remark
from fep.sim.printer.commands import Cutter
from fep.sim.printer.interpreter import Interpreter
from fep.sim.printer.profiles import PROFILES
from tests.unit.sim_printer.bench import CUT, INIT, han

WIDTH = 576


def obey(data: bytes, profile: str = "epson_full") -> list[object]:
    cutter, buffer, actions = Cutter(), bytearray(data), []
    interpreter = Interpreter(PROFILES[profile])
    while (command := cutter.next(buffer)) is not None:
        actions += interpreter.obey(command)
    return actions


def bands(data: bytes, profile: str = "epson_full") -> list[Band]:
    return [action for action in obey(data, profile) if isinstance(action, Band)]


def text(data: bytes, profile: str = "epson_full") -> list[str]:
    return [band.text for band in bands(data, profile) if band.text is not None]


def ink_box(band: Band) -> tuple[int, int, int, int]:
    assert isinstance(band.image, Image.Image)
    box = band.image.getbbox()
    assert box is not None
    return box


def test_gbk_text_is_read_back():
    line = "门诊收费票据，合计￥453.34"

    assert [line] == text(INIT + han(line) + b"\n")


def test_western_mode_prints_han_bytes_as_western_letters():
    assert [han("票").decode("cp437")] == text(b"\x1b@" + han("票") + b"\n")


def test_chinese_makes_start_in_chinese_mode():
    assert ["票据"] == text(b"\x1b@" + han("票据") + b"\n", "clone_no_procid")


def test_a_rare_han_needs_a_make_that_knows_four_bytes():
    rare = INIT + han("㐀") + b"\n"

    assert ["㐀"] == text(rare)
    assert ["㐀"] != text(rare, "clone_no_procid")
    unknown = [a for a in obey(rare, "clone_no_procid") if isinstance(a, Remark)]
    assert ["character.unknown"] * len(unknown) == [remark.event for remark in unknown]
    assert unknown


def test_a_lead_byte_without_partner_is_told():
    assert Remark("character.unknown", b"\xc6") in obey(INIT + b"\xc6\n")


def test_code_pages_of_esc_t():
    assert ["é"] == text(b"\x1b@\x1bt\x10\xe9\n")
    assert ["Θ"] == text(b"\x1b@\x1bt\x00\xe9\n")


def test_48_columns_fit_and_the_49th_starts_the_next_line():
    assert ["x" * 48, "y"] == text(b"x" * 48 + b"y\n")
    assert ["票" * 24, "据"] == text(INIT + han("票" * 24 + "据") + b"\n")


def test_a_han_never_straddles_the_edge():
    assert ["x" * 47, "票"] == text(INIT + b"x" * 47 + han("票") + b"\n")


@given(st.integers(0, 46), st.sampled_from(["票", "￥", "，"]))
@settings(max_examples=25, deadline=None)
def test_every_cell_stands_on_the_dot_grid(column, char):
    band = bands(INIT + b"\x1b$" + (column * 12).to_bytes(2, "little") + han(char) + b"\n")[0]
    left, top, right, bottom = ink_box(band)

    assert column * 12 <= left < right <= column * 12 + 24
    assert 0 <= top < bottom <= 24


@pytest.mark.parametrize(("n", "left"), [(0, 0), (1, 276), (2, 552)])
def test_alignment_moves_the_line(n, left):
    box = ink_box(bands(INIT + b"\x1ba" + bytes((n,)) + han("国") + b"\n")[0])

    assert left <= box[0] < box[2] <= left + 24


def test_margin_and_area_narrow_the_line():
    narrow = b"\x1dL\x30\x00\x1dW\x60\x00"

    assert ["    12345678", "    9"] == text(INIT + narrow + b"123456789\n")


def test_sizes_scale_both_scripts_and_count_their_columns():
    doubled = bands(INIT + b"\x1d!\x11" + han("票") + b"a\n")[0]

    assert (48, "票a") == (doubled.rows, doubled.text)
    assert ["票" * 12, "票"] == text(INIT + b"\x1d!\x10" + han("票" * 13) + b"\n")


def test_han_style_leaves_ascii_alone():
    assert [48, 24] == [
        bands(INIT + b"\x1c!\x0c" + char + b"\n")[0].rows for char in (han("票"), b"a")
    ]
    assert 48 == bands(INIT + b"\x1cW\x01" + han("票") + b"\n")[0].rows


def test_the_last_of_the_size_commands_wins():
    assert 24 == bands(INIT + b"\x1c!\x0c\x1d!\x00" + han("票") + b"\n")[0].rows


def test_ascii_style_of_esc_exclamation_mark():
    assert [48, 24] == [
        bands(INIT + b"\x1b!\x30" + char + b"\n")[0].rows for char in (b"a", han("票"))
    ]


def test_bold_underline_and_reverse_change_the_ink():
    def ink(style: bytes) -> int:
        image = bands(b"\x1b@" + style + b"l\n")[0].image
        assert image is not None
        return sum(image.convert("L").histogram()[128:])

    plain = ink(b"")

    assert plain < ink(b"\x1bE\x01")
    assert plain < ink(b"\x1b-\x01") < ink(b"\x1b-\x02")
    assert 24 * 12 - plain == ink(b"\x1dB\x01")


def test_feeds_move_the_paper_by_lines_and_dots():
    assert [30, 30, 30, 100, 45] == [
        band.rows for band in bands(b"\x1bd\x02\n\x1bJ\x64\x1b3\x2d\n")
    ]
    assert [24, 6] == [band.rows for band in bands(b"x\n")]


def test_tabs_and_absolute_positions_keep_columns():
    assert ["a       b", "1   2   3"] == text(b"a\tb\n\x1bD\x04\x08\x001\t2\t3\n")
    assert ["ab    cd"] == text(b"ab\x1b$\x48\x00cd\n")


def test_esc_at_throws_the_unprinted_line_and_all_modes_away():
    assert ["b"] == text(b"a\x1b!\x30\x1b@b\n")


@pytest.mark.parametrize("command", [b"\x1bZ", b"\x1dZ", b"\x1cz", b"\x07", b"\x1d(z\x01\x00a"])
def test_an_unknown_command_is_told_and_the_text_goes_on(command):
    actions = obey(b"a" + command + b"b\n")

    assert Remark("command.unknown", command) in actions
    assert ["ab"] == text(b"a" + command + b"b\n")


@pytest.mark.parametrize("command", [b"\x1dk\x02123456789012\x00", b"\x1bV\x01", b"\x1b{\x01"])
def test_what_is_known_and_not_drawn_is_told(command):
    assert [Remark("command.not_drawn", command)] == obey(command)


@given(
    st.lists(st.sampled_from([INIT, han("票据"), b"abc", b"\n", b"\x1ba\x01", CUT, b"\x1bZ"])),
    st.integers(1, 9),
)
@settings(max_examples=30, deadline=None)
def test_what_is_printed_does_not_depend_on_the_splitting(parts, size):
    data = b"".join(parts)
    cutter, buffer, interpreter = Cutter(), bytearray(), Interpreter(PROFILES["epson_full"])
    actions = []
    for start in range(0, len(data), size):
        buffer += data[start : start + size]
        while (command := cutter.next(buffer)) is not None:
            actions += interpreter.obey(command)

    assert [_shape(a) for a in obey(data)] == [_shape(a) for a in actions]


def _shape(action: object) -> object:
    return (action.rows, action.text) if isinstance(action, Band) else action
