"""The diagrams of the manual are those of the tables, and the tables hold together."""

from __future__ import annotations

import pytest

from scripts import states
from tests.repo.test_house import _catalogue


def test_the_pages_of_states_are_fresh():
    assert [] == states.stale(), "run scripts/states.py --write"


@pytest.mark.parametrize("diagram", states.DIAGRAMS, ids=lambda diagram: diagram.en)
def test_a_table_and_its_refusals_never_speak_of_the_same_step(diagram: states.Diagram):
    assert set() == set(diagram.table) & set(diagram.refusals)


def test_every_refusal_of_a_table_is_in_the_catalogue():
    codes = {code for diagram in states.DIAGRAMS for code in diagram.refusals.values()}

    assert set() == codes - set(_catalogue())
