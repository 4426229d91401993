"""The machine of payments: what silence may and may not become, and what a settlement proves."""

from __future__ import annotations

import pytest

from fep.domain.payment import (
    OPEN,
    PAYMENT_TABLE,
    AskPeople,
    IllegalStep,
    Inquire,
    PaymentState,
    Step,
    Verdict,
    decide,
    mask_pan,
    step_of,
)

S = PaymentState


def test_no_row_of_the_table_leads_back_to_sending():
    again = [(state, step) for (state, step), after in PAYMENT_TABLE.items()
             if after is S.CREATED or (after is S.SENT and state is not S.CREATED)]  # fmt: skip

    assert [] == again


def test_what_was_sent_is_never_taken_for_unsent_on_silence():
    for state in (S.SENT, S.ACKED, S.UNKNOWN):
        for acked in (False, True):
            assert (S.UNKNOWN, (AskPeople(),)) == decide(state, Step.SILENT, acked=acked)


def test_a_start_finds_what_left_unknown_and_what_did_not_leave_unsent():
    assert (S.NOT_SENT, ()) == decide(S.CREATED, Step.RESTART, acked=False)
    assert (S.UNKNOWN, (Inquire(),)) == decide(S.SENT, Step.RESTART, acked=False)
    assert (S.UNKNOWN, (Inquire(),)) == decide(S.ACKED, Step.RESTART, acked=True)


def test_no_record_proves_something_only_of_what_was_never_acknowledged():
    assert (S.NOT_SENT, ()) == decide(S.SENT, Step.ABSENT, acked=False)
    assert (S.NOT_SENT, ()) == decide(S.UNKNOWN, Step.ABSENT, acked=False)
    assert (S.UNKNOWN, (AskPeople(),)) == decide(S.UNKNOWN, Step.ABSENT, acked=True)
    assert (S.UNKNOWN, (AskPeople(),)) == decide(S.ACKED, Step.ABSENT, acked=True)


def test_ended_payments_take_no_step():
    for state in set(S) - OPEN - {S.UNKNOWN}:
        for step in Step:
            with pytest.raises(IllegalStep) as raised:
                decide(state, step, acked=False)
            assert (state, step) == (raised.value.state, raised.value.step)


def test_only_people_and_settlements_charge_without_the_terminal():
    said = [state for (state, step) in PAYMENT_TABLE if step is Step.SAY_CHARGED]

    assert [S.UNKNOWN] == said


def test_every_verdict_is_a_step():
    assert [verdict.value for verdict in Verdict] == [step_of(verdict).value for verdict in Verdict]


@pytest.mark.parametrize(
    ("pan", "masked"),
    [
        ("6222021234567890123", "622202*********0123"),
        ("6222 0212 3456 7890", "622202******7890"),
        ("622202******7890", "622202******7890"),
        ("123456789012", "************"),
        ("", ""),
    ],
)
def test_a_card_number_is_told_by_six_and_four(pan: str, masked: str):
    assert masked == mask_pan(pan)
