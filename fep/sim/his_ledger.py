"""What the business system was told, on disk before it is counted.

Two rules: a line is counted only after its fsync; one fsync serves all lines that wait.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Counted = Callable[[int], object]


class Ledger:
    """Appends JSON lines to `path` and `path`.refused from a thread of its own."""

    def __init__(self, path: Path, counted: Counted) -> None:
        """`counted(n)` is called in the ledger's thread after n more lines are durable."""
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._acked = os.open(path, flags, 0o640)
        self._refused = os.open(path.with_name(path.name + ".refused"), flags, 0o640)
        self._counted = counted
        self._lines: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    def acked(self, entry: dict[str, Any]) -> None:
        """Queue an acknowledged call."""
        self._lines.put((self._acked, _line(entry)))

    def refused(self, entry: dict[str, Any]) -> None:
        """Queue a refused or unanswered call."""
        self._lines.put((self._refused, _line(entry)))

    def close(self) -> None:
        """Write what is queued, make it durable, and end."""
        self._lines.put(None)
        self._thread.join()
        os.close(self._acked)
        os.close(self._refused)

    def _write(self) -> None:
        while True:
            batch, ended = [self._lines.get()], False
            while not self._lines.empty():
                batch.append(self._lines.get())
            texts: dict[int, bytes] = {}
            acked = 0
            for entry in batch:
                if entry is None:
                    ended = True
                    continue
                texts[entry[0]] = texts.get(entry[0], b"") + entry[1]
                acked += entry[0] == self._acked
            for file, text in texts.items():
                _append(file, text)
            if acked:
                self._counted(acked)
            if ended:
                return


def _append(file: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
