"""The belt of a carrier: takes what waits in the out directory and has it brought across.

One belt per destination, one file at a time, most urgent first, within the gate's hours and
rate. A file leaves the directory only when the other side said that it holds it durably;
what it did not take is tried again after `retry_s`, and never stands in another's way.
Reactor thread; disk work goes to `work`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from fep.domain.calendar import local, to_ms
from fep.domain.link import CLOSED
from fep.domain.link_pace import Limits
from fep.ports import Clock
from fep.services.ferry import Ferry
from fep.services.rounds import Rounds
from fep.services.uplink_ends import Log, Work

SKIPPED_MAX: Final = 10_000
CLOSED_LOOK_S: Final = 30.0
FAULT_MOST_S: Final = 60.0


class NotNow(Exception):
    """The other side cannot be reached; the argument says why."""


Deliver = Callable[[str, bytes], Awaitable[bool]]
"""Bring one file across: True when it is held durably there, False when it was not taken.

Raises NotNow.
"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every carrier works with."""

    reactor: Any  # Twisted's IReactorTime and IReactorTCP; a fake one in tests
    clock: Clock
    work: Work
    log: Log


class Belt:
    """Moves departures of one ferry: `Belt(tools, ferry, limits, deliver, …)`, `open`, `close`."""

    def __init__(self, tools: Tools, ferry: Ferry, limits: Limits, deliver: Deliver, *,
                 poll_s: float, retry_s: float) -> None:  # fmt: skip
        self._tools, self._ferry, self._limits, self._deliver = tools, ferry, limits, deliver
        self._poll_s, self._retry_s = poll_s, retry_s
        self._rounds = Rounds(tools.reactor, self._round)
        self._skipped: dict[str, float] = {}  # name -> not before (monotonic)
        self._free_s = 0.0  # when the rate lets the next file pass
        self._fault_s = 0.0  # the wait after the latest fault
        self._opened = False

    def open(self) -> None:
        """Begin."""
        assert not self._opened, "a belt opens once"
        self._opened = True
        self._rounds.start()

    async def close(self) -> None:
        """End after the file under way."""
        await self._rounds.stop()

    def ring(self) -> None:
        """Look at once: something waits, or the way is free again."""
        self._rounds.ring()

    def wait_s(self) -> float:
        """Return seconds until the gate's hours and rate let a file pass."""
        at = local(to_ms(self._tools.clock.wall()))
        if self._limits.opens_in(at.hour * 60 + at.minute):
            return CLOSED_LOOK_S
        return max(0.0, self._free_s - self._tools.clock.mono())

    def passed(self, size: int) -> None:
        """Count a file against the rate."""
        now = self._tools.clock.mono()
        self._free_s = max(self._free_s, now) + self._limits.share_s(size)

    def closed(self) -> bool:
        """Say whether the gate is closed by its hours."""
        at = local(to_ms(self._tools.clock.wall()))
        return self._limits.opens_in(at.hour * 60 + at.minute) > 0

    def _say_hours(self) -> None:
        if self.closed():
            self._ferry.fault = CLOSED
        elif self._ferry.fault == CLOSED:
            self._ferry.fault = ""

    async def _round(self) -> float:
        try:
            wait = await self._turn()
            self._fault_s = 0.0
            self._say_hours()
        except (OSError, NotNow) as fault:
            self._ferry.fault = str(fault) or type(fault).__name__
            self._fault_s = min(FAULT_MOST_S, max(self._poll_s, self._fault_s * 2))
            wait = self._fault_s
        except Exception as fault:  # one broken file must not end the way for all others
            self._tools.log.error("carrier.turn_failed", why=repr(fault), exc_info=fault)
            wait = FAULT_MOST_S
        return wait

    async def _turn(self) -> float:
        """Bring the most urgent file across; returns seconds until the next look."""
        wait = self.wait_s()
        if wait:
            return wait
        name, content = await self.next_waiting()
        if name is None or content is None:
            return self._poll_s
        if await self._deliver(name, content):
            await self._tools.work(self._ferry.departed, name)
        else:
            self.skip(name)
        self._ferry.fault = ""
        self.passed(len(content))
        return self.wait_s()

    async def next_waiting(self) -> tuple[str | None, bytes | None]:
        """Return the most urgent file that is not resting; (None, None) when there is none."""
        now = self._tools.clock.mono()
        self._skipped = {name: until for name, until in self._skipped.items() if until > now}
        return await self._tools.work(self._find, frozenset(self._skipped))

    def skip(self, name: str) -> None:
        """Let a file that was not taken rest."""
        if len(self._skipped) < SKIPPED_MAX:
            self._skipped[name] = self._tools.clock.mono() + self._retry_s

    def _find(self, skipped: frozenset[str]) -> tuple[str | None, bytes | None]:
        for name in self._ferry.departures():
            if name not in skipped:
                content = self._ferry.departing(name)
                if content is not None:
                    return name, content
        return None, None
