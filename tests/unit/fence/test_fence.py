"""The fence on a real store: what a start finds, and what lifting burns."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.services import witness as files
from fep.services.witness import read, segments
from fep.store import numbers
from fep.store.stock import sealed_grants_q
from tests.harness import books
from tests.harness.storeroom import CODE, UNIT
from tests.unit.fence.guarded import Room

TWO = ("张三", "李四")


def _restart(room: Room) -> Any:
    room.fence.stop()
    room.close()
    room.open()
    return room.guard()


def _copied(room: Room) -> Path:
    copy = room.site / "copy"
    shutil.copytree(room.site / "data", copy)
    return copy


def _put_back(room: Room, copy: Path) -> Any:
    room.fence.stop()
    room.close()
    shutil.rmtree(room.site / "data")
    shutil.copytree(copy, room.site / "data")
    room.open()
    return room.guard()


def _lift(room: Room, *names: str) -> Any:
    return room.run(room.fence.lift("数据已丢失", "admin", names or TWO))


def _burned(room: Room) -> list[tuple[int, int, str]]:
    return [
        (row.next, row.last, row.state)
        for row in books.read(room.site / "data" / "fep.db")["number_block"]
    ]


def test_a_new_store_gets_a_name_and_a_witness(room: Room):
    fence = room.guard()
    room.issue("A", "B")
    fence.tick()

    told = read(room.site / "witness")
    assert told is not None
    assert (room.store.heads.journal_seq, room.store.heads.journal_hash) == (
        told.line.seq, told.line.hash,
    )  # fmt: skip
    assert 3 == told.spans[UNIT, CODE, 1].next
    assert ["witness.opened"] == room.ops("witness.")


def test_every_commit_is_told_before_its_answer(room: Room):
    room.guard()
    seen: list[int] = []

    def answered(_result: Any) -> None:
        told = read(room.site / "witness")
        assert told is not None
        seen.append(told.spans[UNIT, CODE, 1].next)

    from fep.store import issuing

    for key in ("A", "B", "C"):
        work = room.store.group("freeze", issuing.freeze_txn, room.draft(key))
        work.addCallback(answered)
        for _turn in range(5):
            room.clock.advance(0)

    assert [2, 3, 4] == seen


def test_a_restart_is_sound_also_after_a_torn_line_and_a_kill(room: Room):
    room.guard()
    room.issue("A")
    with segments(room.site / "witness")[-1].open("ab") as file:
        file.write(b"fepw1 torn")

    assert "sound" == _restart(room).finding
    room.issue("B")
    room.fence.witness._fd = -1  # killed: nothing was closed
    room.close()
    room.open()
    assert "sound" == room.guard().finding
    assert "" == room.gate.fenced


def test_an_old_copy_is_fenced_and_says_how_old(room: Room):
    room.guard()
    room.issue("A")
    copy = _copied(room)
    room.issue("B", "C")
    fence = _put_back(room, copy)

    assert ("FENCE_OLDER", True) == (fence.finding, fence.closed)
    assert room.gate.fenced.startswith("FENCE_OLDER")
    assert fence.fault.details["store"] < fence.fault.details["witness"]
    assert "FENCE_OLDER" == _restart(room).finding, "a fence is not forgotten"


def test_a_copy_that_went_another_way_is_fenced(room: Room):
    room.guard()
    copy = _copied(room)
    room.issue("A")
    _put_back(room, copy)
    room.issue(*(f"X{n}" for n in range(9)))  # what no node would do

    assert "FENCE_DIVERGED" == _restart(room).finding


def test_a_lost_witness_and_a_strange_one_are_fenced(room: Room, tmp_path: Path):
    room.guard()
    shutil.rmtree(room.site / "witness")
    assert "FENCE_MISSING" == _restart(room).finding

    other = Room(tmp_path / "other")
    other.open()
    other.guard().stop()
    other.close()
    shutil.copytree(other.site / "witness", room.site / "witness")
    strange = read(room.site / "witness")
    assert strange is not None
    room.fence._entropy.token(1)
    fence = _restart(room)
    assert fence.finding in ("FENCE_OTHER", "FENCE_OLDER", "FENCE_DIVERGED")


def test_lifting_burns_what_the_store_and_the_witness_know(room: Room):
    room.guard()
    room.issue("A", "B")
    copy = _copied(room)
    room.issue("C")
    room.grant(201, 300)
    _put_back(room, copy)

    done = _lift(room)

    assert (2, 2, 198) == (done.epoch, done.blocks, done.numbers)
    assert [(3, 100, "burned"), (201, 300, "burned")] == _burned(room)
    assert "" == room.gate.fenced
    assert ["fence.raised", "fence.lifted"] == room.ops("fence.")


def test_a_burned_block_never_comes_back_and_a_new_one_is_used(room: Room):
    room.guard()
    copy = _copied(room)
    room.grant(201, 300)
    room.issue("A")
    _put_back(room, copy)
    _lift(room)

    (nothing,) = room.freeze(room.draft("B"))
    again = numbers.Grant(UNIT, CODE, "0000000201", "0000000300", "platform", "G2")
    part = numbers.Grant(UNIT, CODE, "0000000250", "0000000260", "platform", "G3")
    assert [False, False] == [
        room.done(room.store.do("grant", numbers.grant_txn, grant)) for grant in (again, part)
    ]
    room.grant(301, 310)
    (receipt,) = room.issue("C")

    assert "NUM_NONE" == nothing.code
    assert "0000000301" == receipt.number
    assert "sound" == _restart(room).finding


def test_a_reserve_survives_a_lift_unless_it_was_opened_or_nobody_knows(room: Room):
    room.guard()
    _reserve(room, 501, 600)
    copy = _copied(room)
    room.issue("A")
    _put_back(room, copy)
    _lift(room)
    assert [(1, 100, "burned"), (501, 600, "reserve")] == _burned(room)

    room.fence.stop()
    shutil.rmtree(room.site / "witness")
    room.close()
    room.open()
    room.guard()
    _lift(room)
    assert [(1, 100, "burned"), (501, 600, "burned")] == _burned(room)


def test_grants_stay_sealed_when_another_fence_is_lifted_after_a_blind_one(room: Room):
    room.guard()
    shutil.rmtree(room.site / "witness")
    _restart(room)
    _lift(room)
    copy = _copied(room)
    room.grant(301, 310)
    room.issue("A")
    fence = _put_back(room, copy)
    assert "FENCE_OLDER" == fence.finding

    _lift(room)

    # What the first, unknown store was granted may still be sent once more.
    assert room.store.read(sealed_grants_q)


def _reserve(room: Room, first: int, last: int) -> None:
    block = numbers.Grant(
        UNIT, CODE, f"{first:010d}", f"{last:010d}", "person", "批准文号 2", sealed=True
    )
    room.done(room.store.do("grant", numbers.grant_txn, block))


def test_paper_that_was_due_waits_for_a_person_after_a_lift(room: Room):
    room.guard()
    copy = room.site / "copy"
    room.issue("A", device_group="window-1")
    shutil.copytree(room.site / "data", copy)
    room.issue("B", device_group="window-1")
    _put_back(room, copy)

    assert 1 == _lift(room).prints
    jobs = books.read(room.site / "data" / "fep.db")["print_job"]
    assert [("uncertain", "FENCE")] == [(job.state, job.reason) for job in jobs]


def test_only_what_is_fenced_by_the_data_can_be_lifted(room: Room):
    fence = room.guard()

    assert "FENCE_NONE" == _refusal(room)
    room.gate.fence("self-check: signatures")
    assert "FENCE_CAUSE" == _refusal(room)
    room.gate.unfence()
    room.store.fenced = "a number of an open block is in use already"
    assert 1 == _lift(room).blocks
    assert "" == room.store.fenced
    assert not fence.closed


@pytest.mark.parametrize("names", [("张三",), ("张三", " 张三"), ("zhang", "ZHANG"), ("张三", " ")])
def test_two_different_people_must_approve(room: Room, names: tuple[str, ...]):
    room.guard()
    shutil.rmtree(room.site / "witness")
    _restart(room)

    assert "FENCE_TWO" == _refusal(room, *names)
    assert room.fence.closed


def _refusal(room: Room, *names: str) -> str:
    with pytest.raises(Refused) as caught:
        _lift(room, *names)
    return caught.value.code


def test_a_witness_that_cannot_be_written_stops_issuing_until_it_can(room: Room):
    fence = room.guard()
    os.close(fence.witness._fd)
    room.issue("A")

    assert room.gate.fenced.startswith("FENCE_WITNESS")
    assert "FENCE_CAUSE" == _refusal(room)
    fence.tick()
    assert "" == room.gate.fenced
    told = read(room.site / "witness")
    assert told is not None
    assert room.store.heads.journal_seq == told.line.seq


def test_a_witness_that_does_not_sync_stops_issuing(room: Room, monkeypatch: pytest.MonkeyPatch):
    fence = room.guard()
    room.issue("A")

    def broken(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.os, "fdatasync", broken)
    fence.tick()
    assert room.gate.fenced.startswith("FENCE_WITNESS")
    fence.tick()
    assert room.gate.fenced, "a directory that does not sync is no witness"
    monkeypatch.undo()
    fence.tick()
    assert "" == room.gate.fenced


def test_a_witness_directory_that_cannot_be_made_stops_issuing(room: Room):
    (room.site / "witness").write_text("a file stands in its place")

    room.guard()

    assert room.gate.fenced.startswith("FENCE_WITNESS")


def test_segments_stay_small_and_two_are_kept(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "SEGMENT_BYTES", 2_000)
    room.guard()
    for number in range(40):
        room.issue(f"K{number}")

    kept = segments(room.site / "witness")
    assert 2 == len(kept)
    assert all(path.stat().st_size < 2_500 for path in kept)
    assert "sound" == _restart(room).finding
    kept[-1].write_bytes(b"torn")
    told = read(room.site / "witness")
    assert told is not None
