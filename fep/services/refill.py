"""Refill: looks at the stock every ten minutes and asks the platform for what is missing,
the first time two minutes after a start, when what was granted meanwhile has come in.

One request a code is open at a time; a block of the code, whoever grants it, closes it. It
only asks: numbers come as any grant does. Nothing is asked for behind a fence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from fep.domain.calendar import day_of
from fep.domain.refill import Need, needs
from fep.domain.stock import LOOK_BACK_DAYS
from fep.ports import Clock
from fep.services.desk_kinds import kind_stock
from fep.settings import Settings
from fep.store.queries_stock import Stock, stock_q
from fep.store.requests import request_txn
from fep.store.stock import used_by_day_q
from fep.store.writer import Store

EVERY_S = 600.0
FIRST_S = 120.0  # after a start, when what was granted meanwhile has come in
DAY_MS = 86_400_000

Read = Callable[..., Awaitable[Any]]
"""Runs a query off the reactor thread."""


def needs_q(conn: Connection, settings: Any, now_ms: int) -> list[Need]:
    """Return which stocks are below their target.

    Test units have none, and kinds numbered by the platform ask for each receipt.
    """
    stocks: list[Stock] = stock_q(conn, now_ms)
    rows = [row for row in kind_stock(settings, stocks, now_ms)
            if row.used and not settings.units[row.unit].test
            and settings.kinds[row.kind].numbering != "platform"]  # fmt: skip
    since_on = day_of(now_ms - LOOK_BACK_DAYS * DAY_MS)
    used = {
        (unit, code): days
        for unit in {row.unit for row in rows}
        for code, days in used_by_day_q(conn, unit, since_on).items()
    }
    return needs(rows, used, now_ms)


class Refill:
    """Asks for numbers before they run out."""

    def __init__(self, settings: Settings, clock: Clock, store: Store, log: Any, read: Read,
                 *, now_ms: Callable[[], int]) -> None:  # fmt: skip
        self._settings = settings
        self._clock = clock
        self._store = store
        self._log = log
        self._read = read
        self._now_ms = now_ms
        self._next_s = clock.mono() + FIRST_S
        self._looking = False

    def tick(self) -> None:
        """Look when it is time; called once a second."""
        now_s = self._clock.mono()
        if not self._settings.numbers.request or self._looking or now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        self._looking = True
        done = Deferred.fromCoroutine(self._look())
        done.addErrback(lambda failure: self._log.error("refill", why=str(failure.value)))
        done.addBoth(lambda _: setattr(self, "_looking", False))

    async def _look(self) -> None:
        for need in await self._read(needs_q, self._settings, self._now_ms()):
            dest = self._settings.units[need.unit].dest
            if await self._store.do("numbers.request", request_txn, need, dest):
                self._log.info("numbers.requested", unit=need.unit, code=need.code,
                               count=need.count)  # fmt: skip
