"""A counter for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.services.counter import Counter


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A counter with a thousand numbers and no limits."""
    counter = Counter(tmp_path / "site")
    yield counter
    counter.close()
