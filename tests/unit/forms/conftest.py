"""An office for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.forms.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with one form printer; what it leaves behind must hold together."""
    office = Office(tmp_path / "site")
    yield office
    assert [] == office.counter.violations()
