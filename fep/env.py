"""The real world: clock, entropy, memory and durable files. The only module that may ask for
time or randomness; everything else is handed a port, so that a test can own both.
"""

from __future__ import annotations

import gc
import os
import secrets
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

SWITCH_S = 0.000_5
ASIDE_S = 0.001
BACK_NICE = 15
COLLECT_AFTER = 20_000
_thread = threading.local()


class RealClock:
    """Wall and monotonic clock of this machine."""

    def wall(self) -> datetime:
        """Return the wall clock in UTC."""
        return datetime.now(UTC)

    def mono(self) -> float:
        """Return seconds since boot, suspended time included, never backwards."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class RealEntropy:
    """Randomness of the operating system."""

    def token(self, size: int) -> bytes:
        """Return `size` random bytes."""
        return secrets.token_bytes(size)

    def below(self, bound: int) -> int:
        """Return a uniform integer in 0 <= n < bound."""
        return secrets.randbelow(bound)


def fsync_dir(path: Path) -> None:
    """Make names inside `path` durable; SQLite and rename(2) leave that to us."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, content: bytes, *, staging: Path | None = None,
                  mode: int = 0o640) -> None:  # fmt: skip
    """Write a file that is either whole or absent: stage, fsync, rename, fsync directory.

    `staging` must be a directory of the same file system (default: beside the file).
    Raises OSError; nothing is left under the final name then.
    """
    temporary = (staging or path.parent) / f".{path.name}.part"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(path)
    fsync_dir(path.parent)


def stand_aside() -> None:
    """Let other threads run for a millisecond; for a worker whose work can wait."""
    time.sleep(ASIDE_S)


def rest_collector() -> None:
    """Collect nothing until `calm_collector`: what a start imports and builds stays anyhow.

    Walking through it again and again is a tenth of the time a start takes.
    """
    gc.disable()


def step_back() -> None:
    """Give the calling thread the low priority of work that can wait, for good; Linux only.

    Threads of one process share its cores evenly otherwise, and one that verifies signatures
    for the link takes them from the one that answers callers.
    """
    if sys.platform == "linux" and not getattr(_thread, "back", False):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACK_NICE)
        _thread.back = True


def calm_collector() -> None:
    """Spare what stands for the whole run from every collection, and collect less often.

    Nearly nothing of an event is a cycle; looking for some after every 700 objects costs a
    tenth of the issuing rate and pauses of milliseconds. A thread that computes gives the
    interpreter back after half a millisecond: with the usual five, every system call of the
    reactor while a batch is built for the link cost a caller that long.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 20)
