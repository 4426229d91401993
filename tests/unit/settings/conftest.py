"""What the tests of settings share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a site without a fault."""
    return Place(tmp_path)
