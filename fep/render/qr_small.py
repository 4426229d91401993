"""The QR code that travels to business systems: a PNG small enough for their columns.

Clients keep it in a field of 500 characters of base64 (facts/his-api 4), so it has at most
370 bytes; a module is four pixels, so that needle printers and scanners keep up. It is made by
a compiled encoder, because it is on the issuing path. Correction M, quiet zone of four modules.
The mask is always the same one: weighing all eight (ISO/IEC 18004, 7.8.3) takes five times as
long as the code itself, and what a mask avoids, great areas of one colour, base64 and digits
do not make.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import zxingcpp

from fep.render.qr import MODULE_PX, QUIET, Matrix
from fep.render.qr_packing import stream

PNG_MAX_BYTES = 370
CONTENT_MAX = 300  # nothing longer was ever small enough
MODULES_MAX = 37  # nor anything wider
ROOM = (("M", 84), ("L", 106))  # bytes that MODULES_MAX modules hold at a level
MASK = 0
EFFORTS = (5, 9)  # half the time is enough for nearly all
_DARK = bytes([1] + [0] * 255)  # a grey value -> 1 for black


def matrix(content: str, level: str = "M") -> Matrix:
    """Return the rows of modules, 1 is dark. Raises ValueError when it does not fit."""
    if not content or len(content) > CONTENT_MAX:
        raise ValueError(f"QR content of {len(content)} characters")
    code = zxingcpp.create_barcode(
        content, zxingcpp.BarcodeFormat.QRCode, ec_level=level, data_mask=MASK
    )
    picture = zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False)
    side = picture.shape[0]
    shades: Any = picture  # it has the buffer protocol, its type does not say so
    dots = memoryview(shades).tobytes().translate(_DARK)
    return tuple(dots[row * side : (row + 1) * side] for row in range(side))


def small_png(contents: Iterable[str]) -> bytes:
    """Return the picture of the first content that is small enough, nothing when none is."""
    for content in contents:
        size = len(content.encode())
        for level, room in ROOM:
            if size > room:
                continue
            try:
                rows = matrix(content, level)
            except ValueError:
                break
            if len(rows) <= MODULES_MAX:
                for packed in _packed(rows):
                    picture = _png(rows, packed)
                    if len(picture) <= PNG_MAX_BYTES:
                        return picture
    return b""


def _png(rows: Matrix, packed: bytes) -> bytes:
    side = (len(rows) + 2 * QUIET) * MODULE_PX
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", packed)
        + _chunk(b"IEND", b"")
    )


def _packed(rows: Matrix) -> Iterator[bytes]:
    """Yield the picture's zlib stream, then what search makes smaller of it: wide codes need it."""
    packed = stream(rows)
    yield packed
    for effort in EFFORTS:
        packing = zlib.compressobj(effort, zlib.DEFLATED, 15, 8, zlib.Z_FILTERED)
        yield packing.compress(zlib.decompress(packed)) + packing.flush()


def _chunk(name: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)
