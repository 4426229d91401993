"""SM2 signatures and cipher texts as DER, for the simulators.

Two rules: what is written is the shortest form; what is no such form is a `CryptoFault`,
never a guess. Pure.
"""

from __future__ import annotations


class CryptoFault(Exception):
    """libcrypto refused: a key that is none, a cipher text that is damaged."""


def raw_of_der(der: bytes) -> bytes:
    """Return r‖s, 64 bytes, of a DER signature. Raises CryptoFault."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:
        raise CryptoFault("signature is no DER sequence")
    halves, rest = [], der[2:]
    for _ in range(2):
        if len(rest) < 2 or rest[0] != 0x02 or len(rest) < 2 + rest[1]:
            raise CryptoFault("signature holds no two integers")
        value = int.from_bytes(rest[2 : 2 + rest[1]], "big", signed=True)
        if not 0 < value < 1 << 256:
            raise CryptoFault("signature is out of range")
        halves.append(value.to_bytes(32, "big"))
        rest = rest[2 + rest[1] :]
    return halves[0] + halves[1]


def der_of_raw(raw: bytes) -> bytes:
    """Return the DER SEQUENCE {r, s} of 64 bytes r‖s."""
    assert len(raw) == 64, len(raw)
    body = integer(raw[:32]) + integer(raw[32:])
    return b"\x30" + bytes([len(body)]) + body


def integer(magnitude: bytes) -> bytes:
    """Return the DER INTEGER of a number that is not negative."""
    number = magnitude.lstrip(b"\0") or b"\0"
    number = b"\0" + number if number[0] & 0x80 else number
    return b"\x02" + bytes([len(number)]) + number


def cipher_of(point: bytes, check: bytes, hidden: bytes) -> bytes:
    """Return the SEQUENCE {x, y, C3, C2} of the point x‖y; `hidden` has at most 32 bytes."""
    assert (len(point), len(check)) == (64, 32)
    assert len(hidden) <= 32
    body = (
        integer(point[:32]) + integer(point[32:]) + b"\x04\x20" + check
        + b"\x04" + bytes([len(hidden)]) + hidden
    )  # fmt: skip
    size = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    return b"\x30" + size + body
