"""A link that has stopped itself waits for a person, and costs nothing meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

from tests.unit.link.link_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, records_max=10, rto_first_s=5.0, gap_s=3.0, heartbeat_s=10.0)
    made.grant()
    yield made
    made.store.close()


def test_a_stalled_link_with_overdue_batches_waits_for_a_person_without_spinning(world: World):
    world.uplink.start()
    world.issue(5)
    world.run(5, gate=False)
    world.platform.ack((), head="11" * 32)
    world.run(200, gate=False, step=1.0)  # what was sent is overdue by now
    assert "stalled" == world.uplink.status().state
    assert world.uplink._outbox.next_due_s() < 0
    turns: list[None] = []
    turn = world.uplink._send_turn

    def counted() -> Awaitable[float]:
        turns.append(None)
        return turn()

    world.uplink._send_turn = counted
    world.run(10, gate=False)

    assert len(turns) <= 20


def test_a_question_older_than_an_answer_is_not_believed_after_a_crash(world: World):
    world.uplink.start()
    world.issue(5)
    world.run(5)
    world.issue(5)
    while world.uplink._outbox.in_flight() == (0, 0):
        world.run(0.1, gate=False)
    open_gate, world.inbound = world.inbound, lambda name: 0
    late = world.platform.nack("missing", ((2, 2),))  # it hangs in the gate
    world.inbound = open_gate
    while world.uplink._outbox.in_flight() != (0, 0):
        world.run(0.1)
    world.crash()

    world.restart()
    world.platform.deliver(late, 0, 99)
    world.run(3, gate=False)

    assert "stalled" != world.uplink.status().state
    assert [] == world.log.named("link.peer_lost")
