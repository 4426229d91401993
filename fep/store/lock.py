"""The lock of a data directory: one daemon, or one reader while the daemon is down.

A flock on `fep.lock`; the file tells who holds it. The lock goes with the process, so a
crash never leaves a stale one.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path


class Locked(Exception):
    """Somebody else holds the directory; `holder` is what they wrote (may be empty)."""

    def __init__(self, holder: dict[str, object]) -> None:
        super().__init__(f"data directory in use: {holder}")
        self.holder = holder


class DataLock:
    """flock on `path`; keep the object alive as long as the lock is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, role: str, since_ms: int) -> None:
        """Take the lock and note role, pid and since. Raises Locked, OSError."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 4096, 0)
            os.close(fd)
            raise Locked(_parse(holder)) from error
        note = json.dumps({"pid": os.getpid(), "role": role, "since_ms": since_ms}).encode()
        os.ftruncate(fd, 0)
        os.pwrite(fd, note, 0)
        self._fd = fd

    @property
    def held(self) -> bool:
        """Say whether the lock is ours."""
        return self._fd is not None

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def runs(path: Path) -> bool:
    """Say whether the process that noted itself last still runs; never takes the lock.

    A number that another process has by now is not it: whoever runs has the file open.
    """
    try:
        pid = _parse(path.read_bytes()[:4096]).get("pid")
        return any(_same(fd, path) for fd in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:  # a process of somebody else, most likely the service's user
        return True
    except OSError:
        return False


def _same(fd: Path, path: Path) -> bool:
    try:
        return fd.samefile(path)
    except FileNotFoundError:  # closed meanwhile, or no file at all
        return False


def _parse(note: bytes) -> dict[str, object]:
    try:
        found = json.loads(note or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
