"""One call a second for everything that must look at the world from time to time.

One timer for all of them; a duty that fails is logged and asked again at the next second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EVERY_S = 1.0


class Ticker:
    """Calls its duties once a second, in the order they were added."""

    def __init__(self, reactor: Any, log: Any) -> None:
        self._reactor = reactor
        self._log = log
        self._timer: Any = None
        self._duties: list[Callable[[], object]] = []

    def add(self, duty: Callable[[], object]) -> None:
        """Take a duty on; the first begins to count."""
        self._duties.append(duty)
        if self._timer is None:
            self._timer = self._reactor.callLater(EVERY_S, self._tick)

    def stop(self) -> None:
        """Call nobody any more."""
        self._duties.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._reactor.callLater(EVERY_S, self._tick)
        for duty in self._duties:
            try:
                duty()
            except Exception as error:
                self._log.error("ticker", duty=duty.__qualname__, why=str(error)[:200])
