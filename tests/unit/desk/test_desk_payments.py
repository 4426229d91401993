"""The desk over payments: lists, what is unknown, and the word of two people."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.domain.payment import Op, PayReply, Verdict, Way
from fep.services import desk_payments
from fep.services.desk_checks import State
from fep.store import payments, queries_payments
from fep.store.payments import Wish
from tests.harness.storeroom import UNIT, Storeroom


@pytest.fixture
def room(tmp_path: Path) -> Any:
    made = Storeroom(tmp_path)
    made.open()
    made.grant(1, 100)
    yield made
    made.close()


def taken(room: Storeroom, key: str, fen: int = 1234, verdict: Verdict = Verdict.APPROVED,
          receipt_key: str = "") -> int:  # fmt: skip
    """Store a payment with its outcome."""
    wish = Wish(UNIT, key, Op.PAY, Way.CARD, "pos-1", fen, receipt_key, "his", "李四")
    row, _new = room.done(room.store.do("create", payments.create_txn, wish))
    room.done(room.store.do("send", payments.send_txn, row.id))
    room.done(room.store.do("reply", payments.reply_txn, row.id, PayReply(verdict)))
    return int(row.id)


def alarms(room: Storeroom, later_ms: int = 0) -> list[Any]:
    """What the doctor says of payments, some time later."""
    seen = room.store.read(desk_payments.look_q, room.wall_ms + later_ms)
    return desk_payments.checks_of(SimpleNamespace(till=None), seen)


def test_money_with_a_receipt_is_not_among_that_without(room: Storeroom):
    taken(room, "k1", receipt_key="e1")
    taken(room, "k2", receipt_key="e2")
    taken(room, "k3")
    taken(room, "k4", verdict=Verdict.DECLINED)
    room.issue("e1")

    found = room.store.read(queries_payments.without_receipt_q)

    assert [("k2", "none"), ("k3", "untied")] == [(row.payment.key, row.why) for row in found]


def test_money_given_back_is_not_among_that_without_a_receipt(room: Storeroom):
    taken(room, "k1")
    wish = Wish(UNIT, "v1", Op.VOID, Way.CARD, "pos-1", 1234, "", "his", "", "k1")
    row, _new = room.done(room.store.do("create", payments.create_txn, wish))
    room.done(room.store.do("send", payments.send_txn, row.id))
    room.done(room.store.do("reply", payments.reply_txn, row.id, PayReply(Verdict.APPROVED)))

    assert () == room.store.read(queries_payments.without_receipt_q)


def test_a_void_under_way_lets_no_second_one_in(room: Storeroom):
    taken(room, "k1")
    room.done(
        room.store.do("create", payments.create_txn,
                      Wish(UNIT, "v1", Op.VOID, Way.CARD, "pos-1", 1234, "", "his", "", "k1"))
    )  # fmt: skip

    with pytest.raises(Refused) as raised:
        room.done(
            room.store.do("create", payments.create_txn,
                          Wish(UNIT, "v2", Op.VOID, Way.CARD, "pos-1", 1234, "", "his", "", "k1"))
        )  # fmt: skip

    assert "POS_AMOUNT" == raised.value.code


def test_an_unknown_payment_is_an_alarm_until_it_is_closed(room: Storeroom):
    id_ = taken(room, "k1", verdict=Verdict.SILENT)
    (alarm,) = alarms(room)
    assert (State.WARN, "fepctl resolve") == (alarm.state, alarm.next)

    room.done(room.store.do("say", payments.say_txn, id_, True, "对账单", "root", ("张三", "李四")))

    assert [] == alarms(room)
    assert "approved" == room.store.read(payments.payment_q, id_).state.value


def test_an_ended_payment_hears_nothing_more_of_its_terminal(room: Storeroom):
    id_ = taken(room, "k1")

    late = PayReply(Verdict.DECLINED)
    row = room.done(room.store.do("late", payments.reply_txn, id_, late))

    assert "approved" == row.state.value
    assert "approved" == room.done(room.store.do("ack", payments.ack_txn, id_)).state.value
