"""Numbers, quota, life cycle and witness under any order of steps: 100,000 in a test run."""

from __future__ import annotations

import pytest

from tests.property.life_books import Books
from tests.property.life_memory import Memory
from tests.property.numbers_pencil import Pencil
from tests.property.quota_ledger import Ledger
from tests.property.stepping import Stepping, promised, run
from tests.property.witness_memory import Witnessed

MACHINES: tuple[type[Stepping], ...] = (Pencil, Ledger, Memory, Witnessed, Books)
STEPS = 100_000


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_no_order_of_steps_breaks_a_promise(machine: type[Stepping]):
    steps = run(machine)

    assert steps >= promised(machine)


def test_the_machines_promise_a_hundred_thousand_steps():
    assert sum(promised(machine) for machine in MACHINES) >= STEPS
