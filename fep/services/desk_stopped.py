"""The desk of a stopped site: the daemon's own lock, the store query-only, the same methods.

While it is open no daemon can start on the directory; it is held for one question only.
Nothing is ever written but the note in the lock file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fep.domain.calendar import to_ms
from fep.domain.faults_desk import desk_refuse
from fep.ports import Clock
from fep.services.desk import answer
from fep.services.desk_context import STORE_FILE, DeskContext, at_once
from fep.services.web_token import UrlOf, no_url, stored_url_of
from fep.store.lock import DataLock, Locked

LOCK_FILE = "fep.lock"
LAST_STOP_FILE = "last-stop.json"
# The store is closed before the note is written; a file system may round its times.
CLOSING_MS = 2000


@dataclass(frozen=True, slots=True)
class StoppedDesk:
    """Answers the read-only methods on a stopped site."""

    context: DeskContext

    def call(self, method: str, **params: Any) -> Any:
        """Run a method to its end. Raises Refused."""
        running = answer(self.context, method, params)
        try:
            running.send(None)
        except StopIteration as ended:
            return ended.value
        raise AssertionError(f"{method} waits for something on a stopped site")


@contextmanager
def opened(data: Path, settings: Any, clock: Clock, version: str) -> Iterator[StoppedDesk]:
    """Hold the data directory and answer from it.

    Raises Refused: CTL_NO_STORE, CTL_DENIED, CTL_STARTING.
    """
    lock = DataLock(data / LOCK_FILE)
    try:
        if not (data / STORE_FILE).exists():
            raise desk_refuse("CTL_NO_STORE", path=data)
        lock.acquire("fepctl", to_ms(clock.wall()))
    except Locked as held:
        holder = held.holder
        raise desk_refuse(
            "CTL_STARTING", pid=holder.get("pid", "?"), role=holder.get("role", "")
        ) from held
    except PermissionError as error:
        raise desk_refuse("CTL_DENIED", path=data) from error
    try:
        yield StoppedDesk(
            DeskContext(
                settings=settings, store=None, clock=clock, issue=None, spool=None,
                uplink=None, started_at=0, selfcheck=None, version=version, data=data,
                aside=at_once, stopped=last_stop(data), url_of=_url_of(data, settings),
            )
        )  # fmt: skip
    finally:
        lock.release()


def _url_of(data: Path, settings: Any) -> UrlOf:
    return stored_url_of(settings.web.base, data) if settings is not None else no_url


def last_stop(data: Path, read: Callable[[Path], str] = Path.read_text) -> Mapping[str, object]:
    """Return since when and why the daemon is down.

    No note, or one older than the last write to the store, means that it was killed or the
    power went: then the time is that of the last write.
    """
    written = max(
        (
            int(path.stat().st_mtime * 1000)
            for path in (data / STORE_FILE, data / f"{STORE_FILE}-wal")
            # A reader of a closed store leaves an empty log behind: that is no write.
            if path.exists() and path.stat().st_size
        ),
        default=0,
    )
    try:
        note = json.loads(read(data / LAST_STOP_FILE))
        at, why, why_zh = int(note["at"]), str(note["why"]), str(note.get("why_zh", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return {"stopped_at": written, "why": "", "crashed": True}
    if written > at + CLOSING_MS:
        return {"stopped_at": written, "why": "", "crashed": True}
    return {"stopped_at": at, "why": why, "why_zh": why_zh, "crashed": False}
