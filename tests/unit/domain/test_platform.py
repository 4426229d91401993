"""The life of a call to a platform: an unknown outcome is left only by asking by key."""

from __future__ import annotations

import pytest

from fep.domain.platform import (
    CALL_TABLE,
    CallState,
    CallStep,
    Operation,
    Parcel,
    Reply,
    Verdict,
    Why,
    compared,
    decide,
    unsupported,
)

PARCEL = Parcel(
    Operation.ISSUE, "k", "u", "42060126", "0000000001", check_code="abc123", amount_fen=1230
)


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        (Verdict.OK, CallState.DONE),
        (Verdict.DUP, CallState.DONE),
        (Verdict.REJECT, CallState.DONE),
        (Verdict.UNSUPPORTED, CallState.DONE),
        (Verdict.RETRY, CallState.DUE),
        (Verdict.DOUBT, CallState.DOUBT),
    ],
)
def test_an_answer_ends_a_call_and_silence_leaves_it_in_doubt(verdict, after):
    assert after is decide(CallState.CALLING, Reply(verdict))


def test_a_refusal_as_duplicate_is_compared_before_it_is_believed():
    assert CallState.DOUBT is decide(CallState.CALLING, Reply(Verdict.REJECT, Why.DUPLICATE))


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        (Verdict.DUP, CallState.DONE),
        (Verdict.CONFLICT, CallState.DONE),
        (Verdict.ABSENT, CallState.DUE),
        (Verdict.DOUBT, CallState.DOUBT),
        (Verdict.REJECT, CallState.DOUBT),
        (Verdict.RETRY, CallState.DOUBT),
    ],
)
def test_doubt_ends_only_with_what_the_platform_says_by_key(verdict, after):
    assert after is decide(CallState.DOUBT, Reply(verdict))


def test_nothing_but_a_question_or_a_person_leads_out_of_doubt():
    ways = {step for (state, step), after in CALL_TABLE.items()
            if state is CallState.DOUBT and after is not CallState.DOUBT}  # fmt: skip

    assert {CallStep.THERE, CallStep.ABSENT, CallStep.DIFFERS, CallStep.SETTLED} == ways


def test_what_the_platform_holds_is_compared_with_ours():
    same = Reply(Verdict.OK, facts={"code": "42060126", "amount_fen": "1230"})
    other = Reply(Verdict.OK, facts={"amount_fen": "1231"})
    none = Reply(Verdict.REJECT, Why.ABSENT)
    silent = Reply(Verdict.DOUBT)

    found = [compared(PARCEL, reply).verdict for reply in (same, other, none, silent)]

    assert [Verdict.DUP, Verdict.CONFLICT, Verdict.ABSENT, Verdict.DOUBT] == found


def test_an_act_on_paper_that_a_dialect_lacks_is_kept_local_and_a_receipt_is_refused():
    assert Verdict.UNSUPPORTED is unsupported(Operation.PAPER, "x").verdict
    assert (Verdict.REJECT, Why.UNSUPPORTED) == (
        unsupported(Operation.RED, "x").verdict,
        unsupported(Operation.RED, "x").why,
    )
