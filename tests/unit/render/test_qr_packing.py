"""The stream that is written out is the picture, for every code of every size."""

from __future__ import annotations

import zlib
from random import Random

import pytest

from fep.render.qr import MODULE_PX, QUIET
from fep.render.qr_packing import stream
from fep.render.qr_small import MODULES_MAX

SIDES = range(21, MODULES_MAX + 1, 4)


def _lines(rows: tuple[bytes, ...]) -> bytes:
    """Build the lines of a PNG pixel by pixel, the filter byte first."""
    side = len(rows) + 2 * QUIET
    blank = (0,) * side
    modules = [blank] * QUIET + [(*blank[:QUIET], *row, *blank[:QUIET]) for row in rows]
    lines = bytearray()
    for row in modules + [blank] * QUIET:
        pixels = "".join(("0" if dark else "1") * MODULE_PX for dark in row)
        line = int(pixels.ljust(-(-len(pixels) // 8) * 8, "1"), 2).to_bytes(-(-len(pixels) // 8))
        lines += b"\x00" + line + (b"\x02" + bytes(len(line))) * (MODULE_PX - 1)
    return bytes(lines)


@pytest.mark.parametrize("side", SIDES)
def test_any_modules_come_back_as_they_were(side: int):
    dice = Random(side)
    for _ in range(40):
        rows = tuple(bytes(dice.randrange(2) for _ in range(side)) for _ in range(side))

        assert _lines(rows) == zlib.decompress(stream(rows))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("module", [0, 1])
def test_a_picture_of_one_colour_does_too(side: int, module: int):
    rows = (bytes([module]) * side,) * side

    assert _lines(rows) == zlib.decompress(stream(rows))
