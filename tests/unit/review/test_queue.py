"""The durable queue: what cannot be issued waits, stands in nobody's way, and is never left."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from fep.domain.faults import refuse
from fep.services.queue import PAUSE_S, WINDOW, Queue
from tests.harness.storeroom import Storeroom


class Log:
    def warning(self, *_said: object, **_facts: object) -> None:
        pass


class Draw:
    """Makes drafts of what the tests submit; refuses what they call misfits."""

    def __init__(self, room: Storeroom) -> None:
        self._room = room

    def event(self, params: Any) -> Any:
        return params

    def draft(self, event: Any, params: Any, _caller: str) -> Any:
        if event.get("misfit"):
            raise KeyError("province")
        return self._room.draft(
            event["key"], kind=event["kind"], body=zlib.compress(json.dumps(params).encode())
        )


class Desk:
    """Issues what the test's rule lets pass, freezing it for real."""

    def __init__(self, room: Storeroom) -> None:
        self._room = room
        self.rule: Callable[[Any], str] = lambda draft: ""
        self.asked: list[str] = []
        self.issued: list[str] = []

    def keep(self, _draft: Any) -> None:
        pass

    def issue(self, draft: Any, *, queued: bool) -> Deferred[Any]:
        assert queued
        self.asked.append(draft.key)
        code = self.rule(draft)
        if code:
            return fail(refuse(code, code="x"))
        self._room.freeze(draft)
        self.issued.append(draft.key)
        return succeed((None, False))


class Bench:
    def __init__(self, site: Path) -> None:
        self.room = Storeroom(site)
        self.room.open()
        self.room.grant(1, 1000)
        self.desk = Desk(self.room)
        self.draw = Draw(self.room)
        desk: Any = self.desk
        draw: Any = self.draw
        self.queue = Queue(self.room.clock, self.room.store, desk, draw, Log())

    def submit(self, key: str, kind: str = "a", **extra: object) -> None:
        params = {"key": key, "kind": kind, **extra}
        draft = self.draw.draft({**params, "misfit": False}, params, "his")
        self.room.done(self.queue.submit(draft))

    def turns(self, count: int = 400) -> None:
        for _ in range(count):
            self.room.clock.advance(0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "site")
    yield bench
    bench.queue.stop()
    bench.room.close()


def test_an_event_refused_amid_others_is_tried_again_without_anybody_waking_the_queue(
    bench: Bench,
):
    bench.desk.rule = lambda draft: "BUSY" if draft.key == "K1" else ""
    for index in range(3):
        bench.submit(f"K{index}")
    bench.turns()
    bench.desk.rule = lambda draft: ""

    bench.room.clock.advance(PAUSE_S[0])
    bench.turns()

    assert ["K0", "K1", "K2"] == sorted(bench.desk.issued)


def test_a_kind_without_numbers_does_not_stand_in_the_way_of_another(bench: Bench):
    bench.desk.rule = lambda draft: "NUM_NONE" if draft.kind == "b" else ""
    for index in range(WINDOW + 8):
        bench.submit(f"B{index}", "b")
    bench.submit("A1", "a")

    bench.turns()

    assert ["A1"] == bench.desk.issued
    assert bench.desk.asked.count("B0") == 1


def test_a_cause_of_everybody_ends_the_round_and_the_pauses_grow(bench: Bench):
    bench.desk.rule = lambda draft: "OFF_HOURS"
    for index in range(WINDOW + 1):
        bench.submit(f"K{index}")
    bench.turns()
    first = len(bench.desk.asked)

    bench.room.clock.advance(PAUSE_S[0])
    bench.turns()
    second = len(bench.desk.asked)
    bench.room.clock.advance(PAUSE_S[0])
    bench.turns()

    assert f"K{WINDOW}" not in bench.desk.asked
    assert second > first
    assert second == len(bench.desk.asked)


def test_an_event_submitted_again_under_its_old_id_is_taken_up(bench: Bench):
    bench.desk.rule = lambda draft: ""
    refused = bench.room.draft("OLD", body=zlib.compress(b'{"key":"OLD","kind":"a"}'))
    (frozen,) = bench.room.freeze(refused)
    from fep.store.issuing import refuse_txn

    bench.room.done(bench.room.store.do("refuse", refuse_txn, frozen.receipt, "SIG_TIMEOUT"))
    bench.submit("NEW")
    bench.turns()

    bench.submit("OLD")
    bench.turns()

    assert ["NEW", "OLD"] == bench.desk.issued


def test_an_event_that_configuration_no_longer_fits_does_not_stop_the_queue(bench: Bench):
    bench.submit("M", misfit=True)
    bench.submit("K")

    bench.turns()

    assert ["K"] == bench.desk.issued
    assert not bench.queue._under_way


def test_a_submission_during_a_pause_is_tried_at_once(bench: Bench):
    bench.desk.rule = lambda draft: "NUM_NONE" if draft.kind == "b" else ""
    bench.submit("B", "b")
    bench.turns()

    bench.submit("A", "a")
    bench.turns()

    assert ["A"] == bench.desk.issued


def test_an_empty_queue_leaves_no_timer(bench: Bench):
    bench.submit("A")
    bench.turns()

    assert [] == bench.room.clock.getDelayedCalls()
