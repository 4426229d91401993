"""Held refusals: what a platform refused for its date is sent again when its window opens.

Rules: nothing is re-dated and nothing is signed again; each is tried once a window; the
platform's own hours are configuration ([link] stale_hours). Everything else waits for a
person (`fepctl link rejected`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from fep.domain.calendar import local, to_ms
from fep.domain.link_pace import Limits, parse_span
from fep.ports import Clock
from fep.services.linked import Parts
from fep.services.rounds import Rounds
from fep.services.uplink_ends import Log
from fep.settings_link import LinkSettings
from fep.store.refusals import STALE, retry_group_txn
from fep.store.writer import Store

LOOK_S: Final = 30.0
PIECES_MAX: Final = 50
WHO: Final = "fepd"


def opened_at(hours: tuple[str, ...], now_ms: int) -> int:
    """Return when the window that is open now was opened (ms), 0 when none is."""
    now = local(now_ms)
    minute = now.hour * 60 + now.minute
    for text in hours:
        first, end = parse_span(text)
        if Limits(((first, end),)).opens_in(minute) == 0:
            return now_ms - ((minute - first) % 1440) * 60_000 - now_ms % 60_000
    return 0


class Woken(Protocol):
    """What is told that something is due."""

    def wake(self) -> None:
        """Look."""


def make_held(site: Parts, uplink: Woken | None) -> Held:
    """Return the sender of stale refusals for the node's link."""
    wake = uplink.wake if uplink is not None else lambda: None
    return Held(site.reactor, site.clock, site.store, site.settings.link, wake, site.log)


class Held:
    """Sends stale refusals again while a window is open."""

    def __init__(self, reactor: Any, clock: Clock, store: Store, settings: LinkSettings,
                 wake: Callable[[], None], log: Log) -> None:  # fmt: skip
        self._clock = clock
        self._store = store
        self._hours = settings.stale_hours
        self._wake = wake
        self._log = log
        self._rounds = Rounds(reactor, self._look)

    def start(self) -> None:
        """Begin, where there are such hours."""
        if self._hours:
            self._rounds.start()

    async def stop(self) -> None:
        """End after the piece under way."""
        await self._rounds.stop()

    async def turn(self) -> int:
        """Look once; returns how many are sent again."""
        since = opened_at(self._hours, to_ms(self._clock.wall()))
        count = 0
        while since and count < PIECES_MAX * 200:
            done = await self._store.do(
                "refused.window", retry_group_txn, STALE, "window open", WHO, since
            )
            count += done
            if not done:
                break
        if count:
            self._log.info("link.stale_again", count=count)
            self._wake()
        return count

    async def _look(self) -> float | None:
        try:
            await self.turn()
        except Exception as error:  # a failed look must not end the looking
            self._log.error("link.stale", why=repr(error)[:200])
            if self._store.dead:
                return None
        return LOOK_S
