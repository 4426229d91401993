"""Empty stores for tests that are not about how a store comes up.

A new store costs every migration since the first; here they run once a process, and each test
gets a copy of the file, which `open_store` then opens as it opens any. That migrations build
what is declared is proved in tests/unit/store/test_opening.py and by every daemon process.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from fep.store.opening import migrate
from fep.store.sqlite import open_writer


def lay_store(path: Path) -> None:
    """Put an empty store at `path`, unless there is one."""
    if not path.exists():
        path.write_bytes(_empty())


@functools.cache
def _empty() -> bytes:
    """Return the file of a store that was migrated and never used."""
    place = Path(tempfile.mkdtemp(prefix="fep-blank-"))
    try:
        writer = open_writer(place / "fep.db")
        migrate(writer)
        writer.close()
        writer.engine.dispose()
        # The last connection that closes moves the log into the file.
        assert [place / "fep.db"] == list(place.iterdir())
        return (place / "fep.db").read_bytes()
    finally:
        shutil.rmtree(place)
