"""A ward for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.life.ward import Ward


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    """A ward with fifty numbers and twenty sheets; what it leaves behind must hold together."""
    ward = Ward(tmp_path / "site")
    yield ward
    assert [] == ward.violations()
