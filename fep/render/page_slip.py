"""Draws a slip as the dots a thermal printer would burn: a PNG of 576 dots, 203 dots an inch.

Runs inside the page process. What stands where comes from `fep.render.slip`; here are only
lines and dots. A character no font has is an answer, never an empty box.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from fep.domain.columns import columns, pad, wrap
from fep.domain.printing import Columns, Feed, Part, Rule, Slip, Text
from fep.render import qr
from fep.render.glyphs import Drawn, draw
from fep.render.slip import WIDTH

CELL = 24
DOTS = WIDTH * CELL // 2
GAP = 6
BORDER = 24
DOTS_PER_INCH = 203
MAX_LINES = 2000


class NoGlyph(Exception):
    """The fonts lack characters; `chars` names them."""

    def __init__(self, chars: str) -> None:
        super().__init__(chars)
        self.chars = chars


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text on the grid: how many times as wide and as high as a cell."""

    text: str
    bold: bool = False
    wide: int = 1
    high: int = 1


@dataclass(frozen=True, slots=True)
class Dots:
    """Square modules, centred."""

    content: str
    module: int


def grid(slip: Slip) -> list[Line | Dots]:
    """Return the lines of a slip, wrapped and padded to the width of the paper."""
    return [line for part in slip.parts for line in _lines(part)][:MAX_LINES]


def _lines(part: Part) -> Iterator[Line | Dots]:
    if isinstance(part, Text):
        wide = part.size
        room = WIDTH // wide
        for text in wrap(part.text, room):
            yield Line(pad(text, room, part.align), part.bold, wide, 2 if part.tall else wide)
    elif isinstance(part, Columns):
        yield from _cells(part)
    elif isinstance(part, Rule):
        yield Line(part.char * WIDTH)
    elif isinstance(part, Feed):
        yield from (Line("") for _ in range(part.lines))
    else:
        yield Dots(part.content, part.module_dots)


def _cells(part: Columns) -> Iterator[Line]:
    cells = [(wrap(text, width), width, align) for text, width, align in part.cells]
    for row in range(max(len(lines) for lines, _, _ in cells)):
        yield Line(
            "".join(
                pad(lines[row] if row < len(lines) else "", width, align)
                for lines, width, align in cells
            ),
            part.bold,
        )


def png(slip: Slip) -> bytes:
    """Return the picture of a slip.

    Raises:
        NoGlyph: A character is in none of the fonts.
        fep.render.glyphs.NoFont: No font is installed.
    """
    pieces = [_piece(line) for line in grid(slip)]
    height = sum(piece.height + GAP for piece in pieces) + 2 * BORDER
    paper = Image.new("1", (DOTS + 2 * BORDER, height), 1)
    y = BORDER
    for piece in pieces:
        paper.paste(
            piece, (BORDER + (DOTS - piece.width) // 2 if piece.width < DOTS else BORDER, y)
        )
        y += piece.height + GAP
    out = io.BytesIO()
    paper.save(out, "PNG", optimize=True, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return out.getvalue()


def _piece(line: Line | Dots) -> Image.Image:
    if isinstance(line, Dots):
        return _modules(line)
    text = line.text.rstrip()
    if not text:
        return Image.new("1", (DOTS, CELL * line.high), 1)
    drawn = draw(text, CELL * line.wide, line.bold)
    if drawn.missing:
        raise NoGlyph(drawn.missing)
    image = _image(drawn, columns(text) * CELL * line.wide // 2)
    piece = Image.new("1", (DOTS, CELL * line.high), 1)
    piece.paste(image.resize((image.width, CELL * line.high), Image.Resampling.NEAREST), (0, 0))
    return piece


def _image(drawn: Drawn, width: int) -> Image.Image:
    height = len(drawn.rows) // drawn.width_bytes
    burnt = Image.frombytes("1", (drawn.width_bytes * 8, height), drawn.rows)
    white = burnt.point([255] + [0] * 255, mode="1")
    return white.crop((0, 0, width, height))


def _modules(dots: Dots) -> Image.Image:
    rows = qr.matrix(dots.content)
    image = Image.new("1", (len(rows), len(rows)))
    image.putdata([0 if module else 255 for row in rows for module in row])
    side = len(rows) * min(dots.module, DOTS // len(rows))
    return image.resize((side, side), Image.Resampling.NEAREST)
