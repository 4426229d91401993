"""How a printed sheet looks: tractor strips, what stood on it before, ink of 24 pins.

A preprinted sheet is read from a form description (TOML) with a reader of its own: boxes and
their captions in the red of such sheets. One pixel is 1/180 inch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from fep.sim.form.machine import HAN_DOTS, INCH, Mark
from fep.sim.printer.glyphs import typeface

DPI = 180
STRIP_MM = 12.7
PAPER, STRIP, PRE, PRE_TEXT = (253, 252, 246), (246, 244, 236), (238, 196, 190), (196, 92, 86)
INK, HOLE, TABLE = (38, 40, 66), (214, 216, 219), (214, 216, 219)
CAPTION_PX = 17
MARGIN_PX = 10


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the preprinted sheet in mm; `left` says that its caption stands above it."""

    source: str
    x: float
    y: float
    w: float
    h: float
    caption: str = ""
    above: bool = False


@dataclass(frozen=True, slots=True)
class Blank:
    """A preprinted sheet. Sizes in mm."""

    title: str
    width: float
    length: float
    boxes: tuple[Box, ...] = ()


def read_blank(path: Path) -> Blank:
    """Return the sheet described in a file. Raises OSError, KeyError, ValueError."""
    told = tomllib.loads(path.read_text("utf-8"))
    boxes = [
        Box(one["source"], one["x"], one["y"], one["w"], one["h"], one.get("caption", ""))
        for one in told["fields"]
    ]
    table = told.get("items", {"blocks": (), "rows": 0, "columns": ()})
    for left in table["blocks"]:
        for row in range(table["rows"]):
            boxes += [
                Box(f"items.{column['source']}", left + column["x"],
                    table["y"] + row * table["row"], column["w"], table["row"],
                    "" if row else column.get("caption", ""), above=True)
                for column in table["columns"]
            ]  # fmt: skip
    return Blank(told["name"], told["width"], told["length"], tuple(boxes))


def px(mm: float) -> int:
    """Return a length in pixels."""
    return round(mm / 25.4 * DPI)


def draw(marks: Iterable[Mark], blank: Blank) -> Image.Image:
    """Return a sheet with its ink, strips on both sides."""
    strip = px(STRIP_MM)
    size = (px(blank.width) + 2 * strip, px(blank.length))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for left in (0, size[0] - strip):
        pen.rectangle((left, 0, left + strip, size[1]), fill=STRIP, outline=PRE)
        for hole in range(DPI // 4, size[1], DPI // 2):
            middle = left + strip // 2
            pen.ellipse((middle - 14, hole - 14, middle + 14, hole + 14), fill=HOLE)
    _preprint(sheet, pen, blank, strip)
    mask = Image.new("L", size, 0)
    for mark in marks:
        _ink(mask, mark, strip)
    sheet.paste(INK, (0, 0), mask=mask)
    scene = Image.new("RGB", (size[0] + 2 * MARGIN_PX, size[1] + 2 * MARGIN_PX), TABLE)
    scene.paste(sheet, (MARGIN_PX, MARGIN_PX))
    return scene.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _preprint(sheet: Image.Image, pen: ImageDraw.ImageDraw, blank: Blank, strip: int) -> None:
    if blank.boxes:
        wide = len(blank.title) * 30
        _write(sheet, blank.title, strip + (px(blank.width) - wide) // 2, px(4.0), 30)
    for box in blank.boxes:
        corner = (strip + px(box.x), px(box.y), strip + px(box.x + box.w), px(box.y + box.h))
        pen.rectangle(corner, outline=PRE)
        if not box.caption:
            continue
        wide = _width(box.caption, CAPTION_PX)
        if box.above:
            _write(sheet, box.caption, corner[0] + 2, corner[1] - CAPTION_PX - 3, CAPTION_PX)
        else:
            middle = (corner[1] + corner[3] - CAPTION_PX) // 2
            _write(sheet, box.caption, corner[0] - wide - 4, middle, CAPTION_PX)


def _width(text: str, size: int) -> int:
    return sum(size if ord(char) > 127 else size // 2 for char in text)


def _write(sheet: Image.Image, text: str, x: int, y: int, size: int) -> None:
    for char in text:
        wide = size if ord(char) > 127 else size // 2
        sheet.paste(PRE_TEXT, (x, y), mask=typeface().cell(char, wide, size).convert("L"))
        x += wide


def _ink(mask: Image.Image, mark: Mark, strip: int) -> None:
    x, y = strip + px(mark.x), px(mark.y)
    if mark.dots:
        cell = Image.new("1", (len(mark.dots), HAN_DOTS), 0)
        for column, pins in enumerate(mark.dots):
            for row in range(HAN_DOTS):
                if pins >> (HAN_DOTS - 1 - row) & 1:
                    cell.putpixel((column, row), 1)
    else:
        # At 10 cpi a glyph is as wide as its pitch; the picture shows that, too.
        wide = min(round(mark.w / 25.4 * INCH / (INCH // DPI)), HAN_DOTS)
        cell = typeface().cell(mark.char, wide, HAN_DOTS)
    grey = cell.convert("L")
    mask.paste(255, (x, y), mask=grey)
    if mark.bold:
        mask.paste(255, (x + 1, y), mask=grey)
