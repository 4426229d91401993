"""Traps of the issuing path that the writer itself must not fall into (1, 2, 5, 6, 7)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fep.domain.faults import Refused
from fep.store.tx import Fence
from tests.harness.books import read
from tests.harness.checkers import check_all
from tests.harness.storeroom import CODE, DAY_MS, UNIT, Storeroom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Storeroom]:
    """A store with a thousand numbers."""
    room = Storeroom(tmp_path / "site")
    room.open()
    room.grant(1, 1000)
    yield room
    room.close()


def _checked(room: Storeroom) -> list[str]:
    room.close()
    return [str(violation) for violation in check_all(room.site, None, None, None)]


def test_trap_1_one_bad_row_in_a_group_of_60_costs_that_row_alone(room: Storeroom):
    drafts = [room.draft(f"E{index}") for index in range(60)]
    bad = drafts[30] = msgspec.structs.replace(drafts[30], check_code=None)  # breaks NOT NULL

    answers = room.freeze(*drafts)

    frozen = [answer.receipt for answer in answers if not isinstance(answer, Exception)]
    assert bad.check_code is None
    assert [30] == [i for i, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert [f"{n:010d}" for n in range(1, 60)] == [receipt.number for receipt in frozen]
    room.seal(*frozen)
    assert [] == _checked(room)


def test_trap_2_a_number_found_used_fences_and_is_never_skipped(room: Storeroom):
    room.issue("E1", "E2")
    head = room.store.heads.blocks[UNIT, CODE][0]
    room.store.heads.blocks[UNIT, CODE] = (dataclasses.replace(head, next=2),)

    first = room.freeze(room.draft("E3"))[0]
    second = room.freeze(room.draft("E4"))[0]

    assert isinstance(first, Fence)
    assert isinstance(second, Fence | Refused)
    assert room.store.fenced
    room.close()
    assert ["0000000001", "0000000002"] == [
        row.number for row in read(room.site / "data" / "fep.db")["receipt"]
    ]


def test_trap_3_the_same_key_with_other_content_never_gets_the_first_ones_receipt(
    room: Storeroom,
):
    first, second, third = room.freeze(
        room.draft("E1", 1234), room.draft("E1", 9999), room.draft("E1", 1234)
    )

    assert "EVT_CONFLICT" == second.code
    assert first.receipt.ref == third.receipt.ref
    assert f"{CODE}-0000000001" == second.details["receipt"]
    room.seal(first.receipt)
    assert "EVT_CONFLICT" == room.freeze(room.draft("E1", 9999))[0].code
    assert [] == _checked(room)


def test_trap_5_uploads_are_ordered_by_seal_not_by_number(room: Storeroom):
    first, second, third = (
        answer.receipt for answer in room.freeze(*(room.draft(f"E{i}") for i in range(3)))
    )

    room.seal(third)
    room.seal(first, second)

    room.close()
    uploads = read(room.site / "data" / "fep.db")["upload"]
    assert [third.id, first.id, second.id] == [row.receipt_id for row in uploads]
    assert [1, 2, 3] == [row.id for row in uploads]


def test_trap_6_issue_time_never_decreases_and_never_runs_ahead_of_the_clock(room: Storeroom):
    for _ in range(3):
        room.issue(*(f"A{room.wall_ms}-{i}" for i in range(50)))
        room.wall_ms += 1
    room.wall_ms -= 5000
    room.issue("B1")

    room.close()
    rows = read(room.site / "data" / "fep.db")["receipt"]
    times = [row.issued_at for row in rows]
    assert sorted(times) == times
    assert {DAY_MS, DAY_MS + 1, DAY_MS + 2} == set(times)


def test_trap_7_reads_never_keep_the_log_from_being_reset(room: Storeroom):
    wal = room.site / "data" / "fep.db-wal"
    for turn in range(60):
        room.store.read(lambda conn: conn.exec_driver_sql("SELECT count(*) FROM receipt").all())
        room.issue(*(f"E{turn}-{i}" for i in range(16)))

    room.store.read(lambda conn: conn.exec_driver_sql("SELECT count(*) FROM receipt").all())
    assert wal.stat().st_size < 16 * 1024 * 1024
    assert [] == _checked(room)


def test_no_numbers_left_refuses_and_says_so_and_the_key_may_come_again(room: Storeroom):
    room.issue(*(f"E{index}" for index in range(1000)))

    none = room.freeze(room.draft("LATE"))[0]
    room.grant(5001, 5001)
    again = room.freeze(room.draft("LATE"))[0]

    assert "NUM_NONE" == none.code
    assert "0000005001" == again.receipt.number
    room.seal(again.receipt)
    assert [] == _checked(room)


def test_frozen_receipts_survive_a_restart_with_the_same_number_and_bytes(room: Storeroom):
    before = room.freeze(room.draft("E1"))[0]
    room.close()
    room.open()

    after = room.freeze(room.draft("E1"))[0]

    assert (before.receipt.ref, None) == (after.receipt.ref, after.original)
    room.seal(after.receipt)
    room.issue("E2")
    assert [] == _checked(room)
