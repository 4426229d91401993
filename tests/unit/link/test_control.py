"""Grants from the platform: in order, once, answered; and what may not be believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fep.domain.faults import refuse
from fep.domain.link_budget import AWAY_MS, OfflineBudget, OfflineUse
from fep.services.linked import unlinked_q
from fep.store.link_in import quota_of
from fep.wire.fpb import Kind
from tests.unit.link.link_world import CODE, World, begun, journalled

QUICK = {"gap_s": 3.0, "heartbeat_s": 10.0, "part_timeout_s": 20.0}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, **QUICK)
    made.uplink.start()
    made.run(0.5)
    yield made
    made.store.close()


def blocks(world: World) -> list[tuple[int, int]]:
    found = world.rows("SELECT first, last FROM number_block ORDER BY id")
    return [tuple(row) for row in found]


def test_a_grant_becomes_a_block_and_is_acknowledged(world: World):
    world.platform.grant(1, 100)

    world.run(3)

    assert [(1, 100)] == blocks(world)
    ack = next(ack for ack in world.platform.acks if ack.results)
    assert (1, 2, ((1, 1),)) == (ack.applied_upto, ack.channel, ack.received)
    assert [(1, "OK")] == [(result.rec_seq, result.result) for result in ack.results]
    assert world.platform.control[3].hex() == ack.head
    evidence = world.rows("SELECT evidence, source FROM number_block")[0]
    assert ("province g1 record 1", "platform") == (evidence[0][:20], evidence[1])


def test_a_grant_seen_again_is_answered_with_its_first_result(world: World):
    content = world.platform.grant(1, 100)
    world.run(3)
    world.platform.deliver(content, 2, 1, attempt=2)

    world.run(3)

    results = [ack.results for ack in world.platform.acks if ack.results]
    assert [(1, 100)] == blocks(world)
    assert [results[0], results[0]] == results


def test_the_same_block_granted_by_another_record_is_a_duplicate(world: World):
    world.platform.grant(1, 100)
    world.platform.grant(1, 100)

    world.run(3)

    results = [ack.results[0].result for ack in world.platform.acks if ack.results]
    assert ([(1, 100)], ["OK", "DUP"]) == (blocks(world), results)


def test_grants_that_overtake_each_other_are_applied_in_order(world: World):
    first = world.platform.grant(1, 100, send=False)
    second = world.platform.grant(101, 200, send=False)
    world.platform.grant(201, 300)
    world.platform.deliver(second, 2, 2)
    world.run(2)
    before = blocks(world)
    world.platform.deliver(first, 2, 1)

    world.run(2)

    assert ([], [(1, 100), (101, 200), (201, 300)]) == (before, blocks(world))
    assert {} == world.ferry.arrivals


def test_a_hole_is_asked_for(world: World):
    world.platform.grant(1, 100, send=False)
    world.platform.grant(101, 200)

    world.run(6)

    assert [("missing", ((1, 1),))] == [
        (nack.reason, nack.missing) for nack in world.platform.nacks
    ]


def test_a_grant_that_overlaps_is_rejected_and_blocks_nothing(world: World):
    world.platform.grant(1, 100)
    world.platform.grant(50, 150)
    world.platform.grant(201, 300)

    world.run(3)

    results = [ack.results[0] for ack in world.platform.acks if ack.results]
    assert ["OK", "REJECT", "OK"] == [result.result for result in results]
    assert "NUM_OVERLAP" == results[1].code
    assert [(1, 100), (201, 300)] == blocks(world)


def test_a_batch_that_does_not_follow_stops_the_channel(world: World):
    world.platform.grant(1, 100)
    world.run(2)
    world.platform.grant(101, 200, prev=b"\x01" * 32)

    world.run(2)

    assert [(1, 100)] == blocks(world)
    assert ("stalled", "chain") == (world.uplink.status().state, world.uplink.status().reason)
    assert ["chain"] == [nack.reason for nack in world.platform.nacks]
    assert 1 == len(world.ferry.quarantine)


def test_a_stopped_control_channel_takes_no_grant_but_receipts_go_on(world: World):
    world.platform.grant(1, 100)
    world.run(2)
    world.platform.grant(101, 200, prev=b"\x01" * 32)
    world.run(2)
    numbers = world.issue(3)
    world.platform.grant(101, 200)

    world.run(5)

    assert numbers == [number for number, _ in world.platform.applied]
    assert ([(1, 100)], 1) == (blocks(world), len(world.ferry.arrivals))
    world.done(begun(world.uplink.resume("the platform was repaired", "li")))
    world.run(3)
    assert [(1, 100), (101, 200)] == blocks(world)


def test_a_held_batch_that_did_not_follow_gets_a_new_chance(world: World):
    first = world.platform.grant(1, 100, send=False)
    good = world.platform.control
    world.platform.grant(101, 200, seq=2, prev=b"\x01" * 32)
    world.platform.deliver(first, 2, 1)
    world.run(3)
    stalled = world.uplink.status().reason
    world.done(begun(world.uplink.resume("the platform was repaired", "li")))
    assert good == world.platform.control
    world.platform.grant(101, 200)

    world.run(3)

    assert ("chain", [(1, 100), (101, 200)]) == (stalled, blocks(world))


def test_other_content_under_a_known_number_changes_nothing(world: World):
    world.platform.grant(1, 100)
    world.run(2)
    world.platform.grant(101, 200, seq=1, prev=bytes(32))

    world.run(2)

    assert [(1, 100)] == blocks(world)
    assert [("link.conflict",)] == journalled(world, "conflict")
    assert 1 == len(world.ferry.quarantine)


def test_the_quota_the_platform_signed_is_passed_on_and_survives_a_restart(world: World):
    world.platform.grant(1, 100, quota={"hours": 24, "count": 50, "amount_fen": None})
    world.platform.grant(101, 200)
    world.run(2)
    world.stop()

    world.restart()
    world.run(1)

    assert [OfflineBudget(24, 50, None)] * 2 == world.quotas


def test_a_signed_limit_for_one_receipt_binds_while_the_platform_is_away(world: World):
    world.platform.grant(1, 100, quota={"single_fen": 50_000})
    world.run(2)
    signed = quota_of({"quota": {"single_fen": 50_000}})
    assert signed is not None

    bound = OfflineBudget(single_fen=90_000).bound_by(signed)

    assert [OfflineBudget(None, None, None, 50_000)] == world.quotas == [signed]
    assert "OFF_SINGLE" == (bound.verdict(OfflineUse(AWAY_MS), 50_001) or refuse("BUSY")).code
    assert bound.verdict(OfflineUse(AWAY_MS), 50_000) is None


def test_unknown_operations_and_shapes_are_rejected_with_their_reason(world: World):
    world.platform.control_record("CONJURE", {"code": CODE})
    world.platform.control_record("GRANT", {"code": CODE, "first": 1})

    world.run(2)

    results = [ack.results[0] for ack in world.platform.acks if ack.results]
    assert [("REJECT", "op"), ("REJECT", "shape")] == [(r.result, r.code) for r in results]


@pytest.mark.parametrize("not_after", [10**30, -1, 1.5, "2026"])
def test_a_time_beyond_the_store_is_rejected_and_stops_nothing(world: World, not_after: object):
    body = {
        "code": CODE, "first": "0000000001", "last": "0000000009", "unit": "u1",
        "grant_id": "g1", "not_after": not_after,
    }  # fmt: skip
    world.platform.control_record("GRANT", body)
    world.platform.grant(10, 19)

    world.run(3)

    results = [ack.results[0] for ack in world.platform.acks if ack.results]
    assert [("REJECT", "shape"), ("OK", "")] == [(r.result, r.code) for r in results]
    assert [(10, 19)] == blocks(world)


def test_a_half_visible_file_is_taken_once_it_is_whole(world: World):
    content = world.platform.grant(1, 100, send=False)
    name = world.platform.deliver(content[:300], 2, 1)
    world.run(5)
    held = world.ferry.arrivals.get(name)
    world.ferry.arrivals[name] = content

    world.run(5)

    assert (content[:300], [(1, 100)]) == (held, blocks(world))
    assert {} == world.ferry.quarantine


def test_a_file_that_stays_half_is_set_aside_and_asked_for(world: World):
    content = world.platform.grant(1, 100, send=False)
    name = world.platform.deliver(content[:300], 2, 1)

    world.run(60)

    assert {f"{name}.truncated": content[:300]} == world.ferry.quarantine
    assert [("truncated", ((1, 1),), (name,))] == [
        (nack.reason, nack.missing, nack.names) for nack in world.platform.nacks
    ]
    assert "damaged" == world.uplink.status().reason or 1 == world.uplink.status().quarantined


def test_junk_and_files_for_others_are_set_aside_without_harm(world: World):
    world.ferry.arrivals["readme.txt"] = b"hello"
    other = replace(world.platform.header(Kind.CTRL, 2, 9), receiver="node-0002")
    world.platform.send(other, b"{}")
    world.platform.grant(1, 100)

    world.run(60)

    assert [(1, 100)] == blocks(world)
    assert ["readme.txt.truncated"] == [n for n in world.ferry.quarantine if "readme" in n]
    assert 2 == len(world.ferry.quarantine)
    # What was meant for another node is not missing here.
    assert [("receiver", ())] == [(nack.reason, nack.missing) for nack in world.platform.nacks]


def test_an_ack_of_the_wrong_shape_is_set_aside(world: World):
    world.platform.transport_file(Kind.ACK, json.dumps({"applied_upto": "x"}).encode())

    world.run(2)

    assert 1 == len(world.ferry.quarantine)


def test_the_node_speaks_first_and_at_every_heartbeat(world: World):
    world.run(35)

    heard = [(ack.applied_upto, ack.channel) for ack in world.platform.acks]
    assert [(0, 2)] * 4 == heard


def test_silence_counts_on_the_monotonic_clock_and_only_news_end_it(world: World):
    old = world.platform.ack()
    world.run(2)
    online = world.uplink.status().state
    world.run(130, step=1.0)
    silent = world.uplink.status()
    world.watch.wall_shift_s = -86_400.0
    world.platform.deliver(old, 0, 1, attempt=2)
    world.run(5)
    replayed = world.uplink.status()
    world.platform.transport += 1
    world.platform.ack()
    world.run(2)

    assert "online" == online
    assert ("offline", "silent") == (silent.state, silent.reason)
    assert "offline" == replayed.state
    assert 130 < replayed.offline_s
    assert 3 > world.uplink.status().offline_s


def test_silence_is_counted_over_a_restart_and_setting_the_clock_back_gains_nothing(world: World):
    world.platform.ack()
    world.run(2)
    world.run(100, step=1.0)
    world.stop()
    world.watch.wall_shift_s = 3600.0
    world.restart()
    forward = world.uplink.offline_ms()
    world.stop()
    world.watch.wall_shift_s = -86_400.0

    world.restart()

    assert 3_700_000 <= forward <= 3_710_000
    assert forward <= world.uplink.offline_ms()


def test_a_state_did_not_last_through_a_long_absence(world: World):
    world.platform.ack()
    world.run(2)
    was = world.uplink.status()
    heard_at = was.last_heard_at
    world.stop()
    world.watch.wall_shift_s = 3600.0
    world.restart()
    away = world.uplink.status()
    world.platform.ack()
    world.run(3)
    back = world.uplink.status()

    assert ("online", "offline", "online") == (was.state, away.state, back.state)
    assert heard_at + 120_000 == away.since_at
    assert back.since_at >= heard_at + 3_600_000


def test_a_link_that_is_switched_on_late_has_been_away_since_the_first_start(tmp_path: Path):
    world = World(tmp_path)
    world.store.do("start", lambda tx: tx.journal("node.started", "", {}))
    world.reactor.advance(0)
    began = world.now_ms()
    read = world.store.read

    assert 7_200_000 == read(unlinked_q, "province", began + 7_200_000)
    assert 0 == read(unlinked_q, "province", began - 5), "a clock set back gives nothing"
    world.uplink.start()
    world.run(2)
    assert 0 == read(unlinked_q, "province", began + 7_200_000)
    world.store.close()


def test_a_short_restart_ends_no_state(world: World):
    world.platform.ack()
    world.run(2)
    was = world.uplink.status()
    world.stop()
    world.restart()

    assert was.since_at == world.uplink.status().since_at


def test_the_age_of_what_lay_in_the_gate_is_not_told_as_a_clock_that_is_wrong(world: World):
    world.platform.ack()
    world.run(2)
    world.stop()
    world.platform.ack()
    world.watch.wall_shift_s = 36_000.0
    world.restart()
    world.run(3)
    heard_at = world.uplink.status().last_heard_at

    assert heard_at > world.now_ms() - 5_000, "it was heard, only late"
    assert abs(world.uplink.status().platform_offset_ms) < 5_000


def test_a_clock_that_is_wrong_is_told_once_the_quick_files_say_so(world: World):
    world.platform.ack()
    world.run(2)
    world.watch.wall_shift_s = 60.0
    world.platform.ack()
    world.watch.wall_shift_s = 0.0
    world.run(2)
    ahead = world.uplink.status().platform_offset_ms
    world.run(1000, step=5.0)
    world.platform.ack()
    world.run(2)

    assert 55_000 < ahead < 65_000
    assert abs(world.uplink.status().platform_offset_ms) < 5_000


def test_resume_lets_a_stopped_chain_try_again(world: World):
    world.platform.grant(1, 100, send=False)
    saved = world.platform.control
    world.platform.grant(101, 200, seq=1, prev=b"\x01" * 32)
    world.run(2)
    stalled = world.uplink.status().state
    world.done(begun(world.uplink.resume("platform repaired", "li")))
    world.platform.control = (0, 0, bytes(32), bytes(32))
    world.platform.grant(1, 100)

    world.run(3)

    assert ("stalled", [(1, 100)]) == (stalled, blocks(world))
    assert saved[0] == world.platform.control[0]
