"""Form -> ESC/P bytes for 24 pins. Pure: no I/O, no clock.

Rules: every position is absolute, counted from the top left corner of the sheet and rounded
once, so that no error adds up; lines are sorted by (y, x) and the paper never moves back;
the page length is the real length of the sheet in every job and a job ends with FF, or a
tractor drifts; no CR and no LF is sent, since a switch of the printer may make two of one.
Text is never altered: a glyph the font lacks goes out as an image. Source: ESC/P 2 reference
and facts/devices 2.1; the sheet's length is a multiple of 1/6 inch, as its holes are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.escp.profile import Profile
from fep.domain.columns import char_columns, has_control
from fep.domain.printing import Form, FormText

ESC, FS = b"\x1b", b"\x1c"
RESET = ESC + b"@"
EJECT = b"\x0c"
INCH_MM = 25.4
DOTS = 180
HAN_DOTS = 24
ADVANCE_MAX = 255
# No image is wider than this, so that as many zero bytes end one that was cut off.
IMAGE_COLUMNS = 240
FLUSH = b"\x00" * (IMAGE_COLUMNS * 3)
MAX_BODY = 256 * 1024
SMALLEST_DOTS = 8


class ControlInText(Exception):
    """A text holds control characters; printing it could command the device."""


class OffSheet(Exception):
    """A text would stand beside the sheet, or where the head does not reach."""


class TooLong(Exception):
    """The job is beyond its bound."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How far everything is moved to the right and down, in mm."""

    x_mm: float = 0.0
    y_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A piece of text that has to be drawn: its glyph height in dots, and weight."""

    text: str
    dots: int
    bold: bool


@dataclass(frozen=True, slots=True)
class Raster:
    """One-bit dots, most significant bit left, rows of `width_bytes`."""

    width_bytes: int
    rows: bytes


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is sent at one position: encoded glyphs, or None for an image of its text."""

    x: int  # 1/360 inch
    y: int
    text: str
    encoded: bytes | None
    dots: int
    bold: bool

    def wish(self) -> Wish:
        return Wish(self.text, self.dots, self.bold)


def units_of(mm: float) -> int:
    """Return a length in 1/360 inch."""
    return round(mm / INCH_MM * 360)


def sheet_units(length_mm: float) -> int:
    """Return the length of a sheet in 1/360 inch: the nearest multiple of 1/6 inch."""
    return round(length_mm / INCH_MM * 6) * 60


def encode(char: str, profile: Profile) -> bytes | None:
    """Return a glyph in the device's character set, or None when it must be drawn."""
    if " " <= char <= "~":
        return char.encode("ascii")
    try:
        code = char.encode(profile.charset)
    except UnicodeEncodeError:
        return None
    return code if len(code) in (2, 4) else None


def wishes(form: Form, profile: Profile) -> tuple[Wish, ...]:
    """Return the pieces of `form` that the device's own font cannot show."""
    return tuple(
        dict.fromkeys(
            piece.wish() for piece in _pieces(form, profile, Offset()) if piece.encoded is None
        )
    )


def body(form: Form, profile: Profile, rasters: Mapping[Wish, Raster], offset: Offset) -> bytes:
    """Return the whole job from `ESC @` to the form feed.

    `rasters` answers `wishes()` of the same form and profile.

    Raises:
        ControlInText: A text holds control characters.
        OffSheet: A text leaves the sheet or the reach of the head.
        TooLong: The job is beyond MAX_BODY bytes.
    """
    out = bytearray(preamble(form, profile))
    pieces = sorted(_pieces(form, profile, offset), key=lambda piece: (piece.y, piece.x))
    down = _Down(profile)
    bold = False
    for piece in pieces:
        _check(piece, form, profile)
        out += down.to(piece.y)
        if piece.bold != bold and piece.encoded is not None:
            bold = piece.bold
            out += ESC + (b"E" if bold else b"F")
        if piece.encoded is not None:
            out += across(piece.x, profile) + piece.encoded
        else:
            out += _image(piece.x, rasters[piece.wish()], profile)
        if len(out) > MAX_BODY:
            raise TooLong(f"more than {MAX_BODY} bytes")
    return bytes(out) + EJECT


