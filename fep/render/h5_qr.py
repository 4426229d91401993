"""A QR code small enough for a field of a business system: a 1-bit PNG of at most 370 bytes.

HIS products keep `billQRCode` as base64 in 500 characters and hand it on in URLs, so 370 bytes
are all there are. Modules are four pixels, the quiet zone is four modules. The mask the
standard prefers is tried first; the other seven decode as well and may pack better. Level M
where it fits, else L. Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import pack

import segno

from fep.render.qr import MODULE_PX, QUIET, Matrix

PNG_MAX_BYTES = 370
CONTENT_MAX_BYTES = 60  # the longest page address; what always fits
_MASKS = (None, *range(8))
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_FIXED)
_UP = 2


class TooLong(ValueError):
    """The content does not fit into a PNG of PNG_MAX_BYTES."""


def small_png(content: str) -> bytes:
    """Return the PNG of a content. Raises TooLong; everything up to 60 bytes of ASCII fits."""
    if not content:
        raise ValueError("empty QR content")
    least = 0
    for level in ("m", "l"):
        for rows in _drawn(content, level):
            made = _png(rows)
            if len(made) <= PNG_MAX_BYTES:
                return made
            least = min(least or len(made), len(made))
    raise TooLong(f"{len(content)} characters make {least} bytes")


def _drawn(content: str, level: str) -> Iterator[Matrix]:
    for mask in _MASKS:
        try:
            code = segno.make_qr(content, error=level, boost_error=False, mask=mask)
        except segno.DataOverflowError as error:
            raise TooLong(f"{len(content)} characters") from error
        yield tuple(bytes(row) for row in code.matrix)


def _png(rows: Matrix) -> bytes:
    side = (len(rows) + 2 * QUIET) * MODULE_PX
    width = (side + 7) // 8
    lines = bytearray()
    for dark in (b"", *rows, b""):
        # A quiet zone is QUIET blank rows; the rows of pixels below the first repeat it.
        repeats = (1 if dark else QUIET) * MODULE_PX - 1
        lines += b"\x00" + _bits(dark, side, width)
        lines += (bytes((_UP,)) + b"\x00" * width) * repeats
    packed = min((_deflated(bytes(lines), way) for way in _STRATEGIES), key=len)
    head = pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _bits(dark: bytes, side: int, width: int) -> bytes:
    inner = "".join(("0" if module else "1") * MODULE_PX for module in dark)
    quiet = "1" * (QUIET * MODULE_PX)
    line = quiet + inner + quiet if dark else "1" * side
    return int(line.ljust(width * 8, "0"), 2).to_bytes(width, "big")


def _deflated(data: bytes, strategy: int) -> bytes:
    press = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    return press.compress(data) + press.flush()


def _chunk(name: bytes, body: bytes) -> bytes:
    return pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))
