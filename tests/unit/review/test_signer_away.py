"""No number is wasted on a signer that is away, and no durable event on a caller's deadline."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fep.domain.faults import Refused, refuse
from fep.services.queue import Queue
from fep.services.signing import signer_fault
from tests.unit.services.counter import DEADLINE_S, Counter, number


class Signer:
    def __init__(self, state: str, failures: int) -> None:
        self.state, self.failures, self.why = state, failures, "wrong passphrase"
        self.fault, self.left, self.files = "", 0, SimpleNamespace(unit="H001")


@pytest.mark.parametrize(
    ("state", "failures", "expected"),
    [
        ("ready", 0, ""), ("starting", 0, ""), ("down", 1, ""), ("starting", 1, ""),
        ("down", 2, "SIG_DOWN"), ("starting", 5, "SIG_DOWN"), ("failed", 0, "SIG_KEY"),
    ],
)  # fmt: skip
def test_a_signer_is_waited_for_after_one_end_not_after_two(
    state: str, failures: int, expected: str
):
    signer: Any = Signer(state, failures)

    fault = signer_fault(signer)

    assert expected == (fault.code if fault else "")


@pytest.fixture
def away(tmp_path: Path) -> Any:
    counter = Counter(tmp_path / "site")
    why: list[Refused] = [refuse("SIG_DOWN")]
    counter.issue._unsignable = lambda _unit: why[0] if why else None
    yield counter, why
    counter.close()


def test_a_signer_that_is_away_costs_no_number(away: Any):
    counter, why = away

    assert ["SIG_DOWN", "SIG_DOWN"] == [counter.issued("A"), counter.issued("A")]
    assert {} == counter.states()
    assert 0 == counter.budget.use().count
    why.clear()
    assert (number(1), False) == counter.issued("A")


def test_a_retry_is_answered_while_the_signer_is_away(away: Any):
    counter, why = away
    saved = list(why)
    why.clear()
    counter.issued("A")
    why += saved

    assert (number(1), True) == counter.issued("A")


def test_an_event_submitted_during_a_call_with_its_key_is_not_lost_at_the_calls_deadline(
    tmp_path: Path,
):
    counter = Counter(tmp_path / "site")
    counter.signer.at_once = False
    nobody: Any = None
    queue = Queue(counter.room.clock, counter.room.store, counter.issue, nobody, nobody)
    answers = counter.call("A")
    counter.turn()
    submitted: list[Any] = []

    queue.submit(counter.room.draft("A")).addCallback(submitted.append)
    counter.wait(2 * DEADLINE_S)

    assert ([(1, "issued")], ["BUSY"]) == (submitted, answers)
    assert {number(1): "frozen"} == counter.states()
    counter.signer.answer(0)
    counter.turn()
    assert {number(1): "sealed"} == counter.states()
    assert [] == counter.violations()
