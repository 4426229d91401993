"""Draws lines of text as one-bit dots, on the same column grid as a printer's own font.

Runs inside the glyph process: fonts are big and Pillow may crash. A character the font does
not have is an answer (`missing`), never an empty box. No network, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fep.domain.columns import char_columns, columns

# Debian's fonts-noto-cjk first, the smaller WenQuanYi as a fall-back; (file, face).
REGULAR: tuple[tuple[str, str], ...] = (
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "Noto Sans Mono CJK SC"),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", "WenQuanYi Zen Hei Mono"),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", "WenQuanYi Micro Hei Mono"),
    # Names of extension B and later, which the others hardly have (fonts-hanazono).
    ("/usr/share/fonts/truetype/hanazono/HanaMinA.ttf", "HanaMinA"),
    ("/usr/share/fonts/truetype/hanazono/HanaMinB.ttf", "HanaMinB"),
)
BOLD: tuple[tuple[str, str], ...] = (
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc", "Noto Sans Mono CJK SC"),
    *REGULAR,
)
MAX_TEXT = 96
MAX_FACES = 16
# Noncharacters: no font has a glyph for them, so they show what "missing" looks like.
_NOBODY = ("\U0010fffe", "\ufdd0")
# Dots darker than this of 255 are burnt.
THRESHOLD = 110
_BASELINE = 0.86


class NoFont(Exception):
    """None of the fonts is installed."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line: width in bytes, rows of dots; or the characters no font has."""

    width_bytes: int
    rows: bytes
    missing: str = ""


def draw(text: str, height_dots: int, bold: bool) -> Drawn:
    """Draw `text` in cells of `height_dots`, half as wide for ASCII.

    Raises:
        NoFont: No font is installed.
    """
    text = text[:MAX_TEXT]
    fonts = _fonts(height_dots, bold, _installed(bold))
    chosen = [_pick(fonts, char) for char in text]
    missing = "".join(char for char, font in zip(text, chosen, strict=True) if font is None)
    if missing:
        return Drawn(0, b"", missing)
    half = height_dots // 2
    width = (columns(text) * half + 7) // 8 * 8
    image = Image.new("L", (width, height_dots), 0)
    pen = ImageDraw.Draw(image)
    x = 0
    for char, font in zip(text, chosen, strict=True):
        cell = char_columns(char) * half
        if char != " " and font is not None:
            pen.text(
                (x + (cell - font.getlength(char)) / 2, round(height_dots * _BASELINE)),
                char, fill=255, font=font, anchor="ls",
            )  # fmt: skip
        x += cell
    dots = image.point([255 if level > THRESHOLD else 0 for level in range(256)], mode="1")
    return Drawn(width // 8, dots.tobytes())


def _installed(bold: bool) -> tuple[tuple[str, str], ...]:
    """Return the fonts that are there now: one that is installed later counts at once."""
    return tuple(font for font in (BOLD if bold else REGULAR) if Path(font[0]).exists())


@lru_cache(maxsize=8)
def _fonts(
    height_dots: int, bold: bool, installed: tuple[tuple[str, str], ...]
) -> tuple[ImageFont.FreeTypeFont, ...]:
    if not installed:
        raise NoFont
    return tuple(_face(file, face, height_dots) for file, face in installed)


def _face(file: str, face: str, height_dots: int) -> ImageFont.FreeTypeFont:
    """Return the named face of a collection, its first one when the name is not there."""
    for index in range(MAX_FACES):
        try:
            font = ImageFont.truetype(file, height_dots, index=index)
        except OSError:
            break
        if font.getname()[0] == face:
            return font
    return ImageFont.truetype(file, height_dots)


def _pick(fonts: tuple[ImageFont.FreeTypeFont, ...], char: str) -> ImageFont.FreeTypeFont | None:
    return next((font for font in fonts if _has(font, char)), None)


@lru_cache(maxsize=4096)
def _has(font: ImageFont.FreeTypeFont, char: str) -> bool:
    if char in (" ", "\u3000"):
        return True
    shape = _shape(font, char)
    return any(shape[1]) and all(shape != _shape(font, nobody) for nobody in _NOBODY)


def _shape(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char, mode="L")
    return mask.size, bytes(mask)
