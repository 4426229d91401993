"""SM3 digests and HMAC-SM3, by the interpreter's own OpenSSL.

Rule: a digest of up to 64 KiB is fed in slices of 2047 bytes, because hashlib lets go of the
interpreter lock from 2048 bytes on, and getting it back can cost a whole switch interval
(5 ms) while another thread computes. Bigger inputs let the others run.
"""

from __future__ import annotations

import hashlib
import hmac as _hmac
from typing import Final, Protocol

DIGEST_BYTES: Final = 32
_FRESH: Final = hashlib.new("sm3")  # copying it is cheaper than looking the algorithm up again
_SLICE_BYTES: Final = 2047
_HOLD_MAX_BYTES: Final = 64 * 1024


class Digest(Protocol):
    """A digest under way, as hashlib has it."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add data."""

    def digest(self) -> bytes:
        """Return the 32 bytes so far."""

    def hexdigest(self) -> str:
        """Return the 64 hex digits so far."""


def new(data: bytes = b"") -> Digest:
    """Start a digest, for content that comes in pieces."""
    running = _FRESH.copy()
    _feed(running, data)
    return running


def digest(data: bytes) -> bytes:
    """Return the 32-byte SM3 digest."""
    if len(data) <= _SLICE_BYTES:
        running = _FRESH.copy()
        running.update(data)
        return running.digest()
    return new(data).digest()


def hmac(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte HMAC-SM3 (RFC 2104 with SM3)."""
    running = _hmac.new(key, digestmod="sm3")
    _feed(running, data)
    return running.digest()


def pbkdf2(passphrase: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    """Return `size` bytes of PBKDF2-HMAC-SM3 (RFC 8018)."""
    return hashlib.pbkdf2_hmac("sm3", passphrase, salt, rounds, size)


def _feed(running: Digest | _hmac.HMAC, data: bytes) -> None:
    if len(data) > _HOLD_MAX_BYTES:
        running.update(data)
        return
    view = memoryview(data)
    for offset in range(0, len(data), _SLICE_BYTES):
        running.update(view[offset : offset + _SLICE_BYTES])
