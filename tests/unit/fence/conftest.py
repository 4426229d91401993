"""A storeroom that is open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.fence.guarded import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Return an open store with one block of a hundred numbers."""
    made = Room(tmp_path / "site")
    made.open()
    made.grant(1, 100)
    yield made
    made.close()
