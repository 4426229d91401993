"""The machines are tested too: each bug planted in the rules is found, by the steps themselves."""

from __future__ import annotations

import pytest

from fep.domain.numbers import Block
from tests.plant.domain_bugs import DOMAIN_BUGS, planted
from tests.property.stepping import Stepping, run

CASES = [(name, machine) for name, (_, machines) in DOMAIN_BUGS.items() for machine in machines]


@pytest.mark.parametrize(("name", "machine"), CASES)
def test_planted_bug_is_found(name: str, machine: type[Stepping]):
    with planted(name), pytest.raises(AssertionError):
        run(machine)


def test_nothing_planted_stays():
    block = Block(1, "U", "C", 1, 1, 1, not_after=5)

    with planted("expired_block_is_still_used"):
        assert not block.expired(6)

    assert block.expired(6)
