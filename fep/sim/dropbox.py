"""A directory that a gate fills and empties: what is there, whole or half, and what to do.

Two rules: a name is only a hint, hidden names are nobody's; a file is deleted only after its
content was stored elsewhere, quarantine keeps everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fep.env import fsync_dir, write_durably

BACKOFF_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


@dataclass(slots=True)
class _Seen:
    first_at: float
    size: int
    looks: int
    next_at: float


class Inbox:
    """Arrivals in `directory`; incomplete ones are looked at again with a back-off."""

    def __init__(self, directory: Path, quarantine: Path, *, part_timeout_s: float) -> None:
        self.directory = directory
        self.quarantine = quarantine
        self.part_timeout_s = part_timeout_s
        self._seen: dict[str, _Seen] = {}
        directory.mkdir(parents=True, exist_ok=True)
        quarantine.mkdir(parents=True, exist_ok=True)

    def due(self, now: float, limit: int) -> list[Path]:
        """Return at most `limit` files to look at, by name. `now` is monotonic seconds."""
        names = sorted(p.name for p in self.directory.iterdir() if not p.name.startswith("."))
        self._seen = {name: seen for name, seen in self._seen.items() if name in set(names)}
        ready = []
        for name in names:
            path = self.directory / name
            seen = self._seen.get(name)
            if seen is None or now >= seen.next_at or _size(path) != seen.size:
                ready.append(path)
            if len(ready) >= limit:
                break
        return ready

    def incomplete(self, path: Path, now: float) -> bool:
        """Note that `path` is not whole; return True once it has been so for too long."""
        size = _size(path)
        seen = self._seen.get(path.name)
        if seen is None:
            seen = self._seen[path.name] = _Seen(now, size, 0, now)
        seen.looks = 1 if size != seen.size else min(seen.looks + 1, len(BACKOFF_S) - 1)
        seen.size = size
        seen.next_at = min(now + BACKOFF_S[seen.looks], seen.first_at + self.part_timeout_s)
        return now - seen.first_at >= self.part_timeout_s

    def done(self, path: Path) -> None:
        """Delete a file whose content is stored."""
        self._seen.pop(path.name, None)
        path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> Path:
        """Move a file to quarantine under a name that is free there."""
        self._seen.pop(path.name, None)
        target, number = self.quarantine / path.name, 1
        while target.exists():
            number += 1
            target = self.quarantine / f"{path.name}.{number}"
        if path.exists():
            path.rename(target)
            fsync_dir(self.quarantine)
        return target


class Outbox:
    """Departures in `directory`, staged in a hidden directory beside them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._staging = directory / ".tmp"
        self._staging.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, content: bytes) -> None:
        """Make a file appear whole."""
        write_durably(self.directory / name, content, staging=self._staging)

    def holds(self, name: str) -> bool:
        """Return whether `name` still waits here; its absence proves nothing."""
        return (self.directory / name).exists()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
