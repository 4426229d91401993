"""The uplink over a gate that loses, repeats, reorders and stops: I6 holds every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.crypto import sm3
from tests.unit.link.link_world import Dice, World, begun, journalled

QUICK = {"records_max": 10, "rto_first_s": 5.0, "gap_s": 3.0, "heartbeat_s": 10.0}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, **QUICK)
    made.grant()
    yield made
    made.store.close()


def assert_each_took_effect_once(world: World, numbers: list[str]) -> None:
    assert numbers == [number for number, _ in world.platform.applied]
    assert {"applied": len(numbers)} == world.states()
    assert (0, 0) == world.uplink._outbox.in_flight()
    assert [] == world.rows("SELECT id FROM link_batch WHERE bytes IS NOT NULL")
    assert (len(numbers), 1230 * len(numbers)) == (
        sum(count for count, _ in world.answered), sum(fen for _, fen in world.answered)
    )  # fmt: skip


def test_every_receipt_takes_effect_once_and_is_applied(world: World):
    world.uplink.start()
    numbers = world.issue(35)

    world.run(10)

    assert_each_took_effect_once(world, numbers)
    assert "online" == world.uplink.status().state
    assert [(35, "0a")] == world.rows("SELECT count(*), min(cert_serial) FROM supervision")


def test_batches_leave_in_the_order_of_the_seals_and_fill_up(world: World):
    world.uplink.start()
    world.issue(25)

    world.run(3)

    sizes = world.rows("SELECT seq, first_rec, n_rec FROM link_batch ORDER BY seq")
    assert [(1, 1, 10), (2, 11, 10)] == [tuple(row) for row in sizes[:2]]
    assert 5 == sizes[2][2]


def test_callers_may_go_first_between_any_two_records_of_a_batch(world: World):
    world.uplink.start()
    world.issue(25)

    world.run(3)

    assert 25 <= world.breaths


def test_a_lost_file_is_written_again_byte_for_byte(world: World):
    lost = {"n": 1}

    def lose(name: str) -> int:
        lost["n"] -= "-1-0000000001-" in name
        return int(lost["n"] < 0)

    world.outbound = lose
    world.uplink.start()
    numbers = world.issue(10)

    world.run(40)

    assert_each_took_effect_once(world, numbers)
    data = [name for name in world.ferry.puts if "-1-0000000001-" in name]
    assert ["01", "02"] == [name[-6:-4] for name in data][:2]


def test_a_lost_ack_costs_time_only(world: World):
    acks = {"n": 0}

    def lose(name: str) -> int:
        acks["n"] += 1
        return int(acks["n"] > 3)

    world.inbound = lose
    world.uplink.start()
    numbers = world.issue(15)

    world.run(90)

    assert_each_took_effect_once(world, numbers)


def test_doubled_files_both_ways_change_nothing(world: World):
    world.outbound = world.inbound = lambda name: 2
    world.uplink.start()
    numbers = world.issue(25)
    world.platform.grant(200_001, 200_100)

    world.run(10)

    assert_each_took_effect_once(world, numbers)
    blocks = world.rows("SELECT first FROM number_block WHERE source = 'platform'")
    assert [(200_001,)] == [tuple(row) for row in blocks]


@pytest.mark.parametrize("seed", range(5))
def test_a_gate_that_loses_and_repeats_at_random_is_survived(world: World, seed: int):
    dice = Dice(seed * 1000)
    world.outbound = world.inbound = lambda name: (0, 0, 1, 1, 2)[dice.below(5)]
    world.uplink.start()
    numbers = []
    for round_ in range(4):
        numbers += world.issue(13)
        world.platform.grant(200_001 + round_ * 10, 200_010 + round_ * 10, send=round_ % 2 == 0)
        world.run(8)
    world.outbound = world.inbound = lambda name: 1

    world.run(400, step=0.5)

    assert_each_took_effect_once(world, numbers)


def test_batches_that_overtake_each_other_are_applied_in_order(world: World):
    world.uplink.start()
    numbers = world.issue(30)
    world.run(2, gate=False)
    files = [world.ferry.out.pop(name) for name in sorted(world.ferry.out) if "-1-0000" in name]
    for content in reversed(files):
        world.platform.receive(content)

    world.run(5)

    assert_each_took_effect_once(world, numbers)


def test_a_nack_brings_the_batch_again_at_once(world: World):
    world.uplink.start()
    numbers = world.issue(10)
    world.run(2, gate=False)
    world.ferry.out.clear()
    world.platform.nack("missing", ((1, 1),))

    world.run(2.5)

    assert_each_took_effect_once(world, numbers)


def test_a_nack_by_name_brings_the_batch_again(world: World):
    world.uplink.start()
    numbers = world.issue(10)
    world.run(2, gate=False)
    name = next(name for name in world.ferry.out if "-1-0000000001-" in name)
    world.ferry.out.clear()
    world.platform.nack("bad-signature", names=(name,))

    world.run(2.5)

    assert_each_took_effect_once(world, numbers)


def test_a_storm_of_nacks_does_not_multiply_files(world: World):
    world.uplink.start()
    world.issue(10)
    world.run(2, gate=False)
    for _ in range(50):
        world.platform.nack("missing", ((1, 1),))

    world.run(0.9, gate=False)

    assert 2 >= len([name for name in world.ferry.puts if "-1-0000000001-" in name])


def test_a_rejected_receipt_never_blocks_the_channel(world: World):
    world.uplink.start()
    numbers = world.issue(5)
    world.platform.rejects.add(numbers[2])
    numbers += world.issue(20)

    world.run(10)

    assert {"applied": 24, "rejected": 1} == world.states()
    stored = world.rows("SELECT result, detail FROM upload WHERE state = 'rejected'")
    assert [("REJECT", "E42 date is past")] == [tuple(row) for row in stored]
    assert 1 == world.uplink.status().rejected
    assert [] == world.rows("SELECT id FROM link_batch WHERE state <> 'acked'")


def test_a_receipt_that_fits_no_batch_is_put_out_of_the_way(world: World):
    world.uplink.start()
    numbers = world.issue(3)
    spoil = "UPDATE original SET body = x'00' WHERE receipt_id = 2"
    world.done(world.store.do("t", lambda tx: tx.cursor.execute(spoil) and None))

    world.run(5)

    assert [numbers[0], numbers[2]] == [number for number, _ in world.platform.applied]
    assert {"applied": 2, "rejected": 1} == world.states()


def test_the_window_bounds_what_is_under_way(tmp_path: Path):
    world = World(tmp_path, **QUICK, window_batches=3)
    world.grant()
    world.uplink.start()
    numbers = world.issue(100)

    world.run(4, gate=False)

    assert 3 == world.uplink.status().batches_in_flight
    world.run(20)
    assert_each_took_effect_once(world, numbers)
    world.store.close()


def test_an_answer_once_stored_is_not_replaced(world: World):
    world.uplink.start()
    numbers = world.issue(2)
    world.run(3)
    rejected = world.platform.results[1][0].__class__(1, "REJECT", "late", "changed its mind")
    world.platform.ack((rejected,))

    world.run(2)

    assert_each_took_effect_once(world, numbers)


def test_a_batch_that_only_arrived_stays_under_way(world: World):
    world.uplink.start()
    numbers = world.issue(2)
    world.run(2, gate=False)
    held = world.ferry.out.copy()
    world.platform.ack((), received=((1, 1),))
    world.run(2, gate=False)

    assert 1 == world.uplink.status().batches_in_flight
    world.ferry.out.update(held)
    world.run(4)
    assert_each_took_effect_once(world, numbers)


def test_level_received_frees_nothing(world: World):
    world.uplink.start()
    world.issue(2)
    world.run(2, gate=False)
    files = [content for name, content in world.ferry.out.items() if "-1-0000000001-" in name]
    world.inbound = lambda name: 0
    world.platform.receive(files[0])
    world.inbound = lambda name: 1
    world.platform.ack(world.platform.results[1], level="RECEIVED")

    world.run(2, gate=False)

    assert {"sent": 2} == world.states()


@pytest.mark.parametrize(
    "lie", [{"head": "11" * 32}, {"applied_upto": 99, "head": "11" * 32}, {"head": "00" * 32}]
)
def test_a_head_that_is_not_ours_stops_the_channel_until_a_person_says_so(
    world: World, lie: dict[str, object]
):
    world.uplink.start()
    numbers = world.issue(5)
    world.run(5)
    world.platform.ack((), **lie)

    world.run(3)

    status = world.uplink.status()
    assert ("stalled", "head") == (status.state, status.reason)
    more = world.issue(5)
    world.run(5)
    assert {"applied": 5, "due": 5} == world.states()
    told = world.done(begun(world.uplink.resume("looked at it", "li")))
    assert "head" != told.reason
    world.run(5)
    assert_each_took_effect_once(world, numbers + more)


def test_a_stalled_link_is_still_stalled_after_a_restart(world: World):
    world.uplink.start()
    world.issue(5)
    world.run(5)
    world.platform.ack((), head="11" * 32)
    world.run(3)
    world.stop()

    world.restart()
    world.run(3)

    assert ("stalled", "head") == (world.uplink.status().state, world.uplink.status().reason)


def test_a_platform_that_asks_for_answered_batches_is_not_believed_silently(world: World):
    world.uplink.start()
    world.issue(5)
    world.run(5)
    world.platform.nack("missing", ((1, 1),))

    world.run(3)

    assert ("stalled", "peer-lost") == (world.uplink.status().state, world.uplink.status().reason)


def test_a_refusal_of_our_files_is_shown_and_cured_by_the_next_ack(world: World):
    world.uplink.start()
    world.issue(5)
    world.run(5)
    world.platform.nack("version")
    world.run(3)
    shown = world.uplink.status().reason
    world.platform.ack()

    world.run(3)

    assert ("refused-version", "online") == (shown, world.uplink.status().state)


def test_pause_stops_new_batches_and_resume_sends_them(world: World):
    world.uplink.start()
    world.run(2)
    world.platform.ack()
    world.run(2)
    paused = world.done(begun(world.uplink.pause("月末盘点", "li")))
    numbers = world.issue(5)
    world.run(5)
    before = world.states()
    world.done(begun(world.uplink.resume("done", "li")))

    world.run(5)

    assert ("degraded", "paused", {"due": 5}) == (paused.state, paused.reason, before)
    assert_each_took_effect_once(world, numbers)
    assert [("link.paused",), ("link.resumed",)] == journalled(world, "paused", "resumed")


def test_a_carrier_fault_is_shown_and_survived(world: World):
    world.uplink.start()
    world.platform.ack()
    world.run(2)
    world.ferry.fault = "No space left on device"
    numbers = world.issue(5)
    world.run(5)
    shown = (world.uplink.status().state, world.uplink.status().reason)
    world.ferry.fault = ""

    world.run(30)

    assert ("degraded", "carrier") == shown
    assert_each_took_effect_once(world, numbers)


def test_status_counts_what_waits(world: World):
    world.uplink.start()
    world.issue(15)
    world.run(30, gate=False)

    status = world.uplink.status()

    assert (15, 0, 2) == (status.backlog, status.due, status.batches_in_flight)
    assert 30.0 == pytest.approx(status.oldest_age_s, abs=1)
    assert ("offline", "never-heard") == (status.state, status.reason)


def test_every_change_of_the_link_is_in_the_journal(world: World):
    world.uplink.start()
    world.issue(3)
    world.run(5)

    ops = [op for (op,) in journalled(world, "state", "sent", "applied", "freed")]

    assert {"link.state", "link.sent", "link.applied", "link.freed"} == set(ops)


def test_what_is_resent_is_what_was_stored(world: World):
    world.uplink.start()
    world.issue(10)
    world.run(3, gate=False)
    first = dict(world.ferry.out)

    world.run(30, gate=False)

    ours = {sm3.digest(content) for name, content in world.ferry.out.items() if "-1-0" in name}
    assert {sm3.digest(c) for name, c in first.items() if "-1-0" in name} == ours
