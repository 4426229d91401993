"""The life of a simulator process: one at a time, until SIGTERM or SIGINT."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import click


class Loop:
    """Holds the lock of a state directory and repeats a step until told to stop."""

    def __init__(self, lock: Path) -> None:
        lock.parent.mkdir(parents=True, exist_ok=True)
        self._lock = lock
        self._stop = threading.Event()
        self._file = -1

    def __enter__(self) -> Loop:
        self._file = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise click.ClickException(f"{self._lock.parent}: already running") from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def run(self, step: Callable[[], int], poll_s: float) -> None:
        """Repeat `step`; pause `poll_s` seconds whenever it had nothing to do."""
        while not self._stop.is_set():
            if step() == 0:
                self._stop.wait(poll_s)
