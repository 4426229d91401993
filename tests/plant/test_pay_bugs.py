"""The schedules of the till are tested too: each planted bug is found by what the money says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device.pay_schedules import Schedules
from tests.plant.pay_bugs import PAY_BUGS, planted

CHUNK, MOST = 20, 400


@pytest.mark.parametrize("name", sorted(PAY_BUGS))
def test_planted_bug_is_found(name: str, tmp_path: Path):
    run = Schedules(tmp_path)
    with planted(name):
        for first in range(0, MOST, CHUNK):
            run.play(range(first, first + CHUNK))
            if run.wrong():
                break

    assert [] != run.wrong(), f"{name} was not found in {MOST} schedules"
    run.close()
