"""Numbers fetched ahead: kept one by one, never guessed at, and no further than the target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as FakeReactor

from fep.domain.platform import Operation, Reply, Verdict, Why
from fep.services.relay_numbers import Reserve
from fep.settings_relay import ReservePart
from fep.store.relay_opening import open_relay_store
from fep.store.relay_out import in_hand_q
from fep.store.schema_relay import relay_journal
from tests.unit.link.link_world import Lines

CODE = "42060126"


class Stock:
    """A platform that gives one number a call, until `answers` say otherwise."""

    def __init__(self) -> None:
        self.next = 1
        self.answers: list[Reply] = []

    async def ask(self, op: Operation, fields: Mapping[str, str]) -> Reply:
        assert (Operation.NUMBER, CODE) == (op, fields["bill_batch_code"])
        if self.answers:
            return self.answers.pop(0)
        self.next += 1
        return Reply(Verdict.OK, facts={"code": CODE, "number": f"{self.next - 1:010d}"})


class Room:
    """A relay's store and one reserve of 25 numbers, ten at a time."""

    def __init__(self, root: Path) -> None:
        self.reactor, self.log, self.stock = FakeReactor(), Lines(), Stock()
        self.store = open_relay_store(
            self.reactor, root / "relay.db", now_ms=lambda: 0, on_fatal=lambda why: None, pool=None
        )
        self.blocks: list[int] = []
        us: Any = SimpleNamespace(reactor=self.reactor, store=self.store, log=self.log)
        part = ReservePart(unit="H001", code=CODE, node="node-0001", target=25, block=10,
                           every_s=10.0)  # fmt: skip
        platform: Any = self.stock
        self.reserve = Reserve(us, part, platform, lambda: self.blocks.append(self.held()))

    def held(self) -> int:
        """Return the numbers in hand."""
        return self.store.read(in_hand_q, "H001", CODE)

    def run(self, seconds: float) -> None:
        """Let time pass; the fetching begins with it."""
        self.reserve.start()
        for _ in range(300):
            self.reactor.advance(seconds / 300)

    def doubts(self) -> list[str]:
        """Return why questions were journalled as unanswered."""
        lines = self.store.read(
            lambda conn: conn.execute(select(relay_journal.c.line)).scalars().all()
        )
        told = [json.loads(line) for line in lines]
        return [one["body"]["why"] for one in told if one["op"] == "relay.number_doubt"]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    stopped = Deferred.fromCoroutine(made.reserve.stop())
    made.reactor.advance(1)
    assert stopped.called
    made.store.close()


def test_numbers_are_fetched_block_by_block_up_to_the_target(room: Room):
    room.run(60)

    assert (25, 26, [10, 20, 25]) == (room.held(), room.stock.next, room.blocks)
    assert [] == room.doubts()


def test_a_question_without_an_answer_is_written_down_and_asked_again_later(room: Room):
    room.stock.answers = [
        Reply(Verdict.OK, facts={"code": CODE, "number": "0000000100"}),
        Reply(Verdict.DOUBT, "unanswered", "no answer in 3 s"),
    ]
    room.run(1)
    early = room.held()
    room.run(60)

    assert (1, 25) == (early, room.held())
    assert ["no answer in 3 s"] == room.doubts()
    assert 25 == room.stock.next, "24 more, and no number was made up for the lost one"


@pytest.mark.parametrize(
    "answer",
    [
        Reply(Verdict.OK, facts={"code": "42060127", "number": "0000000001"}),
        Reply(Verdict.OK, facts={"code": CODE, "number": "1"}),
        Reply(Verdict.REJECT, Why.NOT_YOURS, "no right"),
    ],
)
def test_what_is_no_number_of_the_code_is_not_kept_and_said(room: Room, answer: Reply):
    room.stock.answers = [answer] * 3
    room.run(15)

    assert 0 == room.held()
    assert room.reserve.fault
    assert [] == room.doubts()


def test_a_platform_that_gives_a_number_twice_is_not_asked_on(room: Room):
    room.stock.answers = [Reply(Verdict.OK, facts={"code": CODE, "number": "0000000100"})] * 3
    room.run(1)

    assert (1, "0000000100 was given before") == (room.held(), room.reserve.fault)
