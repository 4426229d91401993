"""Strict DER for the few structures that hold signatures and ciphertexts.

Two rules: one value has exactly one encoding, everything else is `BadDer` (a lenient reader
would let a stranger re-encode a signature that is stored as evidence); lengths are checked
before anything is copied. Certificates and key files are read elsewhere.
"""

from __future__ import annotations

from typing import Final

from fep.crypto.curve import FIELD_BYTES, N
from fep.crypto.errors import BadDer

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
SEQUENCE: Final = 0x30

RAW_SIGNATURE_BYTES: Final = 64


def header(data: bytes, offset: int, tag: int) -> tuple[int, int]:
    """Return (start, end) of the content of the element at `offset`, or raise `BadDer`."""
    if len(data) < offset + 2 or data[offset] != tag:
        raise BadDer(f"no element {tag:#04x} at {offset}")
    length = data[offset + 1]
    start = offset + 2
    if length >= 0x80:
        size = length & 0x7F
        start += size
        if not 1 <= size <= 4 or len(data) < start:
            raise BadDer("bad length")
        length = int.from_bytes(data[offset + 2 : start], "big")
        if length < 0x80 or length >> (8 * (size - 1)) == 0:
            raise BadDer("length is not minimal")
    if len(data) < start + length:
        raise BadDer("truncated")
    return start, start + length


def whole_sequence(data: bytes) -> int:
    """Return the start of the content of the SEQUENCE that is all of `data`."""
    start, end = header(data, 0, SEQUENCE)
    if end != len(data):
        raise BadDer("bytes after the end")
    return start


def unsigned(data: bytes, offset: int) -> tuple[int, int]:
    """Read a minimal non-negative INTEGER of at most 256 bits; return (value, end)."""
    start, end = header(data, offset, INTEGER)
    if start == end or data[start] >= 0x80:
        raise BadDer("empty or negative integer")
    if data[start] == 0 and end - start > 1 and data[start + 1] < 0x80:
        raise BadDer("integer is not minimal")
    if end - start > FIELD_BYTES + (data[start] == 0):
        raise BadDer("integer is too big")
    return int.from_bytes(data[start:end], "big"), end


def element(tag: int, content: bytes) -> bytes:
    """Encode one element."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def integer(value: int) -> bytes:
    """Encode a non-negative INTEGER."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def read_signature(der: bytes) -> tuple[int, int]:
    """Return (r, s) of a signature SEQUENCE, both in 1..n-1, or raise `BadDer`."""
    r, offset = unsigned(der, whole_sequence(der))
    s, offset = unsigned(der, offset)
    if offset != len(der):
        raise BadDer("bytes after s")
    if not (0 < r < N and 0 < s < N):
        raise BadDer("r or s out of range")
    return r, s


def write_signature(r: int, s: int) -> bytes:
    """Encode SEQUENCE {r, s}."""
    return element(SEQUENCE, integer(r) + integer(s))


def der_to_raw(der: bytes) -> bytes:
    """Return the 64 bytes r‖s of a DER signature, or raise `BadDer`."""
    r, s = read_signature(der)
    return r.to_bytes(FIELD_BYTES, "big") + s.to_bytes(FIELD_BYTES, "big")


def raw_to_der(raw: bytes) -> bytes:
    """Return the DER form of 64 bytes r‖s, or raise `BadDer`."""
    if len(raw) != RAW_SIGNATURE_BYTES:
        raise BadDer("a raw signature has 64 bytes")
    r = int.from_bytes(raw[:FIELD_BYTES], "big")
    s = int.from_bytes(raw[FIELD_BYTES:], "big")
    if not (0 < r < N and 0 < s < N):
        raise BadDer("r or s out of range")
    return write_signature(r, s)


def read_cipher(der: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (x‖y, C3, C2) of an SM2Cipher (GM/T 0009, 7.2), or raise `BadDer`."""
    x, offset = unsigned(der, whole_sequence(der))
    y, offset = unsigned(der, offset)
    start, end = header(der, offset, OCTET_STRING)
    mac = der[start:end]
    start, end = header(der, end, OCTET_STRING)
    if len(mac) != FIELD_BYTES or start == end or end != len(der):
        raise BadDer("not an SM2 ciphertext")
    return x.to_bytes(FIELD_BYTES, "big") + y.to_bytes(FIELD_BYTES, "big"), mac, der[start:end]


def write_cipher(point: bytes, mac: bytes, masked: bytes) -> bytes:
    """Encode SEQUENCE {x, y, C3, C2}."""
    x = int.from_bytes(point[:FIELD_BYTES], "big")
    y = int.from_bytes(point[FIELD_BYTES:], "big")
    tail = element(OCTET_STRING, mac) + element(OCTET_STRING, masked)
    return element(SEQUENCE, integer(x) + integer(y) + tail)
