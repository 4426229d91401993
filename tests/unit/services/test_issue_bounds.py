"""What stops issuing, exactly: bounds, budget, fence; and that a stop leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fep.domain.link_budget import OfflineBudget, OfflineUse
from fep.store import issuing
from tests.harness.storeroom import CODE, UNIT
from tests.unit.services.counter import DEADLINE_S, Counter, number


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Counter]:
    """A counter with three places, 20 bytes a content of `{}`, and a budget of 50.00 for four."""
    counter = Counter(
        tmp_path / "site", events_max=3, bytes_max=40, limits=OfflineBudget(None, 4, 5000)
    )
    yield counter
    counter.close()


def _use(counter: Counter) -> tuple[int, int]:
    use: OfflineUse = counter.budget.use()
    return use.count, use.amount_fen


def test_a_full_table_answers_busy_and_takes_the_next_when_one_is_done(narrow: Counter):
    narrow.signer.at_once = False
    for key in "ABC":
        narrow.call(key, 100)
    narrow.turn()

    assert ["BUSY"] == narrow.call("D", 100)
    narrow.signer.answer(0)
    narrow.turn()
    narrow.signer.at_once = True
    assert (number(4), False) == narrow.issued("D", 100)


def test_a_full_table_still_lets_a_repeated_call_join(narrow: Counter):
    narrow.signer.at_once = False
    for key in "ABC":
        narrow.call(key, 100)
    narrow.turn()

    joined = narrow.call("A", 100)
    narrow.signer.answer(0)
    narrow.turn()

    assert [(number(1), True)] == joined


def test_bytes_are_bounded_too(narrow: Counter):
    narrow.signer.at_once = False
    narrow.call("A", 100, body=b"x" * 30)
    narrow.turn()

    assert ["BUSY"] == narrow.call("B", 100, body=b"x" * 11)
    assert [] == narrow.call("C", 100, body=b"x" * 10)
    assert 40 == narrow.issue.stats()["inflight_bytes"]
    narrow.wait(DEADLINE_S + 1)
    assert (0, 0) == (narrow.issue.stats()["inflight"], narrow.issue.stats()["inflight_bytes"])


def test_the_budget_is_never_passed_by_calls_in_flight_together(narrow: Counter):
    answers = [narrow.call(key, 2000) for key in "ABC"]
    narrow.turn()

    assert ["OFF_AMOUNT"] == answers[2]
    assert (2, 4000) == _use(narrow)
    assert (number(3), False) == narrow.issued("D", 1000)
    assert "OFF_AMOUNT" == narrow.issued("E", 1)


def test_the_count_of_the_budget_holds(narrow: Counter):
    assert [f"{n:010d}" for n in range(1, 5)] == [narrow.issued(k, 1)[0] for k in "ABCD"]
    assert "OFF_COUNT" == narrow.issued("E", 1)
    narrow.budget.answered(1, 1)
    assert (number(5), False) == narrow.issued("E", 1)


def test_a_share_is_kept_by_what_was_issued_and_given_back_by_everything_else(narrow: Counter):
    narrow.issued("A", 100)
    assert (1, 100) == _use(narrow)

    narrow.issued("A", 100)  # repeated
    narrow.issued("A", 101)  # other content
    narrow.issued("B", 100, code_at=lambda _: "42060199")  # no numbers
    narrow.issued("C", 100, check_code=None)  # a bug of ours inside the transaction
    narrow.signer.refuses = True
    narrow.issued("D", 100)  # burned
    assert (1, 100) == _use(narrow)

    narrow.signer.refuses = False
    narrow.signer.at_once = False
    narrow.call("E", 100)
    narrow.wait(DEADLINE_S + 1)  # burned at the deadline
    assert (1, 100) == _use(narrow)
    narrow.crash()
    assert (1, 100) == _use(narrow)


def test_a_recovered_receipt_keeps_the_share_it_had(narrow: Counter):
    narrow.signer.at_once = False
    narrow.call("A", 100)
    narrow.turn()
    narrow.crash()
    assert (1, 100) == _use(narrow)

    narrow.issued("A", 100)

    assert {number(1): "sealed"} == narrow.states()
    assert (1, 100) == _use(narrow)


def test_a_frozen_receipt_burned_at_its_retry_gives_its_share_back_once(narrow: Counter):
    narrow.signer.at_once = False
    narrow.call("A", 100)
    narrow.turn()
    narrow.crash()
    narrow.signer.refuses = True

    assert "SIG_TIMEOUT" == narrow.issued("A", 100)

    assert (0, 0) == _use(narrow)
    narrow.budget.reserve(7)
    assert (1, 7) == _use(narrow)


def test_a_used_up_budget_still_answers_an_event_that_has_its_receipt(narrow: Counter):
    narrow.issued("A", 5000)
    assert "OFF_AMOUNT" == narrow.issued("B", 1)

    assert (number(1), True) == narrow.issued("A", 5000)
    assert "EVT_CONFLICT" == narrow.issued("A", 4999)
    assert (1, 5000) == _use(narrow)


def test_a_fence_stops_the_new_and_lets_retries_have_their_receipts(counter: Counter):
    counter.issued("A")

    counter.issue.fence("a test")

    assert "FENCED" == counter.issued("B")
    assert (number(1), True) == counter.issued("A")
    assert "EVT_CONFLICT" == counter.issued("A", 9999)
    assert (1, 1234) == _use(counter)
    assert ["A"] == [event.key for event in counter.books()["event"]]


def test_a_number_found_used_fences_and_says_so(counter: Counter):
    counter.issued("A")
    head = counter.room.store.heads.blocks[UNIT, CODE][0]
    counter.room.store.heads.blocks[UNIT, CODE] = (replace(head, next=1),)

    assert "FENCED" == counter.issued("B")
    assert "FENCED" == counter.issued("C")
    assert (number(1), True) == counter.issued("A")
    assert "issue.fenced" in counter.notes.said
    assert {number(1): "sealed"} == counter.states()
    assert (1, 1234) == _use(counter)


def test_a_dead_store_answers_store_dead_and_issues_nothing_more(counter: Counter):
    counter.issued("A")

    def fails(_commit: Any) -> Any:
        from twisted.internet.defer import fail

        return fail(OSError(28, "No space left on device"))

    counter.room.store._commits = fails
    assert "STORE_DEAD" == counter.issued("B")
    assert "STORE_DEAD" == counter.issued("C")
    assert 1 == len(counter.room.fatal)


def test_stop_refuses_the_new_and_answers_what_is_under_way(counter: Counter):
    """Trap 8."""
    counter.signer.at_once = False
    first = counter.call("A")
    counter.turn()
    stopped: list[None] = []

    counter.issue.stop().addCallback(stopped.append)

    assert ["STOPPING"] == counter.call("B")
    joined = counter.call("A")
    assert [] == stopped
    counter.signer.answer(0)
    counter.turn()
    assert ([(number(1), False)], [(number(1), True)]) == (first, joined)
    assert [None] == stopped
    assert [] == counter.room.clock.getDelayedCalls()
    assert [] == counter.violations()


def test_stop_waits_for_a_burn_to_be_durable(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A")
    counter.turn()
    stopped: list[None] = []
    counter.issue.stop().addCallback(stopped.append)

    counter.wait(DEADLINE_S + 1)

    assert (["SIG_TIMEOUT"], [None]) == (answers, stopped)
    assert {number(1): "burned"} == counter.states()


@pytest.mark.parametrize("refuses", [True, False])
def test_stop_does_not_wait_for_ever_for_a_signer_that_is_away(counter: Counter, refuses: bool):
    """A queued event stays frozen in the store and is signed after the next start."""
    counter.signer.at_once = False
    counter.signer.refuses = refuses
    counter.call("A", queued=True)
    counter.wait(0.5)
    stopped: list[None] = []

    counter.issue.stop().addCallback(stopped.append)
    counter.wait(DEADLINE_S + 1)

    assert [None] == stopped
    for index, _ in enumerate(counter.signer.asked):
        counter.signer.answer(index)  # too late: nobody waits any more
    counter.turn()
    assert {number(1): "frozen"} == counter.states()
    counter.crash()
    counter.issue.recover()
    counter.turn()
    assert {number(1): "sealed"} == counter.states()
    assert [] == counter.violations()


def test_stop_with_nothing_under_way_is_immediate(counter: Counter):
    stopped: list[None] = []

    counter.issue.stop().addCallback(stopped.append)

    assert [None] == stopped
    assert [] == counter.room.clock.getDelayedCalls()


def test_a_call_for_an_event_that_is_queued_leaves_it_queued_when_it_cannot_wait(
    counter: Counter,
):
    """An accepted event is never lost because somebody asked for it at a bad moment."""
    draft = counter.room.draft("A")
    counter.room.done(counter.room.store.do("submit", issuing.submit_txn, draft))
    counter.signer.at_once = False

    answers = counter.call("A")
    counter.wait(DEADLINE_S + 0.5)

    assert ["BUSY"] == answers
    assert {number(1): "frozen"} == counter.states()
    counter.signer.answer(0)
    counter.turn()
    assert {number(1): "sealed"} == counter.states()
    assert [] == counter.violations()
