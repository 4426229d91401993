"""Which characters the fonts have."""

from __future__ import annotations

from pathlib import Path

from fep.render import page_fonts
from tests.unit.render_page.views import RARE

FONTS = page_fonts.files(page_fonts.directories())


def test_rare_names_have_glyphs() -> None:
    assert page_fonts.missing(RARE + "湖北省￥（电子）A1", FONTS) == ""


def test_missing_characters_are_named_once_and_sorted() -> None:
    assert page_fonts.missing("甲\ue001乙\ue000\ue001", FONTS) == "\ue000\ue001"


def test_selectors_and_spaces_need_no_glyph() -> None:
    assert page_fonts.missing("葛\U000e0100 \u3000\n", FONTS) == ""


def test_without_fonts_everything_is_missing() -> None:
    assert page_fonts.missing("ab", []) == "ab"


def test_a_damaged_font_offers_nothing(tmp_path: Path) -> None:
    for name, body in (("a.ttf", b"\x00\x01\x00\x00\x00\x05"), ("b.ttc", b"ttcf" + b"\xff" * 64)):
        (tmp_path / name).write_bytes(body)

    assert page_fonts.missing("a", page_fonts.files([str(tmp_path)])) == "a"
