"""Payments through the till: one per key, never two debits, and what is unknown is asked first."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fep.domain.faults import Refused
from fep.services.till import Till
from fep.sim.pos.terminal import PAN, TRACK2
from tests.device.pos_rig import Wall
from tests.device.till_town import POS, UNIT, TillTown


@pytest.fixture
def town(tmp_path):
    town = TillTown(tmp_path)
    town.start()
    yield town
    town.store.close()


async def waited(deferred):
    return await deferred


def refused(work):
    with pytest.raises(Refused) as raised:
        work()
    return raised.value.code


def test_a_payment_is_answered_with_its_record_and_its_key_is_never_charged_again(town):
    first = town.sold("k1", receipt_key="e1")
    again = town.ask("payment.pay", unit=UNIT, key="k1", terminal="pos-1", amount="12.34",
                     receipt_key="e1")  # fmt: skip

    assert ("approved", "12.34", "622202*********0123") == (
        first["state"], first["amount"], first["card"],
    )  # fmt: skip
    assert (True, first) == (again["repeated"], again["payment"])
    assert 1 == town.host.debits(first["serial"])
    assert "POS_KEY" == refused(lambda: town.sold("k1", "12.35", receipt_key="e1"))


def test_two_calls_with_one_key_wait_for_one_payment(town):
    town.knobs.card_s = 20
    told = []
    for _ in range(2):
        town.sale("k1").addCallback(told.append)
    town.pass_time(30)

    assert ["approved", "approved"] == [one["payment"]["state"] for one in told]
    assert 1 == len(town.host.lines)


def test_one_terminal_carries_one_payment_at_a_time_and_a_bounded_queue(town):
    town.knobs.card_s = 5
    told = []
    for number in range(9):
        town.sale(f"k{number}").addCallback(lambda one: told.append(one["payment"]))
    town.clock.advance(1)
    assert "POS_QUEUE" == refused(lambda: town.done(waited(town.sale("k10")), 0.01))
    town.pass_time(60)

    assert 8 == len([one for one in told if one["state"] == "approved"])
    assert ["POS_QUEUE"] == [one["fault"] for one in told if one["state"] == "not_sent"]
    assert [] == town.differences()


@pytest.mark.parametrize(
    ("answer", "state", "fault"),
    [("decline", "declined", "POS_DECLINED"), ("cancel", "cancelled", "POS_CANCELLED")],
)
def test_what_the_payer_and_the_host_say_is_told(town, answer, state, fault):
    town.knobs.answer = answer

    told = town.sold("k1")

    assert (state, fault) == (told["state"], told["fault"])
    assert all((told["zh"], told["en"]))
    assert [] == town.differences()


def test_a_terminal_that_is_not_there_leaves_a_payment_that_was_not_sent(town):
    town.cable.unplugged = True

    told = town.sold("k1")

    assert ("not_sent", "POS_OFFLINE") == (told["state"], told["fault"])
    assert "fault" == town.till.terminals()[0].state


def test_void_and_refund_never_give_back_more_than_was_taken(town):
    town.sold("k1")
    town.sold("k2", "9.00")

    assert "approved" == town.ask("payment.void", unit=UNIT, key="v1", of="k1")["payment"]["state"]
    assert "POS_AMOUNT" == refused(lambda: town.ask("payment.void", unit=UNIT, key="v2", of="k1"))
    back = town.ask("payment.refund", unit=UNIT, key="r1", of="k2", amount="4.00")
    assert "approved" == back["payment"]["state"]
    assert "POS_AMOUNT" == refused(
        lambda: town.ask("payment.refund", unit=UNIT, key="r2", of="k2", amount="5.01")
    )
    assert "POS_NONE" == refused(lambda: town.ask("payment.void", unit=UNIT, key="v3", of="no"))
    assert [] == town.differences()


def test_a_full_batch_is_settled_and_the_payment_goes_on(town):
    town.knobs.batch_max = 2
    for number in range(3):
        assert "approved" == town.sold(f"k{number}")["state"]

    assert 2 == town.terminal.book.batch
    assert "POS_SETTLED" == refused(lambda: town.ask("payment.void", unit=UNIT, key="v", of="k0"))


def test_a_settlement_is_refused_while_a_payment_is_under_way(town):
    town.knobs.card_s = 30
    town.sale("k1")
    town.pass_time(2)

    assert "POS_BUSY" == refused(lambda: town.ask("payment.settle", terminal="pos-1"))

    town.pass_time(60)
    told = town.ask("payment.settle", terminal="pos-1")["settlement"]
    assert (True, "12.34", "12.34") == (told["fits"], told["amount"], told["our_amount"])


def test_an_unknown_payment_is_inquired_before_the_terminal_takes_another(town):
    town.knobs.lost_replies, town.knobs.card_s = 1, 1.0
    told = []
    town.sale("k1").addCallback(told.append)
    town.pass_time(3)
    town.knobs.mute = True
    town.pass_time(600)
    assert "unknown" == told[0]["payment"]["state"]
    assert "请勿重复刷卡" in told[0]["payment"]["zh"]

    assert "POS_RECOVERING" == town.sold("k2")["fault"]
    town.knobs.mute = False
    assert "approved" == town.sold("k3")["state"]

    assert ["approved", "not_sent", "approved"] == [row.state.value for row in town.rows()]
    assert [] == town.differences()


def test_a_command_that_never_arrived_may_be_charged_again(town):
    """The terminal died before it took the command: nobody is told that it had taken it."""
    town.knobs.crash = "before_ack"

    told = town.sold("k1")

    assert ("not_sent", "POS_NOT_SENT") == (told["state"], told["fault"])
    assert "没有扣款" in told["zh"]
    assert "请勿" not in told["zh"]
    assert "not charge" not in told["en"]


def test_a_record_that_contradicts_itself_is_closed_by_a_settlement(town):
    town.knobs.crash = "after_ack"
    assert ("unknown", "POS_ABSENT") == tuple(town.sold("k1")[m] for m in ("state", "fault"))
    town.pass_time(5)
    assert "approved" == town.sold("k2", "5.00")["state"]

    told = town.ask("payment.settle", terminal="pos-1")["settlement"]

    assert told["fits"]
    assert ["declined", "approved"] == [row.state.value for row in town.rows()]
    assert [] == town.differences()


def test_two_people_close_what_nothing_else_can(town):
    from fep.store.payments import say_txn

    town.knobs.crash = "after_ack"
    row_id = town.sold("k1")["id"]

    def say(*names):
        return town.store.do("say", say_txn, row_id, False, "对账单", "root", names)

    async def said(*names):
        return await say(*names)

    assert "POS_ONE_PERSON" == refused(lambda: town.done(said("张三", " 张三 ")))
    assert "declined" == town.done(said("张三", "李四")).state.value
    assert "POS_STATE" == refused(lambda: town.done(said("张三", "李四")))
    assert [] == town.differences()


def test_nothing_of_a_card_but_six_and_four_is_stored_or_logged(town, tmp_path):
    town.sold("k1")
    town.knobs.lost_replies, town.knobs.wrong_ids = 1, 1
    town.sold("k2")
    town.crash()
    town.sold("k3", way="scan", payer_code="621234567890123456")

    kept = b"".join(path.read_bytes() for path in tmp_path.glob("fep.db*"))
    told = kept + "\n".join(town.log.lines).encode()
    for secret in (PAN, TRACK2, "621234567890123456"):
        assert secret.encode() not in told


def test_a_stop_leaves_a_payment_under_way_to_the_next_start(town):
    town.knobs.card_s = 30
    told = []
    town.sale("k1").addCallback(lambda one: told.append(one["payment"]))
    town.pass_time(2)

    town.till.stop()
    town.clock.advance(0)
    assert ["acked"] == [one["state"] for one in told]
    assert "请勿重复刷卡" in told[0]["zh"]

    town.boot()
    town.pass_time(60)
    assert ["approved"] == [row.state.value for row in town.rows()]
    assert [] == town.differences()


def test_a_terminal_whose_driver_does_not_work_takes_nothing_and_stops_nobody(town):
    wrong = replace(POS, profile="epson-80")
    town.till = Till(town.clock, Wall(town.clock), town.store, (wrong,), town.log)
    town.done(town.till.start())

    told = town.sold("k1")

    assert ("not_sent", "POS_CONFIG") == (told["state"], told["fault"])
    assert "POS_CONFIG" == refused(lambda: town.ask("payment.settle", terminal="pos-1"))
    assert "POS_TERMINAL" == refused(lambda: town.ask("payment.settle", terminal="pos-2"))
