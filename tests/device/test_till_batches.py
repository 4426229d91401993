"""The till and its batches: closed by us, by themselves or by nobody; and what people may do."""

from __future__ import annotations

from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.services.till import Till
from fep.store import settlements
from tests.device.till_town import POS, UNIT, TillTown


@pytest.fixture
def town(tmp_path):
    town = TillTown(tmp_path)
    town.start()
    yield town
    town.store.close()


def refused(work):
    with pytest.raises(Refused) as raised:
        work()
    return raised.value.code


def closed(town):
    return [(row.batch, row.told, row.fits) for row in town.store.read(settlements.settlements_q)]


def test_a_batch_closed_at_night_is_closed_in_our_books_before_the_next_payment(town):
    town.sold("k1")
    town.knobs.crash = "after_ack"
    town.sold("k2")
    town.pass_time(5)
    town.terminal.night()

    assert "approved" == town.sold("k3", "5.00")["state"]

    assert [("000001", True, True)] == closed(town)
    assert ["approved", "declined", "approved"] == [row.state.value for row in town.rows()]
    void: dict[str, Any] = {"unit": UNIT, "key": "v1", "of": "k1"}
    assert "POS_SETTLED" == refused(lambda: town.ask("payment.void", **void))
    back = town.ask("payment.refund", unit=UNIT, key="r1", of="k1", amount="12.34")
    assert "approved" == back["payment"]["state"]
    assert town.ask("payment.settle", terminal="pos-1")["settlement"]["fits"]


def test_a_void_that_comes_first_after_such_a_night_is_not_sent(town):
    town.sold("k1")
    town.terminal.night()

    told = town.ask("payment.void", unit=UNIT, key="v1", of="k1")["payment"]

    assert ("not_sent", "POS_SETTLED") == (told["state"], told["fault"])
    assert "退货" in told["zh"]


def test_a_batch_that_the_terminal_forgot_is_closed_and_shown_as_not_compared(town):
    town.sold("k1")
    town.terminal.night()
    town.terminal.night()
    town.sold("k2")

    assert [("000001", False, False)] == closed(town)
    assert ("pos-1",) == town.store.read(settlements.differ_q)


def test_a_terminal_whose_batch_numbers_mean_nothing_is_compared_with_all_that_is_unsettled(town):
    town.driver = town.new_driver(batches=False)
    town.till = Till(town.clock, None, town.life, (POS,), town.log,
                     make=lambda *_: town.driver)  # fmt: skip
    town.done(town.till.start())
    town.sold("k1")
    town.terminal.book.batch = 7
    town.terminal.book.entries[0].batch = 7
    town.sold("k2", "5.00")

    told = town.ask("payment.settle", terminal="pos-1")["settlement"]

    assert (True, "17.34", "") == (told["fits"], told["our_amount"], told["batch"])
    assert [("", True, True)] == closed(town)


def test_a_settlement_whose_daemon_died_is_found_in_the_terminal(town):
    town.sold("k1")
    town.call("payment.settle", terminal="pos-1").addErrback(lambda _failure: None)
    for _ in range(50):
        if town.terminal.book.batch == 2:
            break
        town.clock.advance(0.01)
    town.crash()

    town.sold("k2", "2.00")

    assert [("000001", True, True)] == closed(town)
    assert town.ask("payment.settle", terminal="pos-1")["settlement"]["fits"]


# people
def test_a_person_gives_money_back_by_a_void_and_after_the_settlement_by_a_refund(town):
    ids = [town.sold(f"k{number}", "9.00")["id"] for number in range(2)]
    back = town.till.give_back
    assert "void" == town.done(back(ids[0], 0, "root")).op.value
    assert "POS_AMOUNT" == refused(lambda: town.done(back(ids[0], 0, "root")))

    town.ask("payment.settle", terminal="pos-1")
    part = town.done(back(ids[1], 400, "root"))

    assert ("refund", 400, "approved") == (part.op.value, part.amount_fen, part.state.value)
    assert [] == town.differences()


@pytest.mark.parametrize("settled", [False, True])
def test_without_an_amount_a_person_gives_back_what_is_left_of_a_payment(town, settled):
    id_ = town.sold("k1", "9.00")["id"]
    if settled:
        town.ask("payment.settle", terminal="pos-1")
    town.done(town.till.give_back(id_, 400, "root"))

    rest = town.done(town.till.give_back(id_, 0, "root"))

    assert ("refund", 500, "approved") == (rest.op.value, rest.amount_fen, rest.state.value)
    assert "POS_AMOUNT" == refused(lambda: town.done(town.till.give_back(id_, 0, "root")))
    assert [] == town.differences()


def test_a_terminal_is_made_ready_and_prints_again_for_a_person(town):
    id_ = town.sold("k1")["id"]

    assert id_ == town.done(town.till.print_again(id_)).id
    assert "61" == town.terminal.heard[-1]
    town.terminal.signed_in = False
    assert "ready" == town.done(town.till.sign_in("pos-1")).state
    assert town.terminal.signed_in
    town.knobs.mute = True
    assert "POS_SILENT" == refused(lambda: town.done(town.till.sign_in("pos-1")))


def test_a_settlement_that_takes_long_goes_on_without_whoever_asked(town):
    town.sold("k1")
    town.knobs.mute = True
    begun = town.clock.seconds()

    assert "POS_SILENT" == refused(lambda: town.done(town.till.settle_terminal("pos-1", 50)))
    assert town.clock.seconds() - begun < 50
    town.knobs.mute = False
    assert "POS_WORKING" == refused(lambda: town.done(town.till.settle_terminal("pos-1", 0)))
    town.pass_time(5)
    assert [("000001", True, True)] == closed(town)


def test_what_was_paid_and_given_back_for_an_event_is_told_together(town):
    town.sold("k1", "5.00", receipt_key="e1")
    town.sold("k2", "7.00", receipt_key="e1")
    town.sold("k3", "7.00")
    town.ask("payment.void", unit=UNIT, key="v1", of="k2")

    told = town.ask("payment.list", unit=UNIT, receipt_key="e1")["payments"]

    assert [("k1", "pay"), ("k2", "pay"), ("v1", "void")] == [(p["key"], p["op"]) for p in told]
    assert [] == town.ask("payment.list", unit="other", receipt_key="e1")["payments"]


def test_money_is_tied_to_the_event_it_was_for(town):
    town.sold("k1")
    town.ask("payment.void", unit=UNIT, key="v1", of="k1")

    told = town.ask("payment.tie", unit=UNIT, key="k1", receipt_key="e9")["payment"]

    assert "e9" == told["receipt_key"]
    assert {"e9"} == {row.receipt_key for row in town.rows()}
    with pytest.raises(Refused) as raised:
        town.ask("payment.tie", unit=UNIT, key="v1", receipt_key="e8")
    assert "POS_STATE" == raised.value.code
    assert "的状态是“已扣款”，" in raised.value.zh
    assert "is approved;" in raised.value.en
