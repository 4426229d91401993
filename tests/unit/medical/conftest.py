"""A clinic for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.medical.clinic import Clinic


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    """A clinic with numbers and paper."""
    clinic = Clinic(tmp_path)
    yield clinic
    clinic.close()
