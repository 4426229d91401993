"""Slip -> ESC/POS bytes, and the short commands around them.

Rules: every byte that reaches the device is written here; text is encoded here and never
altered, never replaced by '?': a line the device's font cannot show goes out as raster.
A control byte never comes from text. Payloads never contain a real-time command, since
many clones obey `DLE EOT` even inside an image. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import segno

from drivers.escpos.profile import Profile
from fep.domain.columns import columns, has_control, pad, wrap
from fep.domain.printing import Columns, Feed, Part, Qr, Rule, Slip, Text

ESC, FS, GS, DLE = b"\x1b", b"\x1c", b"\x1d", b"\x10"
RESET = ESC + b"@"
HAN_ON = FS + b"&"
LINE = b"\n"
FENCE_PAPER = GS + b"r\x01"
CLEAR_ENQ = DLE + b"\x05\x02"
CLEAR_DC4 = DLE + b"\x14\x08\x01\x03\x14\x01\x06\x02\x08"
# An interrupted image waits for its dots and would swallow the next job's head.
FLUSH_RASTER = b"\x00" * 8192 + RESET
# Said of the part of a sheet that an interrupted job left behind; a whole sheet is not meant.
REMNANT = "【打印中断，残联作废】"
MAX_BODY = 512 * 1024
MAX_QR_BYTES = 512
HAN_DOTS = 24
# Second bytes that turn 0x10 into a real-time command: EOT, ENQ, DC4.
_LIVE = frozenset({0x04, 0x05, 0x14})


class ControlInText(Exception):
    """A text field holds control characters; printing it could command the device."""


class TooLong(Exception):
    """The slip, or its QR content, is beyond the bound."""


@dataclass(frozen=True, slots=True)
class RasterWish:
    """A line that has to be drawn: its text, glyph height in dots, and weight."""

    text: str
    height_dots: int
    bold: bool


@dataclass(frozen=True, slots=True)
class Raster:
    """One-bit dots, most significant bit left, rows of `width_bytes`."""

    width_bytes: int
    rows: bytes


@dataclass(frozen=True, slots=True)
class _Line:
    """One physical line: laid out text and its style."""

    text: str
    align: str
    bold: bool
    wide: int
    high: int

    def wish(self) -> RasterWish:
        return RasterWish(self.text, HAN_DOTS * self.wide, self.bold)


def status_query(n: int) -> bytes:
    """Return `DLE EOT n` (1 printer, 2 offline cause, 3 error cause, 4 roll paper)."""
    assert 1 <= n <= 4, n
    return DLE + bytes((0x04, n))


def identity_query(n: int) -> bytes:
    """Return `GS I n` (66 maker, 67 model, 68 serial on most, 65 firmware)."""
    return GS + b"I" + bytes((n,))


def process_id(fence_id: str) -> bytes:
    """Return `GS ( H` function 48, answered when everything before it is on paper."""
    mark = fence_id.encode("ascii")
    assert len(mark) == 4, fence_id
    assert all(0x20 <= byte <= 0x7E for byte in mark), fence_id
    return GS + b"(H\x06\x00\x30\x30" + mark


def asb_on() -> bytes:
    """Return `GS a`: report every change of status by itself."""
    return GS + b"a\xff"


def preamble(profile: Profile) -> bytes:
    """Return the head of every job: reset, Chinese mode, line feed in dots, ASB."""
    spacing = ESC + b"3" + bytes((profile.line_dots,))
    return RESET + HAN_ON + spacing + (asb_on() if profile.asb else b"")


def cut(profile: Profile) -> bytes:
    """Return the bytes that end a sheet: feed, and a cut where there is a cutter."""
    feed = ESC + b"d" + bytes((profile.feed_before_cut,)) if profile.feed_before_cut else b""
    if not profile.cutter:
        return feed
    tail = bytes((profile.cut_n,)) if profile.cut_m >= 65 else b""
    return feed + GS + b"V" + bytes((profile.cut_m,)) + tail


def remnant(profile: Profile) -> bytes:
    """Return the bytes that mark and cut off what an interrupted job left on the paper."""
    mark = ESC + b"a\x01" + REMNANT.encode("gbk") + LINE + ESC + b"a\x00"
    return preamble(profile) + mark + cut(profile)


def encode_text(text: str, profile: Profile) -> bytes | None:
    """Return `text` in the device's character set, or None when it must be drawn.

    Raises:
        ControlInText: The text holds control or invisible characters.
    """
    if has_control(text):
        raise ControlInText(f"{len(text)} characters")
    try:
        return text.encode("gbk")
    except UnicodeEncodeError:
        return text.encode("gb18030") if profile.gb18030 else None


def wishes(slip: Slip, profile: Profile) -> tuple[RasterWish, ...]:
    """Return the lines of `slip` that the device's own font cannot show."""
    return tuple(
        line.wish()
        for part in slip.parts
        for line in _lines(part, profile.columns)
        if encode_text(line.text, profile) is None
    )


