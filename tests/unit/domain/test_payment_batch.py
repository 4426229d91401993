"""What a settlement proves, and what it leaves to people."""

from __future__ import annotations

import pytest

from fep.domain.payment import Op, Step, Totals
from fep.domain.payment_batch import PROVED_MAX, counted, settled

PAY, VOID, REFUND = Op.PAY, Op.VOID, Op.REFUND
YES, NO = Step.SAY_CHARGED, Step.SAY_NOT_CHARGED


def test_a_void_takes_its_payment_off_and_refunds_count_apart():
    found = counted([(PAY, 100), (PAY, 50), (VOID, 50), (REFUND, 30)])

    assert (1, 100, 1, 30) == (found.count, found.amount_fen, found.refunds, found.refunds_fen)


@pytest.mark.parametrize(
    ("totals", "unknown", "said"),
    [
        ((1, 100, 0, 0), [(PAY, 70)], (NO,)),
        ((2, 170, 0, 0), [(PAY, 70)], (YES,)),
        ((3, 200, 0, 0), [(PAY, 70), (PAY, 30)], (YES, YES)),
        ((2, 170, 0, 0), [(PAY, 70), (PAY, 30)], (YES, NO)),
        ((9, 999, 0, 0), [(PAY, 70)], (None,)),
        ((1, 100, 0, 0), [], ()),
        ((1, 100, 1, 30), [(REFUND, 30), (PAY, 30)], (YES, NO)),
    ],
)
def test_a_settlement_proves_what_only_one_choice_explains(totals, unknown, said):
    assert said == settled(Totals("000001", *totals), [(PAY, 100)], unknown)


def test_what_two_choices_explain_is_left_to_people():
    """One of two equal payments, or one paid and another taken back: the sum is the same."""
    one_of_two = settled(Totals("1", 2, 170, 0, 0), [(PAY, 100)], [(PAY, 70), (PAY, 70)])
    crossed = settled(Totals("1", 1, 70, 0, 0), [(PAY, 70)], [(PAY, 70), (VOID, 70)])

    assert (None, None) == one_of_two
    assert (None, None) == crossed


def test_a_third_one_is_proved_beside_two_that_are_not():
    found = settled(Totals("1", 2, 100, 0, 0), [], [(PAY, 70), (PAY, 70), (PAY, 30)])

    assert (None, None, YES) == found


def test_too_many_unknown_ones_are_left_to_people():
    many = [(PAY, 1)] * (PROVED_MAX + 1)

    assert {None} == set(settled(Totals("1", 0, 0, 0, 0), [], many))
