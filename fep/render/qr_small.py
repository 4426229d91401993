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
from binascii import unhexlify
from collections.abc import Iterable
from typing import Any

import zxingcpp

from fep.render.qr import MODULE_PX, QUIET, Matrix

PNG_MAX_BYTES = 370
CONTENT_MAX = 300  # nothing longer was ever small enough
MODULES_MAX = 37  # nor anything wider
ROOM = (("M", 84), ("L", 106))  # bytes that MODULES_MAX modules hold at a level
MASK = 0
# zlib's effort, window and memory: little is enough for nearly all, and clearing the usual
# 256 KB costs more than the packing.
EFFORTS = ((5, 12, 6), (9, 15, 8))
_DARK = bytes([1] + [0] * 255)  # a grey value -> 1 for black
# A module is four pixels, which is one hex digit of a row of pixels: 1 is white.
_DIGIT = bytes.maketrans(b"\x00\x01", b"f0")


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
                for effort in EFFORTS:
                    picture = _png(rows, effort)
                    if len(picture) <= PNG_MAX_BYTES:
                        return picture
    return b""


def _png(rows: Matrix, effort: tuple[int, int, int]) -> bytes:
    level, window, memory = effort
    side = (len(rows) + 2 * QUIET) * MODULE_PX
    width = (side + 7) // 8  # two modules a byte, the last one has one
    same = (b"\x02" + b"\x00" * width) * (MODULE_PX - 1)  # filter "up": the row above again
    quiet = (b"\x00" + b"\xff" * width + same) * QUIET
    left, right = b"00" + b"f" * QUIET, b"f" * (2 * width - len(rows) - QUIET) + same.hex().encode()
    digits = left + (right + left).join(rows).translate(_DIGIT) + right
    packing = zlib.compressobj(level, zlib.DEFLATED, window, memory, zlib.Z_FILTERED)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", packing.compress(quiet + unhexlify(digits) + quiet) + packing.flush())
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)
