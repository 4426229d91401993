"""Multiples of points of the SM2 curve out of tables, for keys that are used often.

Two rules: a comb (Lim and Lee) of eight teeth in four blocks makes k·P of 32 additions and
eight doublings; both are libcrypto's, whose addition knows every special case. Nothing
here takes the same time for every k: a simulator keeps no secret. Pure but for libcrypto.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from typing import Final

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
DOMAIN: Final = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
"""a ‖ b ‖ xG ‖ yG (GB/T 32918.5)."""

_NID_SM2 = 1172
_PTR = ctypes.c_void_p
_INT = ctypes.c_int
_BITS, _SPAN, _TEETH, _BLOCKS = 256, 32, 8, 4
_UNCOMPRESSED = 4
_SPREAD = [sum((byte >> bit & 1) << 8 * bit for bit in range(8)) for byte in range(256)]

_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "EC_GROUP_new_by_curve_name": (_PTR, (_INT,)),
    "EC_GROUP_get0_generator": (_PTR, (_PTR,)),
    "EC_POINT_new": (_PTR, (_PTR,)),
    "EC_POINT_free": (None, (_PTR,)),
    "EC_POINT_copy": (_INT, (_PTR, _PTR)),
    "EC_POINT_add": (_INT, (_PTR, _PTR, _PTR, _PTR, _PTR)),
    "EC_POINT_dbl": (_INT, (_PTR, _PTR, _PTR, _PTR)),
    "EC_POINT_oct2point": (_INT, (_PTR, _PTR, ctypes.c_char_p, ctypes.c_size_t, _PTR)),
    "EC_POINT_point2oct": (ctypes.c_size_t, (_PTR, _PTR, _INT, _PTR, ctypes.c_size_t, _PTR)),
    "EC_POINTs_make_affine": (_INT, (_PTR, ctypes.c_size_t, _PTR, _PTR)),
    "EC_POINT_get_Jprojective_coordinates_GFp": (_INT, (_PTR,) * 6),
    "BN_new": (_PTR, ()),
    "BN_free": (None, (_PTR,)),
    "BN_bn2bin": (_INT, (_PTR, _PTR)),
    "BN_CTX_new": (_PTR, ()),
    "RAND_bytes": (_INT, (_PTR, _INT)),
}


class _Curve:
    """The functions and the two things every call needs: the group and room for numbers."""

    def __init__(self) -> None:
        # A call takes less than a microsecond: giving the interpreter away costs more, and
        # keeping it lets all threads share `room`.
        library = ctypes.PyDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
        self.lib = library
        self.add = library.EC_POINT_add
        self.group = library.EC_GROUP_new_by_curve_name(_NID_SM2)
        self.room = library.BN_CTX_new()

    def point(self) -> int:
        """Return a new point at infinity; the caller frees it."""
        handle: int = self.lib.EC_POINT_new(self.group)
        return handle


@cache
def _curve() -> _Curve:
    return _Curve()


class Table:
    """The points one point is multiplied by: Σ 2^(32·t + 8·u)·P over the teeth t of a digit.

    A third of a megabyte, made in some milliseconds, freed with the object.
    """

    def __init__(self, point: int) -> None:
        curve = _curve()
        group, room = curve.group, curve.room
        self._held: list[int] = []
        self._free = curve.lib.EC_POINT_free  # the module may be gone before the last table
        powers = [self._copy(point)]
        for _ in range(_BITS - 1):
            powers.append(self._copy(powers[-1]))
            curve.lib.EC_POINT_dbl(group, powers[-1], powers[-1], room)
        self._affine(powers)
        self.blocks: list[list[int]] = []
        for block in range(_BLOCKS):
            row = [0]
            for tooth in range(_TEETH):
                power = powers[_SPAN * tooth + 8 * block]
                row.append(power)
                for lower in row[1 : 1 << tooth]:
                    row.append(self._copy(power))
                    curve.add(group, row[-1], row[-1], lower, room)
            self.blocks.append(row)
        self._affine([handle for row in self.blocks for handle in row[1:]])

    def _copy(self, point: int) -> int:
        made = _curve().point()
        self._held.append(made)
        _curve().lib.EC_POINT_copy(made, point)
        return made

    def _affine(self, handles: list[int]) -> None:
        array = (_PTR * len(handles))(*handles)
        curve = _curve()
        curve.lib.EC_POINTs_make_affine(curve.group, len(handles), array, curve.room)

    def __del__(self) -> None:
        for handle in self._held:
            self._free(handle)


def table_of(point: bytes) -> Table:
    """Return the table of a point x‖y, which is on the curve. Raises ValueError."""
    curve = _curve()
    handle = curve.point()
    try:
        found = curve.lib.EC_POINT_oct2point(
            curve.group, handle, b"\x04" + point, 1 + len(point), curve.room
        )
        if found != 1:
            raise ValueError("no point of the SM2 curve")
        return Table(handle)
    finally:
        curve.lib.EC_POINT_free(handle)


@cache
def generator() -> Table:
    """Return the table of the curve's base point."""
    curve = _curve()
    return Table(curve.lib.EC_GROUP_get0_generator(curve.group))


