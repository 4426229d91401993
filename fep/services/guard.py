"""What stands guard over one node: fence, clock watch, checkpoints, blocks that end.

Built when the store is open, started before anything is issued, one look a second. It holds
the issue service back and lets it go; it never issues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fep.domain.faults import Refused
from fep.domain.link_budget import MS_PER_HOUR
from fep.ports import Clock, Entropy
from fep.services.budget import RunningBudget
from fep.services.checkpoints import Checkpoints, open_seal
from fep.services.clockwatch import ClockWatch
from fep.services.desk_context import STORE_FILE, at_once, in_thread, on_reader
from fep.services.fence import Fence
from fep.services.issue import Issue
from fep.services.queue import Queue
from fep.services.refill import Refill
from fep.services.ticker import Ticker
from fep.services.uplink import Uplink
from fep.settings import Settings
from fep.store.stock import expire_txn
from fep.store.writer import Store

EXPIRED_FOR_MS = 86_400_000


class Guard:
    """Fence, clock watch and checkpoints of one node."""

    def __init__(self, settings: Settings, reactor: Any, clock: Clock, entropy: Entropy,
                 store: Store, log: Any, *, now_ms: Callable[[], int],
                 threads: bool) -> None:  # fmt: skip
        self._store = store
        self._log = log
        self._now_ms = now_ms
        self._issue: Issue | None = None
        self._queue: Queue | None = None
        self._uplink: Uplink | None = None
        self._expiring = False
        self._path = settings.node.data / STORE_FILE
        self._aside = in_thread if threads else at_once
        self.fence = Fence(
            entropy, store, settings.node.witness, log, now_ms=now_ms, threads=threads
        )
        self.seal = open_seal(settings, entropy, log)
        self.checkpoints = Checkpoints(clock, store, self.seal, log)
        self.clockwatch = ClockWatch(
            clock, store, settings.clock, log, hold=self._hold, offset_ms=self._offset_ms
        )
        self.refill = Refill(settings, clock, store, log, self._read, now_ms=now_ms)
        self.ticker = Ticker(reactor, log)

    # from node
    async def start(self, issue: Issue, queue: Queue, uplink: Uplink | None,
                    budget: RunningBudget) -> None:  # fmt: skip
        """Compare store, witness and clock; time we were down counts as time offline."""
        self._issue, self._queue, self._uplink = issue, queue, uplink
        await self.fence.start(issue)
        self.clockwatch.start(self.fence.last_seen_ms)
        if uplink is not None:
            absent_ms = self.clockwatch.absent_ms
            whole_ms = (budget.limits.hours or 0) * MS_PER_HOUR
            uplink.absent(whole_ms if absent_ms is None else absent_ms)
        await self.checkpoints.start()
        for duty in (self.fence.tick, self.clockwatch.tick, self._expire, self._sign, self._refill):
            self.ticker.add(duty)

    def stop(self) -> None:
        """Look no more; the witness goes on until the store closes."""
        self.ticker.stop()
        self.clockwatch.stop()

    # once a second
    def _sign(self) -> None:
        if not self.fence.closed:
            self.checkpoints.tick()

    def _refill(self) -> None:
        if not self.fence.closed:
            self.refill.tick()

    async def _read(self, fn: Any, *args: Any) -> Any:
        return await self._aside(on_reader, self._path, fn, args, {})

    def _expire(self) -> None:
        """End blocks a day after their last moment: meanwhile the clock may be found wrong."""
        if self.clockwatch.fault is not None:
            return
        before_ms = self._now_ms() - EXPIRED_FOR_MS
        blocks = self._store.heads.blocks.values()
        if self._expiring or not any(b.expired(before_ms) for group in blocks for b in group):
            return
        self._expiring = True
        work = self._store.do("numbers.expire", expire_txn, before_ms)
        work.addErrback(lambda failure: self._log.error("expire", why=str(failure.value)))
        work.addCallback(lambda _: setattr(self, "_expiring", False))

    # from the clock watch
    def _hold(self, refused: Refused | None) -> None:
        assert self._issue is not None
        assert self._queue is not None
        self._issue.hold(refused)
        if refused is None:
            self._queue.wake()

    def _offset_ms(self) -> int | None:
        return self._uplink.offset_ms() if self._uplink is not None else None
