"""A town for crash tests: one site with real processes, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.processes import Fleet, wait_until
from tests.harness.town import Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Province, gate and printer run; the daemon is started by the tests."""
    place = tmp_path_factory.mktemp("town")
    with Fleet(place / "world" / "logs") as fleet:
        town = Town(place, fleet)
        town.found()
        town.start_province()
        town.start_gate()
        town.start_printer("--no-png", "--quiet")
        daemon = town.start_daemon()
        town.grant(20_000)
        wait_until(town.has_numbers, "the numbers arrive", timeout_s=30, children=[daemon])
        daemon.stop()
        fleet.forget(daemon)
        yield town
