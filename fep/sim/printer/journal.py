"""Everything that happened to the printer, one JSON object a line.

Rule: bytes are in hex and complete, so that a conversation can be replayed; the file is
turned over once when it is full, so that a long test does not fill the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Teller = Callable[[str, dict[str, object]], None]

MAX_BYTES = 64 * 1024 * 1024


def _tell_nobody(event: str, facts: dict[str, object]) -> None:
    """Nobody listens."""


class Journal:
    """Appends to `journal.jsonl` in the paper directory."""

    def __init__(
        self, directory: Path, now_ms: Callable[[], int], *, tell: Teller = _tell_nobody
    ) -> None:
        self.path = directory / "journal.jsonl"
        self._now_ms = now_ms
        self._tell = tell
        self._size = self.path.stat().st_size if self.path.exists() else 0

    def write(self, event: str, **facts: object) -> None:
        """Append an event; facts are plain JSON values, bytes become hex. Raises OSError."""
        shown = {key: v.hex() if isinstance(v, bytes) else v for key, v in facts.items()}
        text = json.dumps({"at": self._now_ms(), "event": event, **shown}, ensure_ascii=False)
        line = text.encode() + b"\n"
        if self._size + len(line) > MAX_BYTES:
            self.path.replace(self.path.with_suffix(".1.jsonl"))
            self._size = 0
        with self.path.open("ab") as file:
            file.write(line)
        self._size += len(line)
        self._tell(event, shown)
