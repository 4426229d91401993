"""What a stock should hold, and what is asked for."""

from __future__ import annotations

import pytest

from fep.domain.calendar import CST, to_ms
from fep.domain.kind_check import Stocked
from fep.domain.refill import Need, needs, target


def _ms(month: int) -> int:
    from datetime import datetime

    return to_ms(datetime(2026, month, 20, tzinfo=CST))


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({}, 0),
        ({"2026-11-01": 5}, 5),
        ({"2026-11-01": 5, "2026-11-14": 7, "2026-11-15": 9}, 16),
        ({"2026-10-31": 100, "2026-11-14": 7}, 100),
    ],
)
def test_the_target_is_the_busiest_fourteen_days_on_end(used: dict[str, int], expected: int):
    assert expected == target(used)


def test_a_stock_below_its_target_asks_for_a_whole_one():
    row = Stocked("U", "k", "42060126", "42060127", 119, 0, True)
    used = {("U", "42060126"): {"2026-11-01": 120}}

    (need,) = needs([row], used, _ms(11))

    assert Need("U", "42060126", 119, 120) == need
    assert 200 == need.count
    enough = Stocked("U", "k", "42060126", "42060127", 120, 0, True)
    assert [] == needs([enough], used, _ms(11))


def test_next_years_numbers_are_asked_for_in_december():
    row = Stocked("U", "k", "42060126", "42060127", 120, 0, True)
    used = {("U", "42060126"): {"2026-12-01": 120}}

    assert ["42060127"] == [need.code for need in needs([row], used, _ms(12))]
    plain = Stocked("U", "k", "42060100", "42060100", 0, 0, True)
    assert [] == needs([plain], used, _ms(12))
