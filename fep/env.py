"""The real world: clock, entropy and durable files. The only module that may ask for
time or randomness; everything else is handed a port, so that a test can own both.
"""

from __future__ import annotations

import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path


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
