"""The line being set: modes of the text, cells on the dot grid, the band they become."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image, ImageChops

from fep.sim.printer.actions import Band
from fep.sim.printer.glyphs import (
    ASCII_WIDTH,
    CELL_HEIGHT,
    HAN_WIDTH,
    SMALL_HEIGHT,
    SMALL_WIDTH,
    typeface,
)

# A gap of at least half a column is a space in the text.
_HALF_COLUMN = ASCII_WIDTH // 2


@dataclass(slots=True)
class Modes:
    """How the next character looks and where it goes. Dots."""

    chinese: bool
    width: int
    spacing: int
    code_page: int = 0
    small: bool = False
    bold: bool = False
    underline: int = 0
    han_underline: int = 0
    reverse: bool = False
    scale: tuple[int, int] = (1, 1)
    han_scale: tuple[int, int] = (1, 1)
    align: int = 0
    left: int = 0
    right_space: int = 0
    tabs: tuple[int, ...] = tuple(range(8, 256, 8))


@dataclass(frozen=True, slots=True)
class _Placed:
    x: int
    char: str
    image: Image.Image


@dataclass(slots=True)
class Line:
    """Cells of one line; `x` counts from the left margin."""

    paper_width: int
    x: int = 0
    cells: list[_Placed] = field(default_factory=list)

    def fits(self, char: str, modes: Modes, *, han: bool) -> bool:
        """Say whether the character still fits into the print area."""
        return self.x + cell_width(modes, han=han) <= area_width(modes, self.paper_width)

    def put(self, char: str, modes: Modes, *, han: bool) -> None:
        """Place a character and step on."""
        image = _cell(char, modes, han=han)
        self.cells.append(_Placed(self.x, char, image))
        self.x += image.width + modes.right_space

    def put_picture(self, image: Image.Image) -> None:
        """Place columns of dots, as ESC * does, and step on; what does not fit is lost."""
        self.cells.append(_Placed(self.x, "", image))
        self.x = min(self.x + image.width, self.paper_width)

    def clear(self) -> None:
        """Throw the line away."""
        self.x = 0
        self.cells.clear()

    def take(self, modes: Modes) -> Band | None:
        """Return the line as a band as high as its tallest cell, and begin a new one."""
        cells, end = list(self.cells), max((c.x + c.image.width for c in self.cells), default=0)
        self.clear()
        if not cells:
            return None
        rows = max(placed.image.height for placed in cells)
        shift = shift_of(modes, self.paper_width, end)
        image = Image.new("1", (self.paper_width, rows), 0)
        for placed in cells:
            # Small and large characters of a line stand on one base line.
            spot = (placed.x + shift, rows - placed.image.height)
            image.paste(1, spot, mask=placed.image)
        letters = [placed for placed in cells if placed.char]
        text = _text(letters, shift) if letters else None
        return Band(rows, image, text=text, picture=len(letters) < len(cells))


def area_width(modes: Modes, paper_width: int) -> int:
    """Return the width of the print area in dots, at least one Han."""
    return max(HAN_WIDTH, min(modes.width, paper_width - modes.left))


def shift_of(modes: Modes, paper_width: int, used: int) -> int:
    """Return where something `used` dots wide begins, by margin and alignment."""
    room = max(0, area_width(modes, paper_width) - used)
    return modes.left + (0, room // 2, room)[modes.align]


def cell_width(modes: Modes, *, han: bool) -> int:
    """Return the dots that one character takes, without the space to its right."""
    if han:
        return HAN_WIDTH * modes.han_scale[0]
    return (SMALL_WIDTH if modes.small else ASCII_WIDTH) * modes.scale[0]


def _cell(char: str, modes: Modes, *, han: bool) -> Image.Image:
    small = modes.small and not han
    width = HAN_WIDTH if han else SMALL_WIDTH if small else ASCII_WIDTH
    image = typeface().cell(char, width, SMALL_HEIGHT if small else CELL_HEIGHT)
    if modes.bold:
        # Emphasis is a second strike one dot to the right, inside the cell.
        struck = Image.new("1", image.size, 0)
        struck.paste(image, (1, 0))
        image = ImageChops.logical_or(image, struck)
    across, down = modes.han_scale if han else modes.scale
    if (across, down) != (1, 1):
        size = (image.width * across, image.height * down)
        image = image.resize(size, Image.Resampling.NEAREST)
    thick = modes.han_underline if han else modes.underline
    if thick:
        image = image.copy()
        image.paste(1, (0, image.height - thick, image.width, image.height))
    return ImageChops.invert(image) if modes.reverse else image


def _text(cells: list[_Placed], shift: int) -> str:
    parts: list[str] = []
    end = -shift
    for placed in sorted(cells, key=lambda placed: placed.x):
        gap = placed.x - end
        if gap >= _HALF_COLUMN:
            parts.append(" " * max(1, round(gap / ASCII_WIDTH)))
        parts.append(placed.char)
        end = placed.x + placed.image.width
    return "".join(parts).rstrip()
