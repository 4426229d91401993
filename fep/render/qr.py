"""QR codes: as a drawing for pages, as dots for slips, as a small PNG for business systems.

Error correction is M everywhere; the quiet zone is four modules where the picture stands
alone. Pure: the content comes from configuration, never an address of the LAN.
"""

from __future__ import annotations

import struct
import zlib

import segno

QUIET = 4
MODULE_PX = 4
# What a QR code of correction M can hold in bytes.
MAX_BYTES = 2331

Matrix = tuple[bytes, ...]


def matrix(content: str) -> Matrix:
    """Return the rows of modules, 1 is dark. Raises ValueError when it is empty or too long."""
    if not content or len(content.encode()) > MAX_BYTES:
        raise ValueError(f"QR content of {len(content)} characters")
    code = segno.make_qr(content, error="m", boost_error=False)
    return tuple(bytes(row) for row in code.matrix)


def svg(content: str) -> str:
    """Return a drawing of one path, a module is one unit, without a quiet zone."""
    rows = matrix(content)
    runs = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                runs.append(f"M{x} {y}h{end - x}v1h-{end - x}z")
            x = end + 1
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"'
        f' shape-rendering="crispEdges"><path d="{"".join(runs)}"/></svg>'
    )


def png(content: str, module_px: int = MODULE_PX) -> bytes:
    """Return a one-bit PNG with a quiet zone; modules are `module_px` pixels wide."""
    rows = matrix(content)
    side = (len(rows) + 2 * QUIET) * module_px
    blank = b"\x00" * len(rows)
    packed = bytearray()
    for row in (blank,) * QUIET + rows + (blank,) * QUIET:
        dark = b"\x00" * QUIET + row + b"\x00" * QUIET
        bits = "".join(("0" if module else "1") * module_px for module in dark)
        line = int(bits.ljust((side + 7) // 8 * 8, "0"), 2).to_bytes((side + 7) // 8, "big")
        # Filter "up": every row of pixels but the first of a module row is all zero.
        packed += b"\x00" + line + (b"\x02" + b"\x00" * len(line)) * (module_px - 1)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(packed), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)
