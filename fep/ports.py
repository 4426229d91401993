"""What fep needs from outside, as protocols.

Two rules: a port says what can be done, never how; a fake passes the same conformance
suite as the real thing. Nothing here is ever instantiated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from fep.domain.payment import Order, PayReply, Totals
from fep.domain.platform import Operation, Parcel, Reply
from fep.domain.printing import Paper, PrintResult
from fep.domain.reconcile import Line, Total


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
    """A printer: takes a neutral document, answers with a proven outcome."""

    takes: str
    """The kind of paper it wants: `slip`, `page` or `form`."""

    def print(self, paper: Paper, fence_id: str) -> Awaitable[PrintResult]:
        """Print one document; never raises for a device fault, the outcome says it."""

    def status(self) -> Awaitable[tuple[str, ...]]:
        """Return the fault codes that hold now (PRN_*, DEV_*), empty when ready."""


class PaymentTerminal(Protocol):
    """A payment terminal: one command at a time, and no call raises for a device fault.

    A financial command leaves at most once, but after a refusal that proves it was not taken.
    """

    can_inquire: bool
    """Whether it can be asked for the record of our serial; if not, silence stays unknown."""

    batch: str
    """Number of the open batch as `prepare` last saw it; empty where it tells none."""

    on_shown: Callable[[str], None]
    """Set by the till: told what the payer is shown, such as the text of a QR code."""

    def prepare(self) -> Awaitable[str]:
        """Reach it, sign in if need be; answers the fault code that stops it, or empty."""

    def run(self, order: Order, on_ack: Callable[[], None]) -> Awaitable[PayReply]:
        """Carry a financial command out. Only NOT_SENT says that nothing was taken."""

    def inquire(self, order: Order) -> Awaitable[PayReply]:
        """Ask for the record of the order's serial; never a financial command."""

    def settle(self) -> Awaitable[Totals | str]:
        """Close the batch, sign in again; answers its totals, or a fault code."""

    def last_settled(self) -> Awaitable[Totals | str]:
        """Tell the totals of the batch it closed last; answers them, or a fault code."""

    def reprint(self, serial: str) -> Awaitable[str]:
        """Print the terminal's own slip again; answers a fault code or empty."""

    def cancel(self) -> None:
        """Ask it to let the payer go; what became of the payment is still its own to say."""

    def close(self) -> None:
        """Give the device back."""


class Carrier(Protocol):
    """Brings batch files across a gate; the bytes are the same whatever carries them.

    `names` to `recall` block on a disk: worker threads only. The others: reactor thread.
    """

    fault: str
    """Why nothing crosses at the moment, empty when all is well."""

    def names(self) -> list[str]:
        """Return the names of arrivals, transport first within a sender. Raises OSError."""

    def read(self, name: str) -> bytes | None:
        """Return an arrival's bytes, None when it is gone. Raises TooBig, OSError."""

    def taken(self, name: str) -> None:
        """Forget an arrival whose content is stored."""

    def aside(self, name: str, why: str) -> None:
        """Set an arrival aside for a person; never deletes."""

    def put(self, name: str, content: bytes) -> None:
        """Send a file durably; earlier writings of the same batch need not travel any more."""

    def accept(self, content: bytes) -> str:
        """Store a container that came another way as an arrival; returns its name."""

    def recall(self, stems: Collection[str]) -> None:
        """Take back what still waits of batches that are answered."""

    def open(self) -> None:
        """Begin to move files across. A carrier opens once."""

    def close(self) -> Awaitable[None]:
        """End; what waits stays on disk for the next start."""


class Platform(Protocol):
    """A province's platform, whatever dialect it speaks. No call raises for its content."""

    name: str
    capabilities: frozenset[Operation]

    def deliver(self, parcel: Parcel) -> Awaitable[Reply]:
        """Tell it of a receipt or an act on paper; one call, never repeated by itself."""

    def find(self, parcel: Parcel) -> Awaitable[Reply]:
        """Ask by code and number what it holds: OK with facts, or REJECT absent."""

    def ask(self, op: Operation, fields: Mapping[str, str]) -> Awaitable[Reply]:
        """Ask for a number, totals of a day, its time, a payment, items, a file."""


class PlatformBook(Protocol):
    """What a platform holds of a day of issue, asked over whatever way there is to it."""

    def totals(self, day: str) -> Awaitable[Sequence[Total]]:
        """Return totals by code and kind. Fails with `Refused` REC_*."""

    def lines(self, day: str, code: str, kind: str) -> Awaitable[Sequence[Line]]:
        """Return the receipts of a code and kind. Fails with `Refused` REC_*."""

    def check(self, lines: Sequence[Line]) -> Awaitable[Sequence[Line]]:
        """Return those of some receipts that it holds. Fails with `Refused` REC_*."""

    def stop(self) -> None:
        """Wait for no answer any more."""
