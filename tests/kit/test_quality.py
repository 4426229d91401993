"""The README's table of drivers says what the kit runs."""

from __future__ import annotations

import pytest

from fep.plug import DRIVERS, names
from scripts import quality
from tests.repo.tree import ROOT


def test_the_table_of_drivers_is_fresh():
    text = (ROOT / "README.md").read_text("utf-8")

    assert quality.fresh(text) == text, "run scripts/quality.py --write"


def test_every_kit_is_of_a_driver_that_loads_and_says_what_it_was_tried_on():
    assert {kit.driver for kit in quality.kits()} <= set(names(DRIVERS))
    assert [] == [kit.__name__ for kit in quality.kits() if not kit.tried_on]


@pytest.mark.parametrize("driver", ["escpos", "ipp"])
def test_our_printers_are_at_the_kit(driver: str):
    assert driver in {kit.driver for kit in quality.kits()}
