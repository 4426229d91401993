"""One running daemon for the tests of callers, tracing, cut-over and import."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.processes import Fleet, free_ports, wait_until
from tests.harness.town import Town, set_keys
from tests.unit.cutover.office import Office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A site with numbers, an HTTP front and nothing else around it."""
    place = tmp_path_factory.mktemp("office")
    with Fleet(place / "logs") as fleet:
        town = Town(place / "site", fleet)
        town.found()
        (http,) = free_ports(1)
        set_keys(town.config, "http", {"listen": f'["tcp:{http}:interface=127.0.0.1"]'})
        for province in (town.place / "provinces").glob("*.toml"):
            kept = province.read_text("utf-8").replace("reverse_imported = false", "")
            province.write_text(f"reverse_imported = true\n{kept}", "utf-8")
        town.start_daemon()
        town.fepctl(
            "numbers", "import", "--unit", town.unit, "--code", town.code,
            "--first", "0000000001", "--last", "0000009999", "--approval", "批复1",
            "--reason", "test",
        )  # fmt: skip
        wait_until(town.has_numbers, "the block is there", timeout_s=10)
        yield Office(town, http)
