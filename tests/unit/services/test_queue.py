"""The durable queue: events issue themselves when the cause goes, none is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.domain.faults import Refused, refuse
from fep.services.queue import PAUSE_S, WINDOW, Queue
from fep.store.packed import pack
from tests.unit.services.counter import Counter


class PartDraw:
    """Draws what was submitted; a key that says so needs a code without numbers."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.broken: set[str] = set()

    def event(self, params: Any) -> Any:
        return params

    def draft(self, event: Any, _params: Any, _caller: str) -> Any:
        if event["key"] in self.broken:
            raise refuse("CFG_POINT", unit="u", point="p")
        return self.of(event["key"])

    def of(self, key: str) -> Any:
        changes: dict[str, Any] = {"body": pack(b'{"key":"%s"}' % key.encode())}
        if key.startswith("dry"):
            changes["code_at"] = lambda _ms: "42060199"
        return self._counter.room.draft(key, **changes)


class Desk:
    """A counter with a queue."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.draw = PartDraw(counter)
        self.queue = self._make()

    def _make(self) -> Queue:
        counter = self.counter
        return Queue(counter.room.clock, counter.room.store, counter.issue, self.draw,
                     counter.notes)  # fmt: skip

    def submit(self, *keys: str) -> list[Any]:
        """Submit events; answers their states, or the fault's code."""
        told: list[Any] = []
        for key in keys:
            self.queue.submit(self.draw.of(key)).addCallbacks(
                lambda answer: told.append(answer[1]),
                lambda failure: told.append(failure.value.code),
            )
        self.counter.room.clock.advance(0)
        return told

    def states(self) -> dict[str, str]:
        """Return the state of every event."""
        return {event.key: event.state for event in self.counter.books()["event"]}

    def crash(self) -> None:
        """Lose the memory; come up as a daemon does."""
        self.counter.crash()
        self.queue = self._make()
        self.counter.issue.recover()
        self.queue.wake()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A counter with a queue and a thousand numbers."""
    counter = Counter(tmp_path / "site", events_max=8)
    yield Desk(counter)
    counter.close()


def test_a_submitted_event_is_durable_when_it_is_answered_and_then_issues_itself(desk: Desk):
    seen: list[Any] = []
    work = desk.queue.submit(desk.draw.of("A"))
    work.addCallback(lambda answer: seen.append((answer[1], desk.states())))

    desk.counter.turn()

    assert [("queued", {"A": "queued"})] == seen
    assert {"A": "issued"} == desk.states()
    assert [] == desk.counter.violations()


def test_submitting_again_answers_what_became_of_it(desk: Desk):
    desk.submit("A")
    desk.counter.turn()

    assert ["issued"] == desk.submit("A")
    told = desk.counter.call("A", 9999)
    desk.counter.turn()
    assert ["EVT_CONFLICT"] == told


def test_queued_events_survive_a_crash_and_are_issued_by_the_next_start(desk: Desk):
    desk.submit("A", "B")

    desk.crash()
    desk.counter.turn(30)

    assert {"A": "issued", "B": "issued"} == desk.states()
    assert [] == desk.counter.violations()


def test_events_without_numbers_wait_and_go_on_when_numbers_come(desk: Desk):
    desk.submit("dry1", "dry2")
    desk.counter.wait(3)
    assert {"dry1": "queued", "dry2": "queued"} == desk.states()
    assert "NUM_NONE" == desk.queue.last_refusal

    desk.counter.room.grant(1, 10, "42060199")
    desk.queue.wake()
    desk.counter.turn(30)

    assert {"dry1": "issued", "dry2": "issued"} == desk.states()
    assert "" == desk.queue.last_refusal


def test_a_cause_that_goes_unnoticed_is_found_by_the_pauses(desk: Desk):
    desk.submit("dry1")
    desk.counter.wait(1)

    desk.counter.room.grant(1, 10, "42060199")
    desk.counter.wait(PAUSE_S[-1] + 2)

    assert {"dry1": "issued"} == desk.states()


def test_an_event_that_had_to_wait_is_not_forgotten_while_others_are_issued(desk: Desk):
    desk.counter.signer.at_once = False
    desk.submit("dry1", "B")
    desk.counter.turn()
    desk.counter.signer.at_once = True
    desk.counter.room.grant(1, 10, "42060199")

    desk.counter.signer.answer(0)
    desk.counter.wait(PAUSE_S[-1] + 2)

    assert {"dry1": "issued", "B": "issued"} == desk.states()


def test_more_events_than_the_table_holds_are_all_issued(desk: Desk):
    keys = [f"K{n}" for n in range(3 * WINDOW)]
    assert {"queued"} == set(desk.submit(*keys))

    desk.counter.wait(PAUSE_S[-1] + 10)

    assert {"issued"} == set(desk.states().values())
    assert [] == desk.counter.violations()


def test_an_event_that_configuration_no_longer_allows_waits_and_stops_nobody(desk: Desk):
    desk.draw.broken.add("A")
    desk.submit("A", "B")
    desk.counter.wait(2)
    assert {"A": "queued", "B": "issued"} == desk.states()

    desk.draw.broken.clear()
    desk.counter.wait(PAUSE_S[-1] + 2)

    assert {"A": "issued", "B": "issued"} == desk.states()


def test_a_stopped_queue_takes_nothing_up_and_leaves_no_timer(desk: Desk):
    waiting = desk.queue.submit(desk.draw.of("A"))
    waiting.addCallback(lambda _: desk.queue.stop())
    desk.counter.turn()

    assert ["queued"] == desk.submit("B")
    desk.queue.wake()
    assert {"A": "queued", "B": "queued"} == desk.states()
    assert [] == desk.counter.room.clock.getDelayedCalls()


def test_a_refused_event_may_be_submitted_with_another_content(desk: Desk):
    assert "NUM_NONE" == desk.counter.issued("dry1", code_at=lambda _ms: "42060199")

    assert ["queued"] == desk.submit("dry1")
    assert {"dry1": "queued"} == desk.states()
    with pytest.raises(Refused, match="EVT_CONFLICT"):
        desk.counter.room.done(desk.queue.submit(desk.counter.room.draft("dry1", 5)))
