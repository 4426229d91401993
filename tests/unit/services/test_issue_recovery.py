"""After a crash: the same number, the same bytes; nobody was told anything yet."""

from __future__ import annotations

import pytest

from fep.services import issue as issue_module
from tests.unit.services.counter import DEADLINE_S, Counter, number


def _crash_while_frozen(counter: Counter, *keys: str) -> list[bytes]:
    counter.signer.at_once = False
    for key in keys:
        counter.call(key)
    counter.turn()
    asked = [digest for digest, _ in counter.signer.asked]
    counter.crash()
    return asked


def test_frozen_receipts_are_signed_again_over_the_same_bytes(counter: Counter):
    before = _crash_while_frozen(counter, "A", "B")

    assert 2 == counter.issue.recover()
    counter.turn()

    assert before == [digest for digest, _ in counter.signer.asked]
    assert {number(1): "sealed", number(2): "sealed"} == counter.states()
    assert [] == counter.violations()


def test_a_retry_joins_the_recovery_of_its_event(counter: Counter):
    _crash_while_frozen(counter, "A")
    counter.signer.at_once = False
    counter.issue.recover()

    answers = counter.call("A")
    counter.turn()
    assert [] == answers
    counter.signer.answer(0)
    counter.turn()

    assert [(number(1), True)] == answers
    assert 1 == len(counter.signer.asked)
    assert [] == counter.violations()


def test_a_retry_with_other_content_does_not_join_a_recovery(counter: Counter):
    _crash_while_frozen(counter, "A")
    counter.signer.at_once = False
    counter.issue.recover()

    assert ["EVT_CONFLICT"] == counter.call("A", 9999)


def test_a_recovered_receipt_that_nobody_asks_for_waits_for_its_signer(counter: Counter):
    _crash_while_frozen(counter, "A")
    counter.signer.at_once = False
    counter.issue.recover()

    counter.wait(5 * DEADLINE_S)

    assert {number(1): "frozen"} == counter.states()
    counter.signer.answer(0)
    counter.turn()
    assert {number(1): "sealed"} == counter.states()


def test_a_retry_that_joins_a_recovery_is_told_to_come_again_at_its_deadline(
    counter: Counter,
):
    _crash_while_frozen(counter, "A")
    counter.signer.at_once = False
    counter.issue.recover()
    counter.wait(2 * DEADLINE_S)

    answers = counter.call("A")
    counter.wait(DEADLINE_S + 0.5)

    assert ["BUSY"] == answers
    assert {number(1): "frozen"} == counter.states()
    counter.signer.answer(0)
    counter.turn()
    assert (number(1), True) == counter.issued("A")
    counter.wait(0.5)
    assert [] == counter.room.clock.getDelayedCalls()
    assert [] == counter.violations()


def test_more_frozen_receipts_than_are_taken_up_at_once_are_all_signed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(issue_module, "RECOVERED_AT_ONCE", 3)
    _crash_while_frozen(counter, *(f"K{index}" for index in range(8)))

    counter.issue.recover()
    counter.turn(60)

    assert {"sealed"} == set(counter.states().values())
    assert [] == counter.violations()


def test_a_frozen_receipt_that_was_not_recovered_is_signed_by_its_retry(counter: Counter):
    before = _crash_while_frozen(counter, "A")

    assert number(1) == counter.issued("A")[0]
    assert before == [digest for digest, _ in counter.signer.asked]
    assert [] == counter.violations()


def test_a_crash_between_commit_and_answer_gives_the_retry_the_same_receipt(counter: Counter):
    counter.issued("A")
    counter.crash()
    counter.issue.recover()

    assert (number(1), True) == counter.issued("A")
    assert [] == counter.signer.asked


def test_what_was_not_committed_never_happened(counter: Counter):
    counter.disk.held = True
    counter.call("A")
    counter.turn()

    counter.crash()

    assert [] == counter.books()["event"]
    assert (number(1), False) == counter.issued("B")
    assert [] == counter.violations()
