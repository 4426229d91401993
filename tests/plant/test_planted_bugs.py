"""The harness is tested too: every planted bug is found, and nothing is found without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.checkers import check_world
from tests.plant.bugs import BUGS, planted
from tests.plant.garden import Garden


def test_a_sound_day_has_no_violation_and_shows_every_kind_of_state(tmp_path: Path):
    world = Garden(tmp_path / "site").play()

    assert [] == [str(violation) for violation in check_world(world)]
    assert {"sealed", "burned"} == {row.state for row in world.books["receipt"]}
    assert {"issued"} == {row.state for row in world.books["event"]}
    assert {"printed", "uncertain", "cancelled"} == {r.state for r in world.books["print_job"]}
    assert {"printed", "not_printed", "uncertain"} == {
        row.outcome for row in world.books["print_attempt"]
    }
    assert any(acked.repeated for acked in world.his or ())
    assert any(sheet.reprint for sheet in world.paper or ())


@pytest.mark.parametrize("name", sorted(BUGS))
def test_planted_bug_is_found(name: str, tmp_path: Path):
    with planted(name):
        world = Garden(tmp_path / "site").play()

    found = {violation.invariant for violation in check_world(world)}
    assert found & BUGS[name][1], f"{name}: expected one of {BUGS[name][1]}, found {found}"
