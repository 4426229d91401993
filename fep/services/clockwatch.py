"""The watch over the wall clock: steps are journalled, big ones stop issuing (I12, I13).

It compares wall and monotonic clock once a second and, at a start, with the last times that
were written down. A stop stays over restarts until a person confirms. Rules of what is big:
fep/domain/clock.py. It never sets a clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select

from fep.domain.calendar import to_ms
from fep.domain.clock import (
    MS_PER_MINUTE,
    STOPPING,
    Bounds,
    Reading,
    Verdict,
    downtime_ms,
    judge,
    judge_start,
    step_ms,
)
from fep.domain.faults import Refused, refuse
from fep.ports import Clock
from fep.settings_types import ClockSettings
from fep.store.fencing import meta_q, put_meta
from fep.store.schema import journal
from fep.store.tx import Tx
from fep.store.writer import Store

MARK_EVERY_S = 60.0
MARK, HOLD = "clock_mark", "clock_hold"


class ClockWatch:
    """Watches one node's clock. `hold` stops issuing with a refusal, or lets it go on."""

    def __init__(self, clock: Clock, store: Store, settings: ClockSettings, log: Any, *,
                 hold: Callable[[Refused | None], None],
                 offset_ms: Callable[[], int | None]) -> None:  # fmt: skip
        self._clock = clock
        self._store = store
        self._log = log
        self._hold = hold
        self._offset_ms = offset_ms
        self.bounds = Bounds(
            int(settings.step_s * 1000), settings.back_minutes * MS_PER_MINUTE,
            settings.forward_hours * 60 * MS_PER_MINUTE,
        )  # fmt: skip
        self._last = self._read()
        self._marked_ms = 0
        self._steady = self._last
        self.fault: Refused | None = None
        self.steps = 0
        self.last_step: tuple[int, int] | None = None  # (wall ms, step ms)
        self.absent_ms: int | None = 0

    def _read(self) -> Reading:
        return Reading(to_ms(self._clock.wall()), int(self._clock.mono() * 1000))

    def steady_ms(self) -> int:
        """Return a wall time that never goes back while we run, nor before what was written."""
        now = int(self._clock.mono() * 1000)
        return self._steady.wall_ms + now - self._steady.mono_ms

    # from node
    def start(self, witnessed_ms: int) -> None:
        """Compare with the last times in the store and in the witness; hold when need be."""
        mark, held, journalled = self._store.read(kept_q)
        now = self._last = self._read()
        last_ms = max(journalled, witnessed_ms, mark.wall_ms if mark else 0)
        self.absent_ms = 0
        if mark is not None:
            self.absent_ms = downtime_ms(Reading(last_ms, mark.mono_ms), now, self.bounds)
        self._steady = Reading(max(now.wall_ms, last_ms), now.mono_ms)
        verdict = judge_start(last_ms, now.wall_ms, self.bounds)
        if held is not None:
            self._stop(refuse(held[0], minutes=held[1]))
        elif verdict is not Verdict.STEADY:
            self._stepped(now.wall_ms - last_ms, verdict, at_start=True)
        self._mark(now)

    def tick(self) -> None:
        """Look at both clocks."""
        now, before = self._read(), self._last
        self._last = now
        step = step_ms(before, now)
        verdict = judge(step, self.bounds, self._offset_ms())
        if verdict is not Verdict.STEADY:
            self._stepped(step, verdict, at_start=False)
        if abs(now.mono_ms - self._marked_ms) >= MARK_EVERY_S * 1000:
            self._mark(now)

    def stop(self) -> None:
        """Write down when we went."""
        if not self._store.dead:
            self._mark(self._read())

    # from a person
    async def confirm(self, reason: str, who: str) -> dict[str, Any]:
        """Take a person's word that the clock is right now. Raises Refused CLOCK_FINE."""
        if self.fault is None:
            raise refuse("CLOCK_FINE")
        fault, now = self.fault.code, self._read()
        await self._store.do("clock.confirm", _confirmed_txn, fault, reason, who, now.wall_ms)
        self._last = now
        self.fault = None
        self._hold(None)
        self._log.warning("clock.confirmed", fault=fault)
        return {"fault": fault, "wall_ms": now.wall_ms}

    # what was seen
    def _stepped(self, step: int, verdict: Verdict, *, at_start: bool) -> None:
        self.steps += 1
        self.last_step = (self._last.wall_ms, step)
        stops = verdict in STOPPING
        minutes = abs(step) // MS_PER_MINUTE
        self._log.warning("clock.step", step_ms=step, at_start=at_start, stops=stops)
        body: dict[str, object] = {"at_start": at_start, "step_ms": step, "stops": stops}
        hold = json.dumps([verdict.value, minutes]) if stops else ""
        work = self._store.do("clock.step", _stepped_txn, body, hold)
        work.addErrback(lambda failure: self._log.error("clock.step", why=str(failure.value)))
        if stops:
            self._stop(refuse(verdict.value, minutes=minutes))

    def _stop(self, fault: Refused) -> None:
        self.fault = fault
        self._hold(fault)

    def _mark(self, now: Reading) -> None:
        self._marked_ms = now.mono_ms
        work = self._store.do("clock.mark", put_meta, MARK, f"{now.wall_ms} {now.mono_ms}")
        work.addErrback(lambda failure: self._log.error("clock.mark", why=str(failure.value)))


def kept_q(conn: Connection) -> tuple[Reading | None, tuple[str, int] | None, int]:
    """Return (last mark, fault and minutes that hold, time of the newest journal record)."""
    mark = meta_q(conn, MARK).split()
    held = meta_q(conn, HOLD)
    line = conn.execute(select(journal.c.line).order_by(journal.c.seq.desc()).limit(1)).scalar()
    return (
        Reading(int(mark[0]), int(mark[1])) if mark else None,
        tuple(json.loads(held)) if held else None,
        int(json.loads(line)["at"]) if line else 0,
    )


def _stepped_txn(tx: Tx, body: dict[str, object], hold: str) -> None:
    if hold:
        put_meta(tx, HOLD, hold)
    tx.journal("clock.stepped", "", body)


def _confirmed_txn(tx: Tx, fault: str, reason: str, who: str, wall_ms: int) -> None:
    put_meta(tx, HOLD, "")
    tx.journal("clock.confirmed", fault, {"reason": reason, "wall_ms": wall_ms, "who": who})
