"""The picture of a slip: every line there, its QR code readable."""

from __future__ import annotations

import io

import pytest
import zxingcpp
from PIL import Image

from fep.domain.columns import columns
from fep.domain.printing import Columns, Feed, Rule, Slip, Text
from fep.render import page_slip
from fep.render.slip import WIDTH, slip
from tests.unit.render_page.views import FACE, QR


def test_lines_fill_the_paper_and_no_more() -> None:
    lines = [line for line in page_slip.grid(slip(FACE)) if isinstance(line, page_slip.Line)]

    assert [line for line in lines if columns(line.text) * line.wide > WIDTH] == []


def test_cells_wrap_below_themselves() -> None:
    part = Columns((("一二三", 4, "left"), ("9", 2, "right")))

    assert page_slip.grid(Slip((part,))) == [
        page_slip.Line("一二 9"), page_slip.Line("三    "),
    ]  # fmt: skip


def test_sizes_rules_and_feeds_become_lines() -> None:
    parts = (Text("大", size=2), Text("高", tall=True), Rule("="), Feed(2))

    assert [(line.wide, line.high) for line in page_slip.grid(Slip(parts))] == [
        (2, 2), (1, 2), (1, 1), (1, 1), (1, 1),
    ]  # fmt: skip


def test_the_picture_holds_the_code() -> None:
    picture = Image.open(io.BytesIO(page_slip.png(slip(FACE))))

    assert picture.mode == "1"
    assert picture.width == page_slip.DOTS + 2 * page_slip.BORDER
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [QR]


def test_a_character_without_glyph_is_named() -> None:
    with pytest.raises(page_slip.NoGlyph) as caught:
        page_slip.png(Slip((Text("甲\ue000"),)))

    assert caught.value.chars == "\ue000"
