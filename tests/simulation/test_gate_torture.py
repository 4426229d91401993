"""Five seeds of the gate torture; `scripts/soak gate` lives through two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.torture import Torture


@pytest.mark.parametrize("seed", [10, 101, 102, 103, 104])
def test_every_record_takes_effect_once_within_two_hours_of_healing(tmp_path: Path, seed: int):
    outcome = Torture(tmp_path, seed, receipts=60, hours=14.0).live()

    assert outcome.good, outcome
    assert outcome.records > 65
    assert {"lost", "repeated", "late", "truncated", "renamed"} <= set(outcome.did)
