"""The whole system on a fake clock: hours of hospital life, faults included, in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.checkers import check_world
from tests.simulation.city import City
from tests.simulation.trouble import live


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A city with a node that has its numbers."""
    city = City(tmp_path / "site", seed=1)
    city.start()
    city.grant(500)
    assert city.hub.run(60, until=lambda: city.numbers_left() > 0), city.notes.tail()
    city.his.open(4)
    yield city
    city.close()


def _violations(city: City) -> list[str]:
    city.stop()
    return [str(violation) for violation in check_world(city.look())]


def test_a_day_with_the_province_away_for_two_hours(city: City):
    city.his.want(40)
    city.settle(600)
    city.cut()
    city.his.want(40)
    city.hub.run(2 * 3600)
    assert 80 == len(city.his.told)
    assert 40 == len(city.book.rows("SELECT number FROM receipt"))
    city.heal()
    city.settle(3600)

    assert [] == _violations(city)
    assert [] == city.his.refused
    assert 80 == len(city.look().province.receipts)


SEEDS = range(1, 9)
MUST_REACH = {
    "answer repeated", "batch twice", "issue.recovered", "link.nack", "paper printed",
    "paper uncertain", "receipt burned", "receipt sealed",
}  # fmt: skip
_lived: dict[int, Counter[str]] = {}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(400)  # seconds of work when idle; a loaded machine takes its time
def test_crashes_and_faults_by_seed_lose_and_double_nothing(seed: int, tmp_path: Path):
    """Safety at every stop, liveness after healing; a failing seed replays."""
    reached = _lived[seed] = Counter[str]()

    assert [] == live(tmp_path / "site", seed, reached)


def test_the_days_together_reached_every_state_that_matters():
    if set(_lived) != set(SEEDS):
        pytest.skip("only with all seeds in the same run")

    assert set() == MUST_REACH - set().union(*_lived.values())
