"""What fep needs from outside, as protocols.

Two rules: a port says what can be done, never how; a fake passes the same conformance
suite as the real thing. Nothing here is ever instantiated.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from fep.domain.printing import PrintResult, Slip


class Clock(Protocol):
    """Time from outside: the only clock that domain decisions may see."""

    def wall(self) -> datetime:
        """Return the wall clock as an aware datetime in UTC."""

    def mono(self) -> float:
        """Return seconds that never go backwards while the machine is up."""


class Entropy(Protocol):
    """Randomness fit for keys and nonces."""

    def token(self, size: int) -> bytes:
        """Return `size` random bytes."""

    def below(self, bound: int) -> int:
        """Return a uniform integer in 0 <= n < bound."""


class Signer(Protocol):
    """The unit's receipt key, wherever it lives."""

    cert_serial: str

    def sign(self, digest: bytes) -> Awaitable[bytes]:
        """Sign the 32-byte SM2 digest e; return DER. Fails with `Refused` SIG_*."""


class Rasteriser(Protocol):
    """Draws a line of text that the printer's own font cannot."""

    def raster(self, text: str, height_dots: int, bold: bool) -> Awaitable[tuple[int, bytes]]:
        """Return (width in bytes, rows of 1-bit dots, most significant bit left)."""


class Printer(Protocol):
    """A receipt printer: takes a neutral slip, answers with a proven outcome."""

    def print(self, slip: Slip, fence_id: str) -> Awaitable[PrintResult]:
        """Print one slip; never raises for a device fault, the outcome says it."""

    def status(self) -> Awaitable[tuple[str, ...]]:
        """Return the fault codes that hold now (PRN_*, DEV_*), empty when ready."""
