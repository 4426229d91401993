"""Refusals are dealt with a group at a time; a stale date only when the window is open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from fep.services.doubt import opened_at
from fep.store import refusals
from fep.store.link import due_q
from fep.store.schema import upload
from tests.unit.life.ward import Ward

WHO = "王"


def _refuse(ward: Ward, receipt: Any, detail: str, *, state: str = "rejected") -> None:
    result = "REJECT" if state == "rejected" else "CONFLICT"

    def answer_txn(tx: Any) -> None:
        tx.conn.execute(
            update(upload).where(upload.c.receipt_id == receipt.id)
            .values(state=state, result=result, detail=detail, updated_at=tx.now_ms)
        )  # fmt: skip

    ward.do("answer", answer_txn)


def _groups(ward: Ward) -> dict[str, tuple[int, int]]:
    found = ward.room.store.read(refusals.groups_q)
    return {group.reason: (group.count, group.amount_fen) for group in found}


def test_refusals_are_grouped_by_the_platforms_reason_with_their_money(ward: Ward):
    for detail in ("stale_date 2001 昨日", "stale_date 2001 前日", "item 2005 x", ""):
        _refuse(ward, ward.issue(1000), detail)
    _refuse(ward, ward.issue(500), "differs", state="conflict")

    assert {
        "stale_date": (2, 2000), "item": (1, 1000), "REJECT": (1, 1000), "CONFLICT": (1, 500),
    } == _groups(ward)  # fmt: skip


def test_one_word_sends_a_group_again_and_leaves_the_others(ward: Ward):
    stale = [ward.issue() for _ in range(3)]
    other = ward.issue()
    for receipt in stale:
        _refuse(ward, receipt, "stale_date 2001")
    _refuse(ward, other, "item 2005")

    done = ward.do("retry", refusals.retry_group_txn, "stale_date", "开窗", WHO, 1 << 60)

    due = ward.room.store.read(due_q, "province", 0, 10)
    assert (3, [receipt.number for receipt in stale]) == (done, [row.number for row in due])
    assert {"item": (1, other.amount_fen)} == _groups(ward)
    # The literal bytes and the signature are those of the first sending.
    assert 4 == len(ward.rows("original")) == len(ward.rows("signature"))


def test_one_word_closes_a_group_with_its_reason(ward: Ward):
    for _ in range(2):
        _refuse(ward, ward.issue(), "item 2005")

    done = ward.do("accept", refusals.accept_group_txn, "item", "已核实", WHO)

    last = json.loads(bytes(ward.rows("journal")[-1].line))
    assert (2, {}) == (done, _groups(ward))
    assert ("delivery.closed", "已核实") == (last["op"], last["body"]["reason"])


def test_a_conflict_is_never_sent_again_by_a_group(ward: Ward):
    _refuse(ward, ward.issue(), "differs", state="conflict")

    assert 0 == ward.do("retry", refusals.retry_group_txn, "CONFLICT", "x", WHO, 1 << 60)


def test_what_was_refused_within_this_window_waits_for_the_next(ward: Ward):
    _refuse(ward, ward.issue(), "stale_date 2001")
    (row,) = ward.room.store.read(refusals.rows_q, "stale_date", 10)

    within = ward.do("window", refusals.retry_group_txn, "stale_date", "x", WHO, row.updated_at)
    after = ward.do("window", refusals.retry_group_txn, "stale_date", "x", WHO, row.updated_at + 1)

    assert (0, 1) == (within, after)


@pytest.mark.parametrize(
    ("at", "opened"),
    [("21:59", ""), ("22:00", "22:00"), ("23:30", "22:00"), ("01:00", "22:00"), ("06:00", "")],
)
def test_a_window_over_midnight_opened_the_evening_before(at: str, opened: str):
    hour, minute = map(int, at.split(":"))
    # 2026-03-05 at +08:00
    now = datetime(2026, 3, 5, hour, minute, 30, tzinfo=UTC).timestamp() - 8 * 3600
    found = opened_at(("22:00-06:00",), int(now * 1000))

    if not opened:
        assert 0 == found
        return
    age_min = (int(now * 1000) - found) / 60_000
    assert ((hour * 60 + minute - 22 * 60) % 1440) == int(age_min)
