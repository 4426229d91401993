"""Parties are made once: the `openssl` program takes longer than any test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.sim import fpb
from tests.unit.sim import sim_world as parts


@pytest.fixture(scope="session")
def key_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the files of the parties lie."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def parties(key_directory: Path) -> tuple[fpb.Self, fpb.Self]:
    """Return the node and the unit."""
    return parts.identity(key_directory, "node-0001", 11), parts.identity(key_directory, "H1", 22)


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> fpb.Self:
    """Return a party nobody registered."""
    return parts.identity(tmp_path_factory.mktemp("stranger"), "stranger", 33)


@pytest.fixture
def world(tmp_path: Path, parties: tuple[fpb.Self, fpb.Self]) -> Iterator[parts.World]:
    """Return a province, ready to be spoken to."""
    made = parts.build(tmp_path, parties, parts.KNOBS)
    yield made
    made.province.close()
