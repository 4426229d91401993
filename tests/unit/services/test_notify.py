"""Notifications: only what was asked for, only of the caller's units, and nobody is waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import succeed

from fep.domain.faults import Refused
from fep.domain.printing import JobState
from fep.services.callers import Caller
from fep.services.notify import LOW_EVERY_S, SLICE, SUBSCRIBERS_MAX, Notices
from fep.services.window_find import Finding
from fep.store.printing import Job
from tests.harness.storeroom import UNIT
from tests.unit.services.counter import Counter

EVERY = frozenset({"*"})


class Line:
    """A connection in the test's hand."""

    def __init__(self) -> None:
        self.connected, self.behind = True, False
        self.heard: list[dict[str, Any]] = []

    def push(self, line: bytes) -> bool:
        if self.behind or not self.connected:
            return False
        self.last_word(line)
        return True

    def last_word(self, line: bytes) -> None:
        self.heard.append(json.loads(line))

    def topics(self) -> list[str]:
        return [one["method"] for one in self.heard]


class Hall:
    """A counter that tells."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.lows: list[dict[str, Any]] = []
        room = counter.room
        self.notices = Notices(room.clock, room.store, Finding(room.store),
                               lambda: succeed(self.lows), counter.notes)  # fmt: skip

    def listen(self, *topics: str, unit: str = "*") -> tuple[Line, dict[str, Any]]:
        line = Line()
        caller = Caller("his", frozenset({"query"}), frozenset({unit}), EVERY, line=line)
        return line, self.notices.subscribe(caller, {"topics": list(topics)})

    def issue(self, *keys: str) -> None:
        self.counter.room.issue(*keys)
        self.turn()

    def turn(self) -> None:
        for _ in range(20):
            self.counter.room.clock.advance(0.05)


@pytest.fixture
def hall(counter: Counter) -> Iterator[Hall]:
    """A hall that is closed at the end."""
    made = Hall(counter)
    yield made
    made.notices.stop()


def test_a_subscriber_hears_of_the_receipts_of_its_units_only(hall: Hall):
    every, _ = hall.listen("receipt.sealed")
    other, _ = hall.listen("receipt.sealed", unit="U9")
    prints, _ = hall.listen("print.done")

    hall.issue("a", "b")

    assert ["a", "b"] == [one["params"]["key"] for one in every.heard]
    assert ([], []) == (other.heard, prints.heard)


def test_many_receipts_are_told_a_slice_a_turn_and_none_is_missed(hall: Hall):
    line, told = hall.listen("receipt.sealed")
    keys = [f"k{n}" for n in range(SLICE * 2 + 3)]

    hall.issue(*keys)

    cursors = [one["params"]["cursor"] for one in line.heard]
    assert keys == [one["params"]["key"] for one in line.heard]
    assert cursors == sorted(set(cursors))
    assert told["cursor"] < cursors[0]


def test_a_reader_that_is_behind_is_dropped_with_the_cursor_it_had(hall: Hall):
    slow, _ = hall.listen("receipt.sealed")
    quick, _ = hall.listen("receipt.sealed")
    hall.issue("a")
    slow.behind = True

    hall.issue("b")
    slow.behind = False
    hall.issue("c")

    assert ["receipt.sealed", "system.unsubscribed"] == slow.topics()
    last = slow.heard[-1]["params"]
    assert ("slow", slow.heard[0]["params"]["cursor"]) == (last["reason"], last["cursor"])
    assert ["a", "b", "c"] == [one["params"]["key"] for one in quick.heard]
    assert 1 == hall.counter.notes.said.count("notify.dropped")


def test_who_is_gone_makes_room_and_who_has_no_line_is_refused(hall: Hall):
    lines = [hall.listen("print.done")[0] for _ in range(SUBSCRIBERS_MAX)]
    with pytest.raises(Refused, match="NOTIFY_FULL"):
        hall.listen("print.done")

    lines[0].connected = False
    hall.listen("print.done")

    with pytest.raises(Refused, match="NOTIFY_DOOR"):
        hall.notices.subscribe(replace(Caller("x", EVERY, EVERY, EVERY), line=None), {})
    with pytest.raises(Refused, match="REQ_FIELD_VALUE"):
        hall.listen("receipt.everything")


def test_a_sheet_that_came_out_is_told_with_its_receipt(hall: Hall):
    line, _ = hall.listen("print.done")
    hall.issue("p")
    job = Job(7, 1, "g", "window-1", "slip", 1, JobState.PRINTED, "", 1, 0, 0, 0)

    hall.notices.ended(replace(job, state=JobState.DUE))
    hall.notices.ended(job)

    (told,) = line.heard
    assert ("print.done", "p", 7, "printed") == (
        told["method"], told["params"]["key"], told["params"]["job"], told["params"]["state"],
    )  # fmt: skip


def test_a_low_stock_is_told_when_it_gets_low_and_not_again(hall: Hall):
    row = {"unit": UNIT, "code": "42060126", "days": 3, "busiest": 50, "low": False}
    hall.lows = [row]
    line, _ = hall.listen("numbers.low")
    hall.lows = [{**row, "low": True}]

    for _ in range(3):
        hall.counter.room.clock.advance(LOW_EVERY_S)

    assert ["numbers.low"] == line.topics()
    assert {"unit": UNIT, "code": "42060126", "days": 3, "busiest": 50} == line.heard[0]["params"]


def test_a_change_of_the_link_is_told(hall: Hall):
    line, _ = hall.listen("link.changed")

    hall.counter.room.done(hall.counter.room.store.do("x", _link_txn))
    hall.turn()

    assert [("link.changed", {"dest": "d", "state": "offline", "reason": "silent"})] == [
        (one["method"], one["params"]) for one in line.heard
    ]


def _link_txn(tx: Any) -> None:
    tx.journal("link.state", "d", {"offline_ms": 1, "reason": "silent", "state": "offline"})
