"""What the kit measures: how long the reactor is held, what stays open, what memory is held.

Time in which the kernel ran other processes is not counted as held, where it tells of it.
"""

from __future__ import annotations

import gc
import hashlib
import os
import threading
import tracemalloc
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from twisted.internet.task import LoopingCall, deferLater

from fep.env import RealClock

BEAT_S = 0.002
_TURNS = 50


class Pulse:
    """A beat of the reactor; `longest_s` is the longest time it was kept waiting."""

    def __init__(self, reactor: Any) -> None:
        self.longest_s = 0.0
        self._mono = RealClock().mono
        self._beat = LoopingCall(self._look)
        self._beat.clock = reactor
        self._last = (0.0, 0.0)

    def __enter__(self) -> Self:
        # A collection of a large test process is not the driver's doing.
        gc.collect()
        gc.disable()
        self._last = (self._mono(), _queued_s())
        self._beat.start(BEAT_S, now=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        gc.enable()
        if self._beat.running:
            self._beat.stop()

    def _look(self) -> None:
        now, queued = self._mono(), _queued_s()
        passed = now - self._last[0] - (queued - self._last[1]) - BEAT_S
        self.longest_s = max(self.longest_s, passed)
        self._last = (now, queued)


def _queued_s() -> float:
    """Return how long this thread has waited for a processor, in seconds."""
    try:
        told = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text("ascii")
    except OSError:
        return 0.0
    return int(told.split()[1]) / 1e9


async def open_things(reactor: Any, no_more_than: int | None = None) -> int:
    """Return how many descriptors, timers and selectables are open, once they settled."""
    found = 0
    for _ in range(_TURNS):
        await deferLater(reactor, BEAT_S)
        descriptors = len(os.listdir("/proc/self/fd"))
        found = descriptors + len(reactor.getDelayedCalls()) + len(reactor.getReaders())
        if no_more_than is not None and found <= no_more_than:
            break
    return found


class Held:
    """Counts the bytes that Python holds, while it is entered."""

    def __enter__(self) -> Self:
        tracemalloc.start(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        tracemalloc.stop()

    def bytes(self) -> int:
        """Return what is held now, what waits for the collector included."""
        return tracemalloc.get_traced_memory()[0]


def noise(size: int) -> bytes:
    """Return bytes of no meaning, the same every time; most of them end no frame of any kind."""
    random = size // 4
    return hashlib.shake_256(b"fep").digest(random) + b"7" * (size - random)