def preamble(form: Form, profile: Profile) -> bytes:
    """Return the head of every job: reset, quality, 15 cpi, Chinese mode, unit, page length."""
    out = RESET + ESC + b"x\x01" + ESC + b"g" + FS + b"&"
    if profile.han_spacing:
        out += FS + b"S\x00\x00"
    length = sheet_units(form.length_mm)
    if profile.units:
        unit = profile.unit_d // 10
        out += ESC + b"(U\x01\x00" + bytes((profile.unit_d,))
        return out + ESC + b"(C\x02\x00" + (length // unit).to_bytes(2, "little")
    # 1/6 inch is 30/180: as many lines of it as the sheet is long.
    return out + ESC + b"3\x1e" + ESC + b"C" + bytes((length // 60,))


def across(x: int, profile: Profile) -> bytes:
    """Return the bytes that move the head to `x` (1/360 inch)."""
    if profile.units:
        return ESC + b"$" + round(x * 10 / profile.unit_d).to_bytes(2, "little")
    whole, rest = divmod(round(x / 2), 3)
    move = ESC + b"$" + whole.to_bytes(2, "little")
    return move + (ESC + b"\\" + rest.to_bytes(2, "little") if rest else b"")


class _Down:
    """Moves the paper; it knows how far the paper is and never moves it back."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._at = 0

    def to(self, y: int) -> bytes:
        """Return the bytes that bring line `y` (1/360 inch) under the head."""
        profile = self._profile
        if profile.absolute_vertical:
            at = round(y * 10 / profile.unit_d) if profile.units else y
            moved, self._at = at != self._at, at
            return ESC + b"(V\x02\x00" + at.to_bytes(2, "little") if moved else b""
        at = round(y / 2)
        rest, self._at = at - self._at, at
        assert rest >= 0, (y, rest)
        out = b""
        while rest > 0:
            step = min(rest, ADVANCE_MAX)
            out += ESC + b"J" + bytes((step,))
            rest -= step
        return out


def _pieces(form: Form, profile: Profile, offset: Offset) -> Iterator[_Piece]:
    for text in form.texts:
        if has_control(text.text):
            raise ControlInText(f"{len(text.text)} characters")
        assert SMALLEST_DOTS <= text.dots <= HAN_DOTS, text.dots
        x, y = units_of(text.x_mm + offset.x_mm), units_of(text.y_mm + offset.y_mm)
        if text.dots < HAN_DOTS:
            yield from _drawn(text, x, y)
        else:
            yield from _typed(text, x, y, profile)


def _drawn(text: FormText, x: int, y: int) -> Iterator[_Piece]:
    """Yield a small text as images that are not wider than an image may be."""
    shown, at = text.text.rstrip(" "), 0
    most = IMAGE_COLUMNS // text.dots
    while at < len(shown):
        part = shown[at : at + most]
        yield _Piece(x, y, part, None, text.dots, text.bold)
        x += sum(char_columns(char) for char in part) * text.dots
        at += most


def _typed(text: FormText, x: int, y: int, profile: Profile) -> Iterator[_Piece]:
    """Yield a text of the printer's own size: runs, or glyph by glyph; spaces only move."""
    run, begun = b"", x
    kept = ""
    for char in text.text:
        code = encode(char, profile) if char not in (" ", "\u3000") else b""
        breaks = profile.place_each or code is None or (code == b"" and run)
        if breaks and run:
            yield _Piece(begun, y, kept, run, HAN_DOTS, text.bold)
            run, kept = b"", ""
        if code is None:
            yield _Piece(x, y, char, None, HAN_DOTS, text.bold)
        elif code:
            begun = begun if run else x
            run, kept = run + code, kept + char
        x += char_columns(char) * HAN_DOTS
    if run:
        yield _Piece(begun, y, kept, run, HAN_DOTS, text.bold)


def _check(piece: _Piece, form: Form, profile: Profile) -> None:
    """Raise OffSheet for what would not be on the sheet as a whole."""
    wide = sum(char_columns(char) for char in piece.text) * piece.dots
    right = units_of(min(form.width_mm, profile.width_mm))
    foot = sheet_units(form.length_mm)
    inside = 0 <= piece.x and piece.x + wide <= right
    if not inside or piece.y < 0 or piece.y + piece.dots * 2 > foot:
        raise OffSheet(f"{piece.x / 360 * INCH_MM:.1f} x {piece.y / 360 * INCH_MM:.1f} mm")


def _image(x: int, raster: Raster, profile: Profile) -> bytes:
    """Return a drawn text as 24-pin columns at 180 dots an inch, split where it is too wide."""
    columns = _columns(raster)
    out = bytearray()
    for at in range(0, len(columns), IMAGE_COLUMNS):
        part = columns[at : at + IMAGE_COLUMNS]
        count = len(part).to_bytes(2, "little")
        out += across(x + at * 2, profile) + ESC + b"*\x27" + count + b"".join(part)
    return bytes(out)


def _columns(raster: Raster) -> list[bytes]:
    """Turn rows of dots into columns of three bytes, the top dot first."""
    width = raster.width_bytes
    high = min(len(raster.rows) // width, HAN_DOTS)
    columns = []
    for x in range(width * 8):
        pins = 0
        for y in range(high):
            dot = raster.rows[y * width + x // 8] >> (7 - x % 8) & 1
            pins |= dot << (HAN_DOTS - 1 - y)
        columns.append(pins.to_bytes(3, "big"))
    while columns and columns[-1] == b"\x00\x00\x00":
        columns.pop()
    return columns
