"""What the accountant asks of a running node: the day close (and what comes to stand on it).

One object for the node to build, start and stop; it makes the parts and lends them to the
desk. Nothing here is on the issuing path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fep.services.days import Days
from fep.services.desk_context import STORE_FILE, at_once, in_thread, on_reader
from fep.services.guard import Guard
from fep.settings import Settings
from fep.store.writer import Store


class Accounts:
    """The accounts of one node."""

    def __init__(self, settings: Settings, reactor: Any, store: Store, guard: Guard, log: Any,
                 *, now_ms: Callable[[], int], threads: bool) -> None:  # fmt: skip
        self._guard = guard
        path = settings.node.data / STORE_FILE
        aside = in_thread if threads else at_once

        async def read(fn: Any, *args: Any) -> Any:
            return await aside(on_reader, path, fn, args, {})

        units = [unit.code for unit in settings.units.values() if not unit.test]
        self.days = Days(
            reactor, store, read, units, guard.seal, log, now_ms=now_ms, held=self._held
        )

    # from node
    def start(self) -> None:
        """Close what became due while the node was down."""
        self.days.begin()

    def stop(self) -> None:
        """Begin nothing more."""
        self.days.stop()

    # from the almanac
    def new_day(self) -> None:
        """A day is over: close it."""
        self.days.begin()

    def _held(self) -> str:
        """Say why totals would not be true now: a fenced store, a clock in doubt."""
        if self._guard.fence.closed:
            return "fence"
        fault = self._guard.clockwatch.fault
        return fault.code if fault is not None else ""
