"""The same harness on a real daemon with a bug planted in its process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.checkers import check_all
from tests.harness.processes import Fleet, wait_until
from tests.harness.town import Town
from tests.plant.bugs import BUGS

HOOK = Path(__file__).parent / "hook"
ROOT = Path(__file__).resolve().parents[2]


def _day(place: Path, bug: str) -> list[str]:
    with Fleet(place / "world" / "logs") as fleet:
        town = Town(place, fleet)
        town.environment = {"FEP_PLANT": bug, "PYTHONPATH": f"{HOOK}:{ROOT}"}
        town.found()
        town.start_province()
        town.start_gate()
        town.start_printer("--no-png", "--quiet")
        daemon = town.start_daemon()
        town.grant(100)
        wait_until(town.has_numbers, "numbers", timeout_s=30, children=[daemon])
        town.load("--count", "20", "--concurrency", "4", "--print")
        wait_until(town.drained, "drained", timeout_s=30, children=[daemon], poll_s=0.2)
        fleet.stop_all()
        found = check_all(town.place, town.ledger, town.report(), town.paper)
    return [str(violation) for violation in found]


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "bug", ["", "number_skipped", "journal_link_broken", "journal_not_written"]
)
def test_a_bug_in_the_daemons_process_is_found(bug: str, tmp_path: Path):
    found = _day(tmp_path / "site", bug)

    expected = BUGS[bug][1] if bug else set()
    assert bool(expected) == bool(expected & {text.split(":")[0] for text in found}), found
    assert bug or [] == found
