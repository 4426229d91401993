"""Character cells: one bit deep, 24 dots high, 12 wide for ASCII and 24 for Han.

Rule: a glyph never leaves its cell, so that columns align as they do on paper.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

CELL_HEIGHT = 24
HAN_WIDTH = 24
ASCII_WIDTH = 12
SMALL_WIDTH, SMALL_HEIGHT = 9, 17
# Grey above this is ink; a thermal head knows no grey.
INK_FROM = 104
# The em box of the fonts below: this share of it lies above the base line.
_ASCENT = 0.86

# (file, face name wanted), best first. Mono, because its halves are exactly half an em wide.
FONTS: tuple[tuple[Path, str], ...] = (
    (Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"), "Noto Sans Mono CJK SC"),
    (Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"), "WenQuanYi Zen Hei Mono"),
)
_MAX_FACES = 32


class FontMissing(Exception):
    """No Chinese font; install it with: apt-get install fonts-noto-cjk"""

    def __init__(self) -> None:
        super().__init__(str(FontMissing.__doc__))


class Typeface:
    """Draws cells of one font file."""

    def __init__(self, path: Path, index: int) -> None:
        self._path = str(path)
        self._index = index
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}
        self._cells: dict[tuple[str, int, int], Image.Image] = {}

    def cell(self, char: str, width: int, height: int) -> Image.Image:
        """Return the cell of `char`; do not change it, it is shared."""
        key = (char, width, height)
        if key not in self._cells:
            self._cells[key] = self._draw(char, width, height)
        return self._cells[key]

    def _draw(self, char: str, width: int, height: int) -> Image.Image:
        font = self._font(height)
        advance = round(font.getlength(char))
        # Draw at the font's own width and squeeze what is too wide for the cell.
        canvas = Image.new("L", (max(width, advance), height), 0)
        left = max(0, (canvas.width - advance) // 2)
        pen = ImageDraw.Draw(canvas)
        pen.text((left, round(height * _ASCENT)), char, fill=255, font=font, anchor="ls")
        if canvas.width != width:
            canvas = canvas.resize((width, height), Image.Resampling.BILINEAR)
        return canvas.point(lambda grey: 255 if grey >= INK_FROM else 0, mode="1")

    def _font(self, size: int) -> ImageFont.FreeTypeFont:
        if size not in self._sizes:
            self._sizes[size] = ImageFont.truetype(self._path, size, index=self._index)
        return self._sizes[size]


@lru_cache(maxsize=1)
def typeface() -> Typeface:
    """Return the first font of `FONTS` that is installed. Raises FontMissing."""
    for path, wanted in FONTS:
        if path.is_file():
            return Typeface(path, _index(path, wanted))
    raise FontMissing


def _index(path: Path, wanted: str) -> int:
    """Return the number of the face called `wanted` in a collection, 0 if it has none."""
    for index in range(_MAX_FACES):
        try:
            font = ImageFont.truetype(str(path), CELL_HEIGHT, index=index)
        except OSError:
            break
        if font.getname()[0] == wanted:
            return index
    return 0
