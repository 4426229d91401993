"""Rules of the comparison: what differs, what is only on its way, what is safe to do."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from fep.domain.faults import Refused
from fep.domain.reconcile import (
    GAP_TABLE,
    Gap,
    GapState,
    GapStep,
    Line,
    Repair,
    Total,
    compare,
    decide,
    differing,
    repair_of,
    step_of,
    totals,
    with_state,
)

CODE = "42060126"


def _line(number: int = 1, fen: int = 100, **more: object) -> Line:
    return replace(Line(CODE, f"{number:010d}", "k", fen), **more)  # type: ignore[arg-type]  # a test's changes


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_equal_books_have_equal_totals_in_any_order():
    lines = [_line(1), _line(2, -100), _line(3, 50, reversed=True, booked=True, written_off=True)]

    here, there = totals(lines, _hex), totals(reversed(lines), _hex)

    assert [] == differing(here, there)
    assert (2, 150, 1, -100, 1, 1, 1) == here[0].figures()


@pytest.mark.parametrize(
    "other",
    [
        [_line(1), _line(2, 99)],
        [_line(1)],
        [_line(1, 99), _line(2, 101)],  # only the digest tells these apart
        [_line(1), _line(2, booked=True)],
        [_line(1), replace(_line(2), kind="other")],
    ],
)
def test_books_that_differ_anywhere_are_drilled_into(other: list[Line]):
    here = totals([_line(1), _line(2)], _hex)

    assert (CODE, "k") in differing(here, totals(other, _hex))


def test_a_platform_without_a_digest_is_compared_by_its_figures():
    assert [] == differing([Total(CODE, "k", 1, 5, digest="a")], [Total(CODE, "k", 1, 5)])


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ([_line()], [], Gap.ONLY_HERE),
        ([], [_line()], Gap.ONLY_THERE),
        ([_line()], [_line(fen=99)], Gap.AMOUNT),
        ([_line()], [replace(_line(), kind="other")], Gap.AMOUNT),
        ([_line()], [_line(reversed=True)], Gap.STATE),
        ([_line()], [_line(booked=True)], Gap.STATE),
        ([_line(written_off=True)], [_line()], Gap.STATE),
    ],
)
def test_a_difference_has_its_type(here: list[Line], there: list[Line], expected: Gap):
    (found,) = compare(here, there).differences

    assert (expected, f"{CODE}-0000000001", "k") == (found.gap, found.name, found.kind)


def test_what_is_on_its_way_or_was_refused_is_no_difference():
    here = [_line(1, delivery="due"), _line(2, delivery="sent"), _line(3, delivery="rejected"),
            _line(4, unsure=True), _line(5, delivery="sent")]  # fmt: skip

    found = compare(here, [_line(4, reversed=True), _line(5)])

    assert ((), 2, 1) == (found.differences, found.in_transit, found.refused)
    assert tuple(here[:3]) == found.apart


@pytest.mark.parametrize(
    ("gap", "here", "there", "expected"),
    [
        (Gap.ONLY_HERE, "normal", "", Repair.RESEND),
        (Gap.ONLY_THERE, "", "normal", Repair.REPORT),
        (Gap.AMOUNT, "normal", "normal", Repair.DECIDE),
        (Gap.STATE, "reversed", "normal", Repair.RESEND_RED),
        (Gap.STATE, "normal", "reversed+booked", Repair.DECIDE),
        (Gap.STATE, "normal", "written_off", Repair.MARK),
        (Gap.STATE, "booked", "normal", Repair.ASK_AGAIN),
    ],
)
def test_each_type_has_one_safe_repair(gap: Gap, here: str, there: str, expected: Repair):
    assert expected is repair_of(gap, here, there)


def test_a_machine_never_settles_what_only_a_person_can():
    noted = {repair for repair in Repair if step_of(repair) is GapStep.NOTE}

    assert {Repair.REPORT, Repair.DECIDE} == noted


def test_a_difference_is_gone_only_when_both_books_agree():
    assert {GapStep.AGREES} == {step for (_, step), after in GAP_TABLE.items()
                                if after is GapState.GONE}  # fmt: skip
    assert GapState.OPEN is decide(GapState.REPAIRING, GapStep.FOUND, "x")
    with pytest.raises(Refused, match="REC_STATE") as told:
        decide(GapState.GONE, GapStep.REPAIR, "x")
    assert ("已一致" in told.value.zh, "is gone" in told.value.en) == (True, True)


@pytest.mark.parametrize("state", ["normal", "reversed", "written_off+booked"])
def test_a_state_in_words_is_read_back(state: str):
    assert state == with_state(_line(), state).state
