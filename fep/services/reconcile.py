"""Reconciliation: our books of a day beside the platform's, on schedule and on demand.

Totals are compared first; receipts are listed only for the codes and kinds whose totals
differ. One comparison a destination at a time; what the platform's book is asked through
(channel 3, or a dialect's queries) is a `PlatformBook`. A comparison that a restart cut off
is given up and said so; it changes nothing, so it may simply be run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred

from fep.crypto import sm3
from fep.domain.calendar import day_of
from fep.domain.dayclose import day_before
from fep.domain.faults import Refused, refuse
from fep.domain.reconcile import Compared, Line, Repair, compare, differing, totals
from fep.ports import PlatformBook
from fep.store import reconcile
from fep.store.reconcile import Kept
from fep.store.writer import Store

PAUSE_S: Final = 0.002
APPLIED: Final = "applied"
DAYS_AGAIN: Final = 7  # days with open differences that a scheduled run looks at again
Read = Callable[..., Awaitable[Any]]


class Reconcile:
    """Comparisons with one destination."""

    def __init__(
        self, reactor: Any, store: Store, read: Read, dest: str, units: Sequence[str],
        book: PlatformBook | None, log: Any, *, now_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:  # fmt: skip
        """`units` are those delivered to `dest`; `wake` tells the link of something to send."""
        self._reactor = reactor
        self._store = store
        self._read = read
        self.dest = dest
        self._units = tuple(units)
        self._book = book
        self._log = log
        self._now_ms = now_ms
        self._wake = wake
        self._stopped = False
        self.running = ""

    # from accounts
    def ask_of(self, book: PlatformBook) -> None:
        """Compare with this book from now on."""
        self._book = book

    # from almanac
    def scheduled(self) -> None:
        """Compare yesterday, and the days whose differences are not gone."""
        if self._book is None or self.running or self._stopped:
            return
        done = Deferred.fromCoroutine(self._all_due())
        done.addErrback(lambda f: self._log.error("reconcile", why=str(f.value)[:300]))

    async def _all_due(self) -> None:
        days = await self._read(reconcile.open_days_q, self.dest)
        for day in [*days[-DAYS_AGAIN:], day_before(day_of(self._now_ms()))]:
            if not self._stopped:
                await self.run(day, "schedule")

    # from desk
    def begin(self, day: str, who: str) -> None:
        """Compare a day in the background. Raises Refused REC_BUSY, REC_NO_PLATFORM."""
        if self.running:
            raise refuse("REC_BUSY", day=self.running)
        if self._book is None:
            raise refuse("REC_NO_PLATFORM", why="[link]")
        done = Deferred.fromCoroutine(self.run(day, who))
        done.addErrback(lambda f: self._log.error("reconcile", day=day, why=str(f.value)[:300]))

    async def repair(self, id_: int, reason: str, who: str) -> tuple[Kept, Repair]:
        """Do what is safe about a difference. Raises Refused REC_*."""
        done = await self._store.do("reconcile.repair", reconcile.repair_txn, id_, reason, who)
        self._wake()
        return done

    # from node
    def stop(self) -> None:
        """Begin nothing more; a question under way is dropped."""
        self._stopped = True
        if self._book is not None:
            self._book.stop()

    async def run(self, day: str, who: str) -> Compared | None:
        """Compare one day; None when it came to nothing, which is stored with the reason."""
        book = self._book
        assert book is not None, "begin and scheduled looked"
        self.running = day
        run_id = await self._store.do("reconcile.begin", reconcile.begin_txn, self.dest, day, who)
        try:
            here = await self._lines(day)
            ours = totals(here, _sm3_hex)
            try:
                theirs = list(await book.totals(day))
            except Refused as refused:
                if refused.code != "REC_UNABLE":
                    raise
                there = await self._one_by_one(book, day, here)
                theirs, found = totals(there, _sm3_hex), compare(here, there)
            else:
                found = await self._drilled(book, day, here, differing(ours, theirs))
            await self._store.do(
                "reconcile.end", reconcile.end_txn, run_id, self.dest, day, ours, theirs, found
            )
        except Refused as refused:
            await self._failed(run_id, f"{refused.code} {refused.en}")
            return None
        finally:
            self.running = ""
        if found.differences:
            self._log.error("reconcile.differs", day=day, dest=self.dest,
                            count=len(found.differences))  # fmt: skip
        return found

    async def _drilled(self, book: PlatformBook, day: str, here: list[Line],
                       keys: list[tuple[str, str]]) -> Compared:  # fmt: skip
        """List only the codes and kinds whose totals differ."""
        there: list[Line] = []
        for code, kind in keys:
            there += await book.lines(day, code, kind)
        wanted = set(keys)
        return compare([row for row in here if (row.code, row.kind) in wanted], there)

    async def _one_by_one(self, book: PlatformBook, day: str, here: list[Line]) -> list[Line]:
        """Ask for each receipt, where the platform tells no totals; and for numbers that
        nobody should hold: what only the platform has cannot be listed."""
        probes: list[Line] = []
        for unit in self._units:
            probes += await self._read(reconcile.probes_q, unit, day)
        return list(await book.check([row for row in here if row.delivery == APPLIED] + probes))

    async def _failed(self, run_id: int, why: str) -> None:
        if not self._store.dead and not self._stopped:
            await self._store.do("reconcile.fail", reconcile.fail_txn, run_id, why)

    async def _lines(self, day: str) -> list[Line]:
        found: list[Line] = []
        for unit in self._units:
            after = 0
            while True:
                rows, after = await self._read(reconcile.lines_q, unit, day, after)
                found += rows
                if not after:
                    break
                await self._pause()
        return found

    def _pause(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._reactor.callLater(PAUSE_S, done.callback, None)
        return done


def _sm3_hex(data: bytes) -> str:
    return sm3.digest(data).hex()
