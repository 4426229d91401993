"""A loop that takes its turn, sleeps until the next or until somebody rings, and ends in order.

What a turn does, what its failure means and how long to rest belong to the owner; nothing is
caught here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred

from fep.services.uplink_ends import Bell, Timers

Turn = Callable[[], Awaitable[float | None]]
"""Does what is due; returns seconds until the next turn, None to take no more."""


class Rounds:
    """Repeats one turn: `start()`, `ring()`, `await stop()`."""

    def __init__(self, reactor: Timers, turn: Turn) -> None:
        self._turn = turn
        self._bell = Bell(reactor)
        self._loop: Deferred[None] | None = None
        self.running = False

    def start(self) -> None:
        """Begin with a turn; nothing while it runs."""
        if not self.running:
            self.running = True
            self._loop = Deferred.fromCoroutine(self._run())

    def ring(self) -> None:
        """Let the next turn come at once."""
        self._bell.ring()

    async def stop(self) -> None:
        """End after the turn under way."""
        self.running = False
        self._bell.ring()
        if self._loop is not None:
            await self._loop

    async def _run(self) -> None:
        while self.running:
            wait_s = await self._turn()
            if wait_s is None:
                return
            if self.running:
                await self._bell.wait(wait_s)
