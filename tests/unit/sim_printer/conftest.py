"""Benches put their paper below the test's own directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sim_printer.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Return a maker of benches; every bench has its own directory."""
    made: list[Bench] = []

    def make(profile: str = "epson_full", **knobs: Any) -> Bench:
        made.append(Bench(tmp_path / f"paper-{len(made)}", profile, **knobs))
        return made[-1]

    yield make
    for one in made:
        one.printer.put_away()
        assert [] == one.clock.getDelayedCalls()
