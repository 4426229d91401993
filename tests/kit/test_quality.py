"""The README's table of drivers says what the kit runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fep.plug import DRIVERS, names
from fep.testing import plugin
from scripts import quality
from tests.kit.cases import IppOverTcp
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


@pytest.mark.parametrize(("every_byte", "stride"), [(True, 1), (False, IppOverTcp.stride)])
def test_the_long_form_of_the_kit_leaves_no_byte_out(every_byte: bool, stride: int):
    class Long(IppOverTcp):
        pass

    item = SimpleNamespace(cls=Long, name="test_of_its_own", originalname="test_of_its_own")
    config = SimpleNamespace(getoption=lambda name, default: every_byte)

    plugin.pytest_collection_modifyitems(config, [item])

    assert stride == Long.stride


def test_what_is_left_out_and_what_is_not_proved_stands_in_the_table():
    rows = {line.split("|")[2].strip() + line.split("|")[1]: line
            for line in quality.table().splitlines()[2:]}  # fmt: skip

    assert "one byte in 61, at every one in `scripts/soak kit`" in rows["TCP `ipp` "]
    assert "at best `accepted`" in rows["lpd `escpos` "]
    assert "accepted" not in rows["TCP `escpos` "]
