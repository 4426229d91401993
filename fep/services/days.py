"""The day close: every unit's finished days are counted, signed and never opened again.

Started by the almanac after midnight, at the daemon's start (a day that passed while it was
down is closed then) and by a person. Receipts are read in slices in a thread and counted in
small transactions with a pause between, so that issuing never waits for it. A crash anywhere
is taken up where it stood; two closes of one day cannot be.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from twisted.internet.defer import Deferred

from fep.crypto import sm3
from fep.domain.calendar import CST, day_of, to_ms
from fep.domain.dayclose import VERSION, Sum, day_after, due
from fep.domain.faults import refuse
from fep.services.desk_context import SealDoor
from fep.store import days
from fep.store.days import Closed
from fep.store.writer import Store

PAUSE_S: Final = 0.005
Read = Callable[..., Awaitable[Any]]


def day_ms(day: str) -> int:
    """Return the first millisecond of a business date."""
    return to_ms(datetime.fromisoformat(day).replace(tzinfo=CST))


@dataclass(frozen=True, slots=True)
class Progress:
    """What the close is doing: days done in this run, the day under way, receipts counted."""

    running: bool = False
    unit: str = ""
    day: str = ""
    counted: int = 0
    closed: tuple[tuple[str, str], ...] = ()
    fault: str = ""

    def told(self) -> dict[str, Any]:
        """Return the JSON members."""
        return {
            "running": self.running, "unit": self.unit, "day": self.day,
            "counted": self.counted, "fault": self.fault,
            "closed": [{"unit": unit, "day": day} for unit, day in self.closed],
        }  # fmt: skip


class Days:
    """Closes days; one run at a time."""

    def __init__(
        self, reactor: Any, store: Store, read: Read, units: Sequence[str],
        seal: SealDoor | None, log: Any, *, now_ms: Callable[[], int], held: Callable[[], str],
    ) -> None:  # fmt: skip
        """`held` says why nothing may be closed now, empty when it may."""
        self._reactor = reactor
        self._store = store
        self._read = read
        self._units = tuple(units)
        self._seal = seal
        self._log = log
        self._now_ms = now_ms
        self._held = held
        self._stopped = False
        self.progress = Progress()

    # from node, almanac and desk
    def begin(self) -> None:
        """Close what is due, in the background; nothing when it is under way already."""
        if self.progress.running or self._stopped:
            return
        self.progress = Progress(running=True)
        done = Deferred.fromCoroutine(self.close_due())
        done.addErrback(self._failed)
        done.addBoth(lambda _: self._ended())

    def stop(self) -> None:
        """Begin no more slices; the next start takes the day up where it stands."""
        self._stopped = True

    async def close_due(self) -> int:
        """Close every day that is over, unit by unit; returns how many.

        Raises Refused DAY_NO_KEY, DAY_HELD.
        """
        if self._seal is None:
            raise refuse("DAY_NO_KEY")
        count = 0
        today = day_of(self._now_ms())
        for unit in self._units:
            last = self._store.read(days.last_closed_q, unit)
            first = "" if last else await self._read(days.first_day_q, unit)
            for day in due(last.day if last else "", first, today):
                if self._stopped:
                    return count
                why = self._held()
                if why:
                    raise refuse("DAY_HELD", why=why)
                count += await self._close(self._seal, unit, day)
        return count

    def _failed(self, failure: Any) -> None:
        self._log.error("day.close", why=str(failure.value)[:300])
        self.progress = replace(self.progress, fault=str(failure.value)[:300])

    def _ended(self) -> None:
        self.progress = replace(self.progress, running=False)

    # one day
    async def _close(self, seal: SealDoor, unit: str, day: str) -> bool:
        self.progress = replace(self.progress, running=True, unit=unit, day=day, counted=0)
        high = await self._count(unit, day)
        if self._stopped:
            return False
        summed, count = await self._summed(unit, day)
        last = self._store.read(days.last_closed_q, unit)
        since, until = day_ms(day), day_ms(day_after(day))
        summed.used, summed.void = await self._read(days.sheets_q, unit, since, until)
        at = self._now_ms()
        body = _canonical({
            "v": VERSION, "unit": unit, "day": day, "closed_at": at,
            "prev": last.sm3.hex() if last else "",
            "open": await self._read(days.open_q, unit, day), **summed.told(),
        })  # fmt: skip
        closed = Closed(
            unit, day, at, high, count, summed.total.net_fen, body, sm3.digest(body),
            seal.certificate.serial_hex, seal.sign(body),
        )  # fmt: skip
        done = await self._store.do("day.close", days.close_txn, closed)
        if done:
            self.progress = replace(self.progress, closed=(*self.progress.closed, (unit, day)))
            self._log.info("day.closed", unit=unit, day=day, count=count)
        return bool(done)

    async def _count(self, unit: str, day: str) -> int:
        """Give every receipt that is final its business day; returns the highest id seen."""
        high: int = await self._read(days.high_q)
        after = 0
        while not self._stopped:
            found = await self._read(days.slice_q, unit, day, high, after)
            if not (found.new or found.left_over):
                break
            after = max((row.id for row in found.new if row.entry.issued_on == day), default=after)
            counted = await self._store.do("day.count", days.facts_txn, unit, day, found)
            self.progress = replace(self.progress, counted=self.progress.counted + counted)
            await self._pause()
        return high

    async def _summed(self, unit: str, day: str) -> tuple[Sum, int]:
        summed, count, after = Sum(), 0, 0
        while rows := await self._read(days.counted_q, unit, day, after):
            for row in rows:
                summed.add(row.entry, day)
            count, after = count + len(rows), rows[-1].id
            await self._pause()
        return summed, count

    def _pause(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._reactor.callLater(PAUSE_S, done.callback, None)
        return done


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
