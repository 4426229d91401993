"""Numbers, quota and life cycle under any order of steps: 100,000 of them in a test run."""

from __future__ import annotations

import pytest

from tests.property.life_memory import Memory
from tests.property.numbers_pencil import Pencil
from tests.property.quota_ledger import Ledger
from tests.property.stepping import Stepping, promised, run

MACHINES: tuple[type[Stepping], ...] = (Pencil, Ledger, Memory)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_no_order_of_steps_breaks_a_promise(machine: type[Stepping]):
    steps = run(machine)

    assert steps >= promised(machine)
