"""The offline budget: the limit of a single receipt, and the marks that warn."""

from __future__ import annotations

import pytest

from fep.domain.faults import Refused
from fep.domain.link_budget import AWAY_MS, MS_PER_HOUR, OfflineBudget, OfflineUse
from fep.domain.numbers import Block, left, take
from fep.services.budget import RunningBudget
from tests.unit.fence.guarded import Notes

SINGLE = OfflineBudget(hours=None, single_fen=50_000)


@pytest.mark.parametrize(
    ("offline_ms", "amount_fen", "code"),
    [
        (AWAY_MS, 50_001, "OFF_SINGLE"),
        (AWAY_MS, 50_000, ""),
        (AWAY_MS - 1, 50_001, ""),
    ],
)
def test_a_single_receipt_is_limited_while_the_platform_is_away(
    offline_ms: int, amount_fen: int, code: str
):
    refused = SINGLE.verdict(OfflineUse(offline_ms), amount_fen)

    assert code == (refused.code if isinstance(refused, Refused) else "")


def test_the_tighter_limit_holds_and_nothing_is_allowed_by_zero():
    ours = OfflineBudget(10, 5, None, 900)

    assert OfflineBudget(10, 5, 700, 800) == ours.bound_by(OfflineBudget(20, None, 700, 800))
    assert 100 == OfflineBudget(hours=None, count=0).used_percent(OfflineUse())


def test_each_mark_warns_once_and_a_hundred_percent_stops():
    notes, hours = Notes(), [0]
    budget = RunningBudget(OfflineBudget(hours=100), lambda: hours[0] * MS_PER_HOUR, 0, 0, notes)
    refused = []
    for hours[0] in (0, 49, 50, 60, 80, 94, 95, 99, 100):
        refused.append(budget.reserve(100) is not None)

    assert [("warning", "offline.budget")] * 3 == notes.lines
    assert [False] * 8 + [True] == refused


def test_an_expired_block_is_passed_over_and_stays():
    old, new = Block(1, "U", "C", 1, 9, 5, not_after=50), Block(2, "U", "C", 11, 11, 11)

    assert (11, 2, (old,)) == take((old, new), 51)
    assert 5 == (take((old, new), 50) or (0,))[0]
    assert take((old,), 51) is None
    assert 6 == left((old, new))
