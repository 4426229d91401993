"""Rules of the day close: what is due, how entries and days add up, what a period is."""

from __future__ import annotations

import pytest

from fep.domain import dayclose
from fep.domain.dayclose import Entry, Sum, Tally, days_between, due, ranges, span


def _entry(number: int = 1, fen: int = 100, **more: object) -> Entry:
    values = {"kind": "k", "code": "42060126", "number": f"{number:010d}", "point": "001",
              "amount_fen": fen, "issued_on": "2026-11-21", **more}  # fmt: skip
    return Entry(**values)  # type: ignore[arg-type]  # a test's changes are of any type


@pytest.mark.parametrize(
    ("last", "first", "expected"),
    [
        ("", "", []),
        ("", "2026-11-19", ["2026-11-19", "2026-11-20"]),
        ("", "2026-11-21", []),
        ("2026-11-18", "", ["2026-11-19", "2026-11-20"]),
        ("2026-11-20", "", []),
        ("2026-12-31", "", []),
    ],
)
def test_what_is_over_and_not_closed_is_due(last: str, first: str, expected: list[str]):
    assert expected == due(last, first, "2026-11-21")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("2026", ("2026-01-01", "2026-12-31")),
        ("2024-02", ("2024-02-01", "2024-02-29")),
        ("2026-12", ("2026-12-01", "2026-12-31")),
        ("2026-11-21", ("2026-11-21", "2026-11-21")),
    ],
)
def test_a_period_is_a_year_a_month_or_a_day(period: str, expected: tuple[str, str]):
    assert expected == span(period)


@pytest.mark.parametrize("period", ["", "x", "2026-13", "2026-02-30", "2026-1-2-3"])
def test_anything_else_is_no_period(period: str):
    with pytest.raises(ValueError, match=r"."):
        span(period)


def test_days_follow_each_other_over_the_end_of_a_year():
    assert ["2026-12-31", "2027-01-01"] == days_between("2026-12-31", "2027-01-01")
    assert [] == days_between("2027-01-01", "2026-12-31")


def test_spans_that_touch_or_overlap_are_one():
    assert [(1, 5), (7, 7)] == ranges([(3, 5), (1, 2), (2, 4), (7, 7)])


def test_parts_of_a_red_receipt_stay_red_also_when_one_of_them_is_positive():
    summed = Sum()
    red = _entry(2, -100, channels=(("01", 150), ("02", -50)), items=(("a", "A", 100),)).turned()
    summed.add(red)

    told = summed.told()

    assert {-150, 50} == {row["red_fen"] for row in told["channels"]}
    assert [0, 0] == [row["blue"] for row in told["channels"]]
    assert -100 == told["items"][0]["net_fen"]


def test_days_merge_to_what_their_entries_sum_to():
    entries = [
        _entry(1, 100, cashier="a", channels=(("01", 100),), items=(("i", "I", 100),)),
        _entry(2, -50, blue="x", blue_on="2026-11-20"),
        _entry(3, 70, burned=True),
        _entry(4, 30, issued_on="2026-11-20"),
        _entry(5, 30, issued_on="2026-11-20", burned=True),
        _entry(6, -5, blue="y", blue_on="2026-11-21"),
    ]
    whole, merged = Sum(), Sum()
    for entry in entries:
        part = Sum(used=1)
        part.add(entry, "2026-11-21")
        whole.add(entry, "2026-11-21")
        merged.merge(part.told())
    whole.used = len(entries)

    assert whole.told() == merged.told()
    told = whole.told()
    assert Tally(2, 130, 2, -55, 2) == dayclose.tally_of(told["total"])
    assert ["x"] == [row["blue"] for row in told["earlier"]]
    assert [30, 0] == [row["fen"] for row in told["late"]]


def test_the_day_before_and_after_are_dates():
    assert ("2026-02-28", "2026-03-01") == (
        dayclose.day_before("2026-03-01"), dayclose.day_after("2026-02-28"))  # fmt: skip
