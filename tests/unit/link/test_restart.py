"""A crash or a stop at any step of a batch: nothing is lost, nothing takes effect twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from fep.crypto import sm3
from tests.unit.link.link_world import World

QUICK = {"records_max": 5, "rto_first_s": 5.0, "gap_s": 3.0, "heartbeat_s": 10.0}


def finished(world: World, numbers: list[str]) -> bool:
    applied = [number for number, _ in world.platform.applied]
    return applied == numbers and world.states() == {"applied": len(numbers)}


@pytest.mark.parametrize("turns", range(0, 60, 5))
def test_a_crash_after_any_turn_of_the_reactor_is_survived(tmp_path: Path, turns: int):
    world = World(tmp_path, **QUICK)
    world.grant()
    world.uplink.start()
    numbers = world.issue(12)
    world.reactor.advance(1.0)
    for _ in range(turns):
        world.reactor.advance(0)
        world.gate()
    world.crash()

    world.restart()
    world.run(60)

    assert finished(world, numbers)
    world.store.close()


@pytest.mark.parametrize("turns", range(0, 40, 5))
def test_a_crash_while_answers_are_taken_in_is_survived(tmp_path: Path, turns: int):
    world = World(tmp_path, **QUICK)
    world.grant()
    world.uplink.start()
    numbers = world.issue(12)
    world.run(1.5, gate=False)
    world.gate()
    world.platform.grant(500_001, 500_100)
    world.reactor.advance(1.0)
    for _ in range(turns):
        world.reactor.advance(0)
    world.crash()

    world.restart()
    world.run(60)

    assert finished(world, numbers)
    granted = world.rows("SELECT count(*) FROM number_block WHERE source = 'platform'")
    assert 1 == granted[0][0]
    world.store.close()


def test_a_batch_stored_but_not_written_leaves_with_the_same_bytes(tmp_path: Path):
    world = World(tmp_path, **QUICK)
    world.grant()
    world.ferry.fault = "unplugged"
    world.uplink.start()
    numbers = world.issue(5)
    world.run(3, gate=False)
    stored = world.rows("SELECT sm3, state, tries FROM link_batch")
    world.crash()
    world.ferry.fault = ""

    world.restart()
    world.run(3, gate=False)

    written = [c for name, c in world.ferry.out.items() if "-1-0000000001-01" in name]
    assert [("made", 0)] == [(state, tries) for _, state, tries in stored]
    assert [bytes(stored[0][0])] == [sm3.digest(content) for content in written]
    world.run(10)
    assert finished(world, numbers)
    world.store.close()


def test_stop_in_the_middle_of_a_backlog_goes_on_where_it_was(tmp_path: Path):
    world = World(tmp_path, **QUICK)
    world.grant()
    world.uplink.start()
    numbers = world.issue(100)
    world.run(1.2)
    world.stop()

    world.restart()
    world.run(40)

    assert finished(world, numbers)
    world.store.close()


def test_a_held_batch_is_applied_after_a_restart_when_the_hole_closes(tmp_path: Path):
    world = World(tmp_path, **QUICK)
    world.uplink.start()
    first = world.platform.grant(1, 100, send=False)
    world.platform.grant(101, 200)
    world.run(2)
    world.crash()
    world.restart()
    world.platform.deliver(first, 2, 1)

    world.run(5)

    blocks = world.rows("SELECT first FROM number_block ORDER BY id")
    assert [(1,), (101,)] == [tuple(row) for row in blocks]
    world.store.close()


def test_transport_numbers_are_never_used_twice(tmp_path: Path):
    world = World(tmp_path, **QUICK)
    for _ in range(3):
        world.uplink.start()
        world.run(12, gate=False)
        world.crash()
        world.open()

    names = [name for name in world.ferry.puts if "-0001-0-" in name]
    assert len(names) == len(set(names))
    world.store.close()


def test_without_a_turn_of_the_gate_everything_waits_and_nothing_is_lost(tmp_path: Path):
    world = World(tmp_path, **QUICK)
    world.grant()
    world.uplink.start()
    numbers = world.issue(30)
    world.run(600, gate=False, step=1.0)
    before = world.states()

    world.run(30)

    assert {"sent": 30} == before
    assert finished(world, numbers)
    world.store.close()
