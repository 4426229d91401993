"""The picture of a QR code as a zlib stream (RFC 1950, 1951), written out instead of searched for.

What zlib has to find is known here: a module is half a byte, so a row of pixels has four
different bytes; three more rows repeat it, and whatever stands beside the code stands one
module row above. So a module row is its bytes and one match, and code lengths can be the same
for every picture. It takes a third of zlib's time and, unlike zlib, keeps the interpreter lock,
for which a caller's answer would otherwise wait.

Rows have the filter "none" once and then three times "up". Pure.
"""

from __future__ import annotations

import zlib
from binascii import unhexlify
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from fep.render.qr import MODULE_PX, QUIET, Matrix

MATCH_MAX = 258
_DIGIT = bytes.maketrans(b"\x00\x01", b"f0")  # a module -> its four pixels, 1 is white
_LEFT = QUIET // 2  # bytes of the quiet zone on either side
_BETWEEN = b"\xaa"  # stands between two rows of modules until it becomes a match
_EMPTY, _LEFT_DARK, _RIGHT_DARK, _DARK, _UP = 0xFF, 0x0F, 0xF0, 0x00, 0x02
_END = 256
# RFC 1951, 3.2.5: (first value, extra bits) of the length symbols from 257 on, of distances.
_LENGTHS = (*((n, 0) for n in range(3, 11)),
            *((3 + ((4 + n % 4) << n // 4), n // 4) for n in range(4, 24)), (258, 0))  # fmt: skip
_DISTANCES = (
    *((n, 0) for n in range(1, 5)),
    *((1 + ((2 + n % 2) << n // 2), n // 2) for n in range(2, 28)),
)
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_LENGTH_CODES = dict.fromkeys((0, 1, 2, 3, 4, 7, 17, 18), 3)  # of code lengths


Token = int | tuple[int, int]
"""A symbol as it is, or the length and distance of a match."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What pictures of one size have in common. Bits are digits in the order of the stream."""

    before: bytes
    after: bytes
    bits: tuple[tuple[bytes, bytes], ...]  # a byte of the picture -> its bits
    top: bytes
    edge: bytes  # from the last module of a row to the first of the next
    bottom: bytes


def stream(rows: Matrix) -> bytes:
    """Return the zlib stream of the picture with its quiet zone."""
    plan = _planned(len(rows))
    # Sides are odd: the last module shares its byte with the quiet zone.
    dots = unhexlify((b"f" + _BETWEEN.hex().encode()).join(rows).translate(_DIGIT) + b"f")
    bits = dots
    for byte, code in plan.bits:
        bits = bits.replace(byte, code)
    bits = plan.before + bits + plan.after
    packed = int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")
    check = zlib.adler32(plan.top + dots.replace(_BETWEEN, plan.edge) + plan.bottom)
    return b"\x58\x85" + packed + check.to_bytes(4, "big")


@cache
def _planned(side: int) -> _Plan:
    """Return the plan of a side; there are as many as versions of the code are drawn."""
    width = (side + 2 * QUIET + 1) // 2
    assert MODULE_PX == 4
    assert side % 2, side
    same = (b"\x02" + b"\x00" * width) * (MODULE_PX - 1)
    apart = MODULE_PX * (width + 1)  # one module row to the next
    begun = 1 + _LEFT  # bytes of a row before its first module
    run = (width - 1, 1)
    top: list[Token] = [0, _EMPTY, run]
    top += (_UP, 0, run) * (MODULE_PX - 1)
    top += _matches((QUIET - 1) * apart + begun, apart)
    over = (_LEFT + len(same) + begun, apart)
    bottom: list[Token] = [over, _EMPTY, (width - _LEFT - 1, 1)]
    bottom += [*_matches(len(same) + (QUIET - 1) * apart, apart), _END]
    codes = _codes(_lengths(over, [*top, *bottom]))
    far = _symbol(apart, _DISTANCES)[0]
    coded = {  # one bit for each of the two distances
        token: _coded(token, codes, far) for token in [*top, *bottom, 0, 15, 240, 255]
    }
    literals = tuple(
        (bytes([byte]), coded[byte]) for byte in (_DARK, _LEFT_DARK, _RIGHT_DARK, _EMPTY)
    )
    quiet = (b"\x00" + b"\xff" * width + same) * QUIET
    return _Plan(
        before=_header(codes, far) + b"".join(coded[token] for token in top),
        after=b"".join(coded[token] for token in bottom),
        bits=(*literals, (_BETWEEN, coded[over])),
        top=quiet + b"\x00" + b"\xff" * _LEFT,
        edge=b"\xff" * _LEFT + same + b"\x00" + b"\xff" * _LEFT,
        bottom=b"\xff" * _LEFT + same + quiet,
    )


def _matches(length: int, distance: int) -> list[tuple[int, int]]:
    whole, rest = divmod(length, MATCH_MAX)
    assert rest >= _LENGTHS[0][0], length
    return [(MATCH_MAX, distance)] * whole + [(rest, distance)]


def _lengths(over: tuple[int, int], tokens: Iterable[Token]) -> dict[int, int]:
    """Return the code lengths: two bits for most bytes, four for the match, seven for rare ones."""
    known = {_DARK: 2, _LEFT_DARK: 2, _RIGHT_DARK: 2, _EMPTY: 3, _length_symbol(over[0]): 4}
    rare = {t if isinstance(t, int) else _length_symbol(t[0]) for t in tokens} - known.keys()
    # A code is whole: what is missing of eight rare symbols is filled up with some never used.
    spare = (symbol for symbol in range(0x10, 0x18))
    while len(rare) < 8:
        rare.add(next(spare))
    assert len(rare) == 8, rare
    return known | dict.fromkeys(rare, 7)


def _codes(lengths: dict[int, int]) -> dict[int, bytes]:
    """Return the canonical codes (RFC 1951, 3.2.2)."""
    codes, code, last = {}, 0, 0
    for symbol in sorted(lengths, key=lambda symbol: (lengths[symbol], symbol)):
        code <<= lengths[symbol] - last
        last = lengths[symbol]
        codes[symbol] = f"{code:0{last}b}".encode()
        code += 1
    return codes


def _symbol(value: int, table: tuple[tuple[int, int], ...]) -> tuple[int, bytes]:
    """Return the place of a length or distance in its table, and its extra bits."""
    place = max(n for n, (first, _) in enumerate(table) if first <= value)
    first, extra = table[place]
    return place, _number(value - first, extra)


def _length_symbol(length: int) -> int:
    return _END + 1 + _symbol(length, _LENGTHS)[0]


def _number(value: int, bits: int) -> bytes:
    """Return a number as the stream has it, lowest bit first."""
    return f"{value:0{bits}b}"[::-1].encode() if bits else b""


def _coded(token: Token, codes: dict[int, bytes], far: int) -> bytes:
    if isinstance(token, int):
        return codes[token]
    place, extra = _symbol(token[0], _LENGTHS)
    distance, more = _symbol(token[1], _DISTANCES)
    return codes[_END + 1 + place] + extra + (b"1" if distance == far else b"0") + more


def _header(codes: dict[int, bytes], far: int) -> bytes:
    """Return the start of the one block, with dynamic codes (RFC 1951, 3.2.7)."""
    count = max(codes) + 1
    lengths = [len(codes.get(symbol, b"")) for symbol in range(count)]
    lengths += [1, *[0] * (far - 1), 1]
    shorthand = _codes(_LENGTH_CODES)
    told = _ORDER[: _ORDER.index(1) + 1]
    head = [
        b"1",
        _number(2, 2),
        _number(count - 257, 5),
        _number(far, 5),
        _number(len(told) - 4, 4),
    ]
    head += [_number(_LENGTH_CODES.get(symbol, 0), 3) for symbol in told]
    return b"".join([*head, *_told(lengths, shorthand)])


def _told(lengths: list[int], shorthand: dict[int, bytes]) -> Iterator[bytes]:
    """Yield code lengths, runs of nothing in short."""
    for length, run in groupby(lengths):
        left = len(list(run))
        while length == 0 and left >= 3:
            told = min(left, 138)
            long = told >= 11
            yield shorthand[18 if long else 17] + _number(
                told - (11 if long else 3), 7 if long else 3
            )
            left -= told
        yield shorthand[length] * left