def body(slip: Slip, profile: Profile, rasters: Mapping[RasterWish, Raster]) -> bytes:
    """Return the whole job from `ESC @` to the cut.

    `rasters` answers `wishes()` of the same slip and profile.

    Raises:
        ControlInText: A text holds control characters.
        TooLong: The job is beyond MAX_BODY bytes, or a QR code beyond its bound.
    """
    out = bytearray(preamble(profile))
    for part in slip.parts:
        if isinstance(part, Qr):
            out += _qr(part, profile)
        elif isinstance(part, Feed):
            out += LINE * part.lines
        else:
            for line in _lines(part, profile.columns):
                out += _line(line, profile, rasters)
        if len(out) > MAX_BODY:
            raise TooLong(f"more than {MAX_BODY} bytes")
    if slip.cut:
        out += cut(profile)
    return bytes(out)


def _lines(part: Part, width: int) -> tuple[_Line, ...]:
    if isinstance(part, Rule):
        return (_Line(part.char * (width // columns(part.char)), "left", False, 1, 1),)
    if isinstance(part, Columns):
        return _cells(part)
    if not isinstance(part, Text):
        return ()
    wide = 2 if part.size == 2 else 1
    high = 2 if part.size == 2 or part.tall else 1
    return tuple(
        _Line(text, part.align, part.bold, wide, high) for text in wrap(part.text, width // wide)
    )


def _cells(part: Columns) -> tuple[_Line, ...]:
    """Lay cells side by side; a cell too long for its width goes on below itself."""
    wrapped = [(wrap(text, width), width, align) for text, width, align in part.cells]
    height = max(len(lines) for lines, _, _ in wrapped)
    return tuple(
        _Line(
            "".join(
                pad(lines[row] if row < len(lines) else "", width, align)
                for lines, width, align in wrapped
            ).rstrip(" "),
            "left", part.bold, 1, 1,
        )
        for row in range(height)
    )  # fmt: skip


def _line(line: _Line, profile: Profile, rasters: Mapping[RasterWish, Raster]) -> bytes:
    encoded = encode_text(line.text, profile)
    if encoded is None:
        return _drawn(line, profile, rasters[line.wish()])
    style = ((line.wide - 1) << 4) | (line.high - 1)
    on, off = b"", b""
    if line.align != "left":
        on, off = ESC + b"a" + (b"\x01" if line.align == "center" else b"\x02"), ESC + b"a\x00"
    if line.bold:
        on, off = on + ESC + b"E\x01", ESC + b"E\x00" + off
    if style:
        on, off = on + GS + b"!" + bytes((style,)), GS + b"!\x00" + off
        if profile.han_size_by_fs:
            han = (0x04 if line.wide == 2 else 0) | (0x08 if line.high == 2 else 0)
            on, off = on + FS + b"!" + bytes((han,)), FS + b"!\x00" + off
    # Line feed is the larger of spacing and glyph: a high line needs its leading added.
    leading = max(0, profile.line_dots - HAN_DOTS) if line.high == 2 else 0
    rest = ESC + b"J" + bytes((leading,)) if leading else b""
    return on + encoded + LINE + rest + off


def _drawn(line: _Line, profile: Profile, raster: Raster) -> bytes:
    """Put a drawn line where its text would stand, on the full width of the paper."""
    dots = _tall(raster) if line.high > line.wide else raster
    room = max(0, profile.width_dots // 8 - dots.width_bytes)
    left = {"left": 0, "center": room // 2, "right": room}[line.align]
    width = left + dots.width_bytes
    rows = b"".join(
        bytes(left) + dots.rows[at : at + dots.width_bytes]
        for at in range(0, len(dots.rows), dots.width_bytes)
    )
    gap = max(0, profile.line_dots - HAN_DOTS)
    rest = ESC + b"J" + bytes((gap,)) if gap else b""
    return raster_bytes(Raster(width, rows), profile.raster_rows) + rest


def _tall(raster: Raster) -> Raster:
    """Print every row twice."""
    width = raster.width_bytes
    rows = (raster.rows[at : at + width] for at in range(0, len(raster.rows), width))
    return Raster(width, b"".join(row + row for row in rows))


def raster_bytes(raster: Raster, rows_each: int) -> bytes:
    """Return `GS v 0` commands of at most `rows_each` rows, free of real-time commands."""
    width, rows = raster.width_bytes, defuse(raster.rows)
    assert len(rows) % width == 0, (len(rows), width)
    out = bytearray()
    for at in range(0, len(rows), width * rows_each):
        piece = rows[at : at + width * rows_each]
        high = len(piece) // width
        out += GS + b"v0\x00" + width.to_bytes(2, "little") + high.to_bytes(2, "little") + piece
    return bytes(out)


def defuse(dots: bytes) -> bytes:
    """Thicken one dot wherever two bytes of an image would read as a real-time command."""
    out = bytearray(dots)
    for at in range(len(out) - 1):
        if out[at] == 0x10 and out[at + 1] in _LIVE:
            out[at] = 0x18
    return bytes(out)


def _qr(part: Qr, profile: Profile) -> bytes:
    data = part.content.encode("utf-8")
    if has_control(part.content):
        raise ControlInText("QR")
    if len(data) > MAX_QR_BYTES:
        raise TooLong(f"QR of {len(data)} bytes")
    if not profile.qr_native:
        return _qr_drawn(part, profile)
    head = GS + b"(k"
    size = max(1, min(16, part.module_dots))
    store = (len(data) + 3).to_bytes(2, "little")
    return (
        ESC + b"a\x01"
        + head + b"\x04\x00\x31\x41\x32\x00"
        + head + b"\x03\x00\x31\x43" + bytes((size,))
        + head + b"\x03\x00\x31\x45\x31"
        + head + store + b"\x31\x50\x30" + data
        + head + b"\x03\x00\x31\x51\x30"
        + LINE + ESC + b"a\x00"
    )  # fmt: skip


def _qr_drawn(part: Qr, profile: Profile) -> bytes:
    code = segno.make(part.content, error="m", micro=False)
    scale = max(1, part.module_dots)
    modules = [[bool(dot) for dot in row] for row in code.matrix_iter(scale=scale, border=0)]
    side = len(modules)
    width = profile.width_dots // 8
    left = max(0, (profile.width_dots - side) // 2)
    rows = bytearray()
    for row in modules:
        dots = 0
        for dot in row:
            dots = (dots << 1) | dot
        rows += (dots << (width * 8 - left - side)).to_bytes(width, "big")
    return raster_bytes(Raster(width, bytes(rows)), profile.raster_rows)
