"""A clinic for every test that wants one; one for all tests that change nothing in it."""

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


@pytest.fixture(scope="module")
def quiet_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """A clinic that refuses everything it is asked in this module."""
    clinic = Clinic(tmp_path_factory.mktemp("quiet"))
    yield clinic
    clinic.close()
