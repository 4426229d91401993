"""An office for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.days.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a thousand numbers; what it leaves behind must sum up."""
    office = Office(tmp_path / "site")
    yield office
    assert office.tampered == bool(office.violations())
