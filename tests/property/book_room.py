"""A store for a machine's example: a copy of one that was made once, on a disk in memory."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from tests.harness.storeroom import DAY_MS, Storeroom

_SHM = Path("/dev/shm")
_PLACE = str(_SHM) if _SHM.is_dir() else None


@functools.cache
def _template() -> Storeroom:
    """Return a closed store that is migrated and has its certificate."""
    place = tempfile.TemporaryDirectory(prefix="fep-room-", dir=_PLACE)
    room = Storeroom(Path(place.name) / "site")
    room.open()
    room.close()
    room.place = place  # type: ignore[attr-defined]  # gone with the process
    return room


class Room(Storeroom):
    """A storeroom of its own for one example."""

    def __init__(self) -> None:
        template = _template()
        self._place = tempfile.TemporaryDirectory(prefix="fep-room-", dir=_PLACE)
        self.site = Path(self._place.name) / "site"
        shutil.copytree(template.site, self.site)
        self.clock = Clock()
        self.wall_ms = DAY_MS
        self.fatal: list[str] = []
        self.key, self.certificate = template.key, template.certificate
        self.store: Any = None
        self.cert_id = 0
        self.open()

    def restart(self) -> None:
        """Come up again with what was committed."""
        self.close()
        self.clock = Clock()
        self.open()

    def do(self, work: Any, *args: Any) -> Any:
        """Return what one work of the writer came to, a refusal as its code."""
        (answer,) = self.all_of([self.store.do("step", work, *args)])
        return getattr(answer, "code", answer) if isinstance(answer, Exception) else answer

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        found = self.store.read(lambda conn: conn.exec_driver_sql(sql).all())
        return [tuple(row) for row in found]

    def leave(self) -> None:
        """Close, and take the files away."""
        self.close()
        self._place.cleanup()
