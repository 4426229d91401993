"""One conversation with a printer over one wire: questions, replies, silence, loss.

Rules: at most one `DLE EOT` is open at a time; every wait has an end; a loss is raised
after all that was heard before it. Nothing here knows jobs or outcomes.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred

from drivers.escpos import codec, status
from drivers.escpos.profile import Profile
from drivers.transports.line import Line, Open
from fep.ports import Clock

MAX_EVENTS = 4096
# So long after a proved sheet its printer, which tells every change by itself, is not asked.
VOUCHED_S = 0.5


class LineLost(Exception):
    """The connection is gone."""


class NoReply(Exception):
    """The device is connected and silent."""


class Talk:
    """Replies in order, read by one reader."""

    def __init__(self, reactor: Any, clock: Clock, profile: Profile) -> None:
        self._reactor = reactor
        self._clock = clock
        self._profile = profile
        self._parser = status.Parser()
        self._events: deque[status.Event] = deque(maxlen=MAX_EVENTS)
        self._waiter: Deferred[None] | None = None
        self._wire: Open | None = None
        self._lost = False
        self._vouched_at = float("-inf")
        self._seen: tuple[str, ...] = ()
        self.heard = False

    async def open(self, line: Line) -> None:
        """Connect. Raises Unreachable or Occupied."""
        self._wire = await line.open(self._on_data, self._on_lost)

    @property
    def lost(self) -> bool:
        """Say whether the connection is gone."""
        return self._lost

    # from the wire
    def _on_data(self, data: bytes) -> None:
        self.heard = True
        self._events.extend(self._parser.feed(data))
        self._wake()

    def _on_lost(self) -> None:
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    # from the driver
    def write(self, data: bytes) -> None:
        """Send bytes. Raises LineLost."""
        if self._lost or self._wire is None:
            raise LineLost
        self._vouched_at = float("-inf")
        self._wire.write(data)

    async def drain(self, data: bytes) -> None:
        """Send bytes and wait until they have left this process. Raises LineLost."""
        if self._lost or self._wire is None:
            raise LineLost
        await self._wire.drain(data)
        if self._lost:
            raise LineLost

    async def next(self, timeout_s: float) -> status.Event | None:
        """Return the next event, or None after `timeout_s` of silence. Raises LineLost."""
        until = self._clock.mono() + timeout_s
        while not self._events:
            if self._lost:
                raise LineLost
            left_s = until - self._clock.mono()
            if left_s <= 0:
                return None
            waiter: Deferred[None] = Deferred()
            self._waiter = waiter
            alarm = self._reactor.callLater(left_s, self._wake)
            await waiter
            if alarm.active():
                alarm.cancel()
        return self._events.popleft()

    def pending(self) -> tuple[status.Event, ...]:
        """Take everything heard and not yet read."""
        events = tuple(self._events)
        self._events.clear()
        return events

    async def ask_status(self, n: int) -> int:
        """Return the reply byte to `DLE EOT n`. Raises NoReply, LineLost."""
        for attempt in range(1, self._profile.status_tries + 1):
            self.write(codec.status_query(n))
            byte = await self._realtime(self._profile.status_timeout_s)
            if byte is None:
                self._parser.give_up()
                continue
            if attempt > 1:
                # A late twin of this reply would be taken for the answer to the next one.
                await self._quiet(self._profile.status_timeout_s)
            return byte
        raise NoReply(f"DLE EOT {n}")

    async def ask_faults(self) -> tuple[str, ...]:
        """Return the faults that hold now, by all four questions or a proof of this moment."""
        fresh = self._clock.mono() < self._vouched_at + VOUCHED_S
        if fresh and self._profile.asb and not (self._events or self._lost):
            return self._seen
        replies = [(n, await self.ask_status(n)) for n in (1, 2, 3, 4)]
        self._seen = status.realtime_faults(tuple(replies))
        return self._seen

    def vouch(self) -> None:
        """Note that a sheet has just been proved: nothing but a warning can hold now."""
        if not status.blocking(self._seen):
            self._vouched_at = self._clock.mono()

    async def ask_block(self, question: bytes, timeout_s: float) -> bytes | None:
        """Return the next block after `question`, None in silence. Raises LineLost."""
        self.write(question)
        until = self._clock.mono() + timeout_s
        while (left_s := until - self._clock.mono()) > 0:
            event = await self.next(left_s)
            if isinstance(event, status.Block):
                return event.data
        return None

    async def _realtime(self, timeout_s: float) -> int | None:
        until = self._clock.mono() + timeout_s
        while (left_s := until - self._clock.mono()) > 0:
            event = await self.next(left_s)
            if isinstance(event, status.Realtime):
                return event.byte
        return None

    async def _quiet(self, timeout_s: float) -> None:
        while await self.next(timeout_s) is not None:
            pass

    def close(self) -> None:
        """End the conversation in good order."""
        if self._wire is not None:
            self._wire.close()
        self._on_lost()

    def abort(self) -> None:
        """End it and drop what has not left yet."""
        if self._wire is not None:
            self._wire.abort()
        self._on_lost()
