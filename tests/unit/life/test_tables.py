"""The tables of a receipt's life: complete for a person's steps, and they say why not."""

from __future__ import annotations

import itertools

import pytest

from fep.domain.faults import Refused, fault
from fep.domain.life import (
    LIFE_REFUSALS,
    LIFE_TABLE,
    Life,
    LifeFacts,
    LifeStep,
    NoteBooking,
    Policy,
    Verdict,
    decide,
)
from fep.domain.life_delivery import DELIVERY_TABLE, Delivery, DeliveryStep, revision
from fep.domain.life_delivery import decide as decide_delivery
from fep.domain.life_marks import Booking, Mark, WriteOff, booking_after, write_off_after
from fep.domain.life_sheet import (
    SHEET_REFUSALS,
    SHEET_TABLE,
    SheetState,
    SheetStep,
    parse_range,
    parse_sheet,
)
from fep.domain.life_sheet import decide as decide_sheet

ASKED = (LifeStep.REVERSE, LifeStep.EXCHANGE, LifeStep.PRINT)


@pytest.mark.parametrize(("state", "step"), list(itertools.product(Life, ASKED)))
def test_every_step_of_a_person_is_taken_or_refused_with_a_reason(state: Life, step: LifeStep):
    facts = LifeFacts("42060126-0000000001", red="42060126-0000000002")

    if (state, step) in LIFE_TABLE:
        assert LIFE_TABLE[state, step] is decide(state, step, facts)[0]
    else:
        with pytest.raises(Refused) as refused:
            decide(state, step, facts)
        assert LIFE_REFUSALS[state, step] == refused.value.code
        assert "42060126-0000000001" in refused.value.zh


def test_a_step_of_ours_that_no_table_holds_is_a_bug():
    with pytest.raises(AssertionError):
        decide(Life.REVERSED, LifeStep.SEAL, LifeFacts("x"))


@pytest.mark.parametrize(("state", "step"), list(itertools.product(SheetState, SheetStep)))
def test_every_step_of_a_sheet_is_taken_or_refused(state: SheetState, step: SheetStep):
    if (state, step) in SHEET_TABLE:
        assert SHEET_TABLE[state, step] is decide_sheet(state, step, "042126-1")
    else:
        with pytest.raises(Refused) as refused:
            decide_sheet(state, step, "042126-1")
        assert SHEET_REFUSALS[state, step] == refused.value.code


@pytest.mark.parametrize(
    ("booking", "verdict", "force", "expected"),
    [
        (Booking.YES, Verdict.ALLOWED, False, NoteBooking(Booking.YES, False)),
        (Booking.YES, Verdict.FORCE, True, NoteBooking(Booking.YES, True)),
        (Booking.YES, Verdict.FORCE, False, "LIFE_BOOKED"),
        (Booking.YES, Verdict.REFUSED, True, "LIFE_BOOKED"),
        (Booking.UNKNOWN, Verdict.ALLOWED, False, NoteBooking(Booking.UNKNOWN, False)),
        (Booking.UNKNOWN, Verdict.REFUSED, True, "LIFE_BOOKING"),
        (Booking.UNKNOWN, Verdict.FORCE, True, NoteBooking(Booking.UNKNOWN, True)),
        (Booking.NO, Verdict.REFUSED, False, NoteBooking(Booking.NO, False)),
    ],
)
def test_configuration_decides_whether_a_booked_receipt_is_reversed(
    booking: Booking, verdict: Verdict, force: bool, expected: NoteBooking | str
):
    facts = LifeFacts("r", booking=booking, force=force, policy=Policy(verdict, verdict))

    if isinstance(expected, str):
        with pytest.raises(Refused) as refused:
            decide(Life.SEALED, LifeStep.REVERSE, facts)
        assert expected == refused.value.code
    else:
        assert (Life.REVERSING, (expected,)) == decide(Life.SEALED, LifeStep.REVERSE, facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (LifeFacts("r", is_red=True), "LIFE_RED"),
        (LifeFacts("r", sheet="042126-1"), "LIFE_PAPER"),
    ],
)
def test_a_red_receipt_and_one_whose_paper_is_out_are_not_reversed(facts: LifeFacts, expected: str):
    with pytest.raises(Refused) as refused:
        decide(Life.SEALED, LifeStep.REVERSE, facts)

    assert expected == refused.value.code


def test_a_second_reversal_is_told_in_the_words_of_the_trade():
    assert "已冲销，不能重复冲红" in fault("LIFE_REVERSED").zh


@pytest.mark.parametrize(("state", "step"), list(itertools.product(Delivery, DeliveryStep)))
def test_a_person_deals_with_refused_deliveries_only(state: Delivery, step: DeliveryStep):
    if (state, step) in DELIVERY_TABLE:
        assert DELIVERY_TABLE[state, step] is decide_delivery(state, step, "r")
    else:
        with pytest.raises(Refused) as refused:
            decide_delivery(state, step, "r")
        conflict = (state, step) == (Delivery.CONFLICT, DeliveryStep.RETRY)
        assert ("DLV_CONFLICT" if conflict else "DLV_STATE") == refused.value.code


@pytest.mark.parametrize(
    ("act", "repeat", "expected"), [(0, 0, "0"), (0, 2, "2"), (17, 0, "17"), (17, 1, "17.1")]
)
def test_a_repeat_is_never_taken_for_what_was_refused(act: int, repeat: int, expected: str):
    assert expected == revision(act, repeat)


def test_marks_come_and_go_and_a_write_off_stays():
    booked = booking_after(Booking.UNKNOWN, Mark.BOOKED)
    assert Booking.YES is booked
    assert Booking.NO is booking_after(booked, Mark.UNBOOKED)
    assert Booking.YES is booking_after(booked, Mark.WRITTEN_OFF)
    assert WriteOff.DONE is write_off_after(WriteOff.OPEN, Mark.WRITTEN_OFF)
    assert WriteOff.OPEN is write_off_after(WriteOff.OPEN, Mark.BOOKED)


@pytest.mark.parametrize(
    ("first", "last"), [("2", "1"), ("01", "1"), ("x1", "x2"), ("", ""), ("1" * 19, "2" * 19)]
)
def test_a_range_of_sheets_is_digits_of_one_length_in_order(first: str, last: str):
    with pytest.raises(Refused) as refused:
        parse_range(first, last)

    assert "PAPER_RANGE" == refused.value.code


def test_a_sheet_keeps_its_zeros():
    assert (12, 99, 5) == parse_range("00012", "00099")
    assert ("042126", "00012") == parse_sheet("042126-00012")
    with pytest.raises(Refused):
        parse_sheet("042126")
