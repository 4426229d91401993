"""Events under way in memory: who waits for what, since when, within which bounds.

The table is the in-flight half of "same event, same receipt": two calls with one key are
joined only when their digests agree. Nothing here is remembered over a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from twisted.internet.defer import Deferred

from fep.domain.receipt import Receipt
from fep.store.issuing import Draft


class Phase(Enum):
    """Where an event is between its arrival and its answer."""

    FREEZING = auto()
    SIGNING = auto()
    UNSIGNED = auto()  # the signer said no; waiting for it to come back
    SEALING = auto()
    REFUSING = auto()
    ENDED = auto()  # answered; what comes later is discarded


@dataclass(slots=True, eq=False)
class Inflight:
    """One event; `waiters` are answered in order, each with whether it joined."""

    unit: str
    key: str
    digest: bytes
    amount_fen: int
    size: int
    queued: bool
    at: float
    point: str
    print_wish: bool | None
    phase: Phase = Phase.FREEZING
    receipt: Receipt | None = None
    abandoned: bool = False
    reserved: bool = False  # its share of the offline budget is taken and not given back
    adopted: bool = False
    test: bool = False  # of a test unit: no share was taken
    waiters: list[tuple[Deferred[tuple[Receipt, bool]], bool]] = field(default_factory=list)


class Table:
    """All events under way, oldest first, bounded by count and bytes."""

    def __init__(self, events_max: int, bytes_max: int) -> None:
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._entries: dict[tuple[str, str], Inflight] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, unit: str, key: str) -> Inflight | None:
        """Return the event under way with this key."""
        return self._entries.get((unit, key))

    def full(self, size: int) -> bool:
        """Return whether one more event of `size` bytes would pass a bound."""
        return len(self._entries) >= self._events_max or self.bytes + size > self._bytes_max

    def add(self, draft: Draft, *, queued: bool, at: float) -> Inflight:
        """Enter an event."""
        entry = Inflight(
            draft.unit, draft.key, draft.digest, draft.amount_fen, len(draft.body), queued, at,
            draft.point, draft.print_wish, test=draft.test,
        )  # fmt: skip
        return self._enter(entry)

    def adopt(self, receipt: Receipt, digest: bytes, at: float, wish: bool | None) -> Inflight:
        """Enter a receipt that a crash left frozen: nobody waits, there is no deadline."""
        entry = Inflight(
            receipt.unit, receipt.key, digest, receipt.amount_fen, 0, True, at, receipt.point,
            wish, receipt=receipt, adopted=True,
        )  # fmt: skip
        return self._enter(entry)

    def _enter(self, entry: Inflight) -> Inflight:
        assert (entry.unit, entry.key) not in self._entries, entry.key
        self._entries[entry.unit, entry.key] = entry
        self.bytes += entry.size
        return entry

    def remove(self, entry: Inflight) -> None:
        """Take an event out; it has been answered."""
        del self._entries[entry.unit, entry.key]
        self.bytes -= entry.size

    def older_than(self, limit: float) -> Iterator[Inflight]:
        """Yield events that arrived before a monotonic time, oldest first."""
        for entry in list(self._entries.values()):
            if entry.at > limit:
                return
            yield entry