def total(*terms: tuple[int, Table]) -> bytes:
    """Return x‖y of the sum of all k·P, 64 bytes; empty for the point at infinity.

    Every k is 0 <= k < 2^256.
    """
    curve = _curve()
    at = _sum(curve, terms)
    try:
        out = ctypes.create_string_buffer(65)
        size = curve.lib.EC_POINT_point2oct(curve.group, at, _UNCOMPRESSED, out, 65, curve.room)
        return out.raw[1:] if size == 65 else b""
    finally:
        curve.lib.EC_POINT_free(at)


def has_x(x: int, *terms: tuple[int, Table]) -> bool:
    """Return whether the sum of all k·P has that x, 0 <= x < p; infinity has none.

    The sum is X/Z², and comparing X with x·Z² spares an inversion.
    """
    curve = _curve()
    lib = curve.lib
    at, big_x, big_z = _sum(curve, terms), lib.BN_new(), lib.BN_new()
    try:
        lib.EC_POINT_get_Jprojective_coordinates_GFp(
            curve.group, at, big_x, None, big_z, curve.room
        )
        z = _number(lib, big_z)
        return z != 0 and (x * z * z - _number(lib, big_x)) % P == 0
    finally:
        lib.BN_free(big_x)
        lib.BN_free(big_z)
        lib.EC_POINT_free(at)


def _number(lib: ctypes.PyDLL, handle: int) -> int:
    out = ctypes.create_string_buffer(32)
    size = lib.BN_bn2bin(handle, out)
    return int.from_bytes(out.raw[:size], "big")


def _sum(curve: _Curve, terms: tuple[tuple[int, Table], ...]) -> int:
    """Return a new point, the sum of all k·P; the caller frees it."""
    add, double, group, room = curve.add, curve.lib.EC_POINT_dbl, curve.group, curve.room
    columns = [
        column
        for factor, table in terms
        for column in zip(_digits(factor), table.blocks, strict=True)
    ]
    at = curve.point()
    for place in range(7, -1, -1):
        double(group, at, at, room)
        for digits, row in columns:
            if digits[place]:
                add(group, at, at, row[digits[place]], room)
    return at


def _digits(factor: int) -> list[bytes]:
    """Return for each block its eight digits: bit t of one is bit 32·t + 8·u + place of k."""
    plain = factor.to_bytes(_BITS // 8, "little")
    found = []
    for block in range(_BLOCKS):
        gathered = 0
        for byte in plain[block + _SPAN // 8 * (_TEETH - 1) :: -_SPAN // 8]:
            gathered = gathered << 1 | _SPREAD[byte]
        found.append(gathered.to_bytes(8, "little"))
    return found


def holds(digest: bytes, raw: bytes, public: Table) -> bool:
    """Return whether r‖s signs the 32 bytes e (GB/T 32918.2, 7.1)."""
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    both = (r + s) % N
    if not (0 < r < N and 0 < s < N and both):
        return False
    # r = (e + x) mod n, and x is below p, which is above n: one x or two would do.
    x = (r - int.from_bytes(digest, "big")) % N
    terms = (s, generator()), (both, public)
    return has_x(x, *terms) or (x + N < P and has_x(x + N, *terms))


def signed(digest: bytes, secret: int, inverse: int) -> bytes:
    """Return r‖s of the 32 bytes e by d and 1/(1+d) (GB/T 32918.2, 6.1)."""
    e = int.from_bytes(digest, "big")
    while True:
        k = _nonce()
        r = (e + int.from_bytes(total((k, generator()))[:32], "big")) % N
        s = inverse * (k - r * secret) % N
        if r and r + k != N and s:
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def shared(public: Table) -> tuple[bytes, bytes]:
    """Return k·G and k·P of a fresh k, x‖y each."""
    k = _nonce()
    return total((k, generator())), total((k, public))


def _nonce() -> int:
    """Return a random k, 1 <= k < n, of libcrypto."""
    out = ctypes.create_string_buffer(40)
    if _curve().lib.RAND_bytes(out, 40) != 1:
        raise OSError("libcrypto has no random bytes")
    return int.from_bytes(out.raw, "big") % (N - 1) + 1
