"""Past its deadline a call is closed, wholly: number burned with evidence, key free again."""

from __future__ import annotations

from tests.unit.services.counter import DEADLINE_S, Counter, number


def _late(counter: Counter, key: str = "A") -> list[object]:
    """Issue with a signer that does not answer, past the deadline."""
    counter.signer.at_once = False
    answers = counter.call(key)
    counter.wait(DEADLINE_S + 0.5)
    return answers


def test_nobody_is_refused_before_the_deadline(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A")

    counter.wait(DEADLINE_S - 0.2)

    assert [] == answers
    counter.signer.answer(0)
    counter.turn()
    assert [(number(1), False)] == answers


def test_a_silent_signer_refuses_the_event_and_burns_its_number_in_one_transaction(
    counter: Counter,
):
    assert ["SIG_TIMEOUT"] == _late(counter)

    books = counter.books()
    assert {number(1): "burned"} == counter.states()
    assert [("refused", "SIG_TIMEOUT")] == [(e.state, e.reason) for e in books["event"]]
    assert [(number(1), "SIG_TIMEOUT")] == [(b.number, b.reason) for b in books["burn"]]
    evidence = int(books["burn"][0].evidence.removeprefix("journal "))
    line = bytes(next(row.line for row in books["journal"] if row.seq == evidence)).decode()
    assert '"op":"receipt.burned"' in line
    assert f'"ref":"42060126-{number(1)}"' in line
    assert [] == counter.violations()


def test_the_answer_of_a_refusal_waits_for_its_burn(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A")
    counter.turn()
    counter.disk.held = True

    counter.wait(DEADLINE_S + 0.5)

    assert [] == answers
    assert {number(1): "frozen"} == counter.states()
    counter.disk.turn()
    counter.turn()
    assert ["SIG_TIMEOUT"] == answers


def test_a_crash_before_the_burn_is_durable_leaves_a_frozen_receipt_not_half_a_refusal(
    counter: Counter,
):
    counter.signer.at_once = False
    counter.call("A")
    counter.turn()
    counter.disk.held = True
    counter.wait(DEADLINE_S + 0.5)

    counter.crash()

    books = counter.books()
    assert {number(1): "frozen"} == counter.states()
    assert ["issued"] == [event.state for event in books["event"]]
    assert [] == books["burn"]


def test_a_signature_that_comes_late_is_discarded(counter: Counter):
    _late(counter)

    counter.signer.answer(0)
    counter.turn()

    assert {number(1): "burned"} == counter.states()
    assert [] == counter.books()["signature"]
    assert [] == counter.books()["upload"]
    assert [] == counter.violations()


def test_a_signature_that_comes_while_the_burn_is_committing_is_discarded(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A")
    counter.turn()
    counter.disk.held = True
    counter.wait(DEADLINE_S + 0.5)

    counter.signer.answer(0)
    counter.disk.turn()
    counter.turn()

    assert ["SIG_TIMEOUT"] == answers
    assert {number(1): "burned"} == counter.states()
    assert [] == counter.violations()


def test_a_refused_key_may_come_again_and_gets_a_new_number(counter: Counter):
    _late(counter)
    counter.signer.at_once = True

    assert (number(2), False) == counter.issued("A")
    assert {number(1): "burned", number(2): "sealed"} == counter.states()
    assert (number(2), True) == counter.issued("A")
    assert [] == counter.violations()


def test_a_call_while_the_burn_commits_is_refused_with_it(counter: Counter):
    counter.signer.at_once = False
    first = counter.call("A")
    counter.turn()
    counter.disk.held = True
    counter.wait(DEADLINE_S + 0.5)

    second = counter.call("A")
    counter.disk.turn()
    counter.turn()

    assert (["SIG_TIMEOUT"], ["SIG_TIMEOUT"]) == (first, second)


def test_a_freeze_stuck_past_the_deadline_is_burned_once_it_commits(counter: Counter):
    counter.disk.held = True
    answers = counter.call("A")
    counter.wait(DEADLINE_S + 1)
    assert [] == answers

    counter.disk.turn()
    counter.turn()

    assert ["SIG_TIMEOUT"] == answers
    assert [] == counter.signer.asked
    assert {number(1): "burned"} == counter.states()
    assert [] == counter.violations()


def test_a_seal_that_is_slow_to_commit_is_waited_for_not_burned(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A")
    counter.turn()
    counter.disk.held = True
    counter.signer.answer(0)

    counter.wait(DEADLINE_S + 1)

    assert [] == answers
    counter.disk.turn()
    counter.turn()
    assert [(number(1), False)] == answers
    assert [] == counter.violations()


def test_a_signer_that_says_no_refuses_at_once(counter: Counter):
    counter.signer.refuses = True

    assert "SIG_TIMEOUT" == counter.issued("A")
    assert {number(1): "burned"} == counter.states()
    assert [] == counter.violations()


def test_a_queued_event_never_expires(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A", queued=True)

    counter.wait(10 * DEADLINE_S)

    assert [] == answers
    counter.signer.answer(0)
    counter.turn()
    assert [(number(1), False)] == answers


def test_a_queued_event_is_signed_when_the_signer_is_back(counter: Counter):
    counter.signer.refuses = True
    answers = counter.call("A", queued=True)
    counter.wait(2 * DEADLINE_S)
    assert [] == answers

    counter.signer.refuses = False
    counter.wait(1.5)

    assert [(number(1), False)] == answers
    assert {number(1): "sealed"} == counter.states()
    assert [] == counter.violations()


def test_the_deadline_of_one_call_is_not_that_of_the_next(counter: Counter):
    counter.signer.at_once = False
    first = counter.call("A")
    counter.wait(DEADLINE_S - 1)
    second = counter.call("B")

    counter.wait(1.5)

    assert (["SIG_TIMEOUT"], []) == (first, second)
    counter.signer.answer(1)
    counter.turn()
    assert [(number(2), False)] == second
    assert [] == counter.violations()


def test_nothing_ticks_when_nothing_is_under_way(counter: Counter):
    counter.issued("A")
    counter.wait(DEADLINE_S)

    assert [] == counter.room.clock.getDelayedCalls()
