"""What the tests of settings share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.cli.common_lang import LANG
from tests.unit.settings.place import Place, certificate


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a site without a fault."""
    return Place(tmp_path)


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """Return a certificate of somebody else."""
    return certificate(tmp_path / "theirs.crt")


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """Speak English, and put back what was spoken."""
    before = LANG.get()
    LANG.set("en")
    yield
    LANG.set(before)
