"""A refused delivery waits for a person, who takes note of it or has it sent again."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from fep.domain.life_marks import Mark
from fep.services.budget import unanswered_q
from fep.store import deliveries, life, queries_sheets
from fep.store.link import due_q
from fep.store.schema import upload
from tests.unit.life.ward import Ward, code_of


def _answer(ward: Ward, state: str, **where: object) -> None:
    def answer_txn(tx: object) -> None:
        conditions = [upload.c[name] == value for name, value in where.items()]
        tx.conn.execute(  # type: ignore[attr-defined]  # a Tx
            update(upload).where(*conditions).values(state=state, result="REJECT")
        )

    ward.do("answer", answer_txn)


def test_a_refused_receipt_is_sent_again_under_a_new_revision(ward: Ward):
    receipt = ward.issue()
    _answer(ward, "rejected")

    ward.do("retry", deliveries.retry_txn, receipt.ref, "平台已修复", "王")

    rows = ward.rows("upload")
    assert [("resent", 0), ("due", 1)] == [(row.state, row.revision) for row in rows]
    (due,) = ward.room.store.read(due_q, "province", 0, 10)
    assert (receipt.number, 1) == (due.number, due.repeat)


def test_a_repeat_takes_no_second_share_of_the_budget(ward: Ward):
    receipt = ward.issue()
    _answer(ward, "rejected")
    ward.do("retry", deliveries.retry_txn, receipt.ref, "重报", "王")

    assert (0, 0) == ward.room.store.read(unanswered_q)


def test_a_red_receipt_counts_in_the_budget_and_its_amount_does_not(ward: Ward):
    ward.reverse(ward.issue(1000))

    assert (2, 1000) == ward.room.store.read(unanswered_q)


def test_taking_note_closes_it_with_a_reason(ward: Ward):
    receipt = ward.issue()
    _answer(ward, "rejected")
    assert [receipt.ref] == [row.name for row in ward.room.store.read(_refusals)]

    ward.do("accept", deliveries.accept_txn, receipt.ref, "已电话核实", "王")

    assert [] == ward.room.store.read(_refusals)
    last = json.loads(bytes(ward.rows("journal")[-1].line))
    assert ("delivery.closed", "已电话核实") == (last["op"], last["body"]["reason"])


def _refusals(conn: object) -> list[queries_sheets.Refusal]:
    return queries_sheets.refusals_q(conn, 10)  # type: ignore[arg-type]  # a Connection


@pytest.mark.parametrize(
    ("state", "txn", "expected"),
    [
        ("applied", deliveries.accept_txn, "DLV_NONE"),
        ("applied", deliveries.retry_txn, "DLV_NONE"),
        ("conflict", deliveries.retry_txn, "DLV_CONFLICT"),
        ("conflict", deliveries.accept_txn, ""),
    ],
)
def test_only_what_was_refused_is_dealt_with(ward: Ward, state: str, txn: object, expected: str):
    receipt = ward.issue()
    _answer(ward, state)

    assert expected == code_of(ward.do, "word", txn, receipt.ref, "原因", "王")


def test_an_act_on_paper_that_was_refused_goes_again(ward: Ward):
    receipt = ward.issue()
    ward.exchange(receipt)
    _answer(ward, "rejected", op="PAPER")

    ward.do("retry", deliveries.retry_txn, receipt.ref, "重报", "王")

    assert [] == ward.room.store.read(_refusals), "resolve does not tell it any more"
    act = ward.room.store.read(due_q, "province", 1, 10)[-1]
    assert ("PAPER", 1, 1) == (act.op, act.act_id, act.repeat)
    assert receipt.number == act.number


def test_marks_are_kept_with_time_and_evidence(ward: Ward):
    receipt = ward.issue()
    name = (receipt.code, receipt.number)

    assert ward.do("mark", life.mark_txn, *name, Mark.WRITTEN_OFF, 5, "核销单 1")
    assert not ward.do("mark", life.mark_txn, *name, Mark.WRITTEN_OFF, 6, "核销单 2")

    (mark,) = ward.standing(receipt).marks
    assert ("write_off", "done", 5, "核销单 1") == (mark.name, mark.value, mark.at, mark.evidence)
    assert ward.standing(receipt).told()["written_off"] is True
    with pytest.raises(KeyError):
        ward.do("mark", life.mark_txn, receipt.code, "0000000099", Mark.BOOKED, 1, "x")
