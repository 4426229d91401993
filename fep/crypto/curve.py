"""The SM2 curve of GB/T 32918.5 and the checks a key must pass before it is used.

Two rules: a public key is always the 64 bytes x‖y, a private key always an int; nothing
enters a backend unchecked, because gmssl checks neither range nor curve. No I/O here.
"""

from __future__ import annotations

from typing import Final

from fep.crypto.errors import BadKey

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX: Final = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY: Final = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

FIELD_BYTES: Final = 32
POINT_BYTES: Final = 64

# GM/T 0006: the curve, the signature algorithm and the default user id.
CURVE_OID: Final = "1.2.156.10197.1.301"
SM2_WITH_SM3_OID: Final = "1.2.156.10197.1.501"
DEFAULT_ID: Final = b"1234567812345678"

DOMAIN: Final = b"".join(v.to_bytes(FIELD_BYTES, "big") for v in (A, B, GX, GY))
"""a ‖ b ‖ xG ‖ yG, the constant middle of Z (GB/T 32918.2, 5.5)."""


def on_curve(point: bytes) -> bool:
    """Say whether 64 bytes x‖y are an affine point of the curve."""
    if len(point) != POINT_BYTES:
        return False
    x = int.from_bytes(point[:FIELD_BYTES], "big")
    y = int.from_bytes(point[FIELD_BYTES:], "big")
    return x < P and y < P and (y * y - (x * x * x + A * x + B)) % P == 0


def checked_point(point: bytes) -> bytes:
    """Return x‖y, or raise `BadKey` if it is not on the curve. An 04 prefix is not taken."""
    if not on_curve(point):
        raise BadKey("the public key is not a point of the SM2 curve")
    return point


def checked_scalar(scalar: int) -> int:
    """Return d, or raise `BadKey` unless 1 <= d <= n-2 (1+d must have an inverse)."""
    if not 1 <= scalar <= N - 2:
        raise BadKey("the private key is out of range")
    return scalar
