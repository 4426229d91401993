"""The till when drivers break, calls do not wait and cashiers are in a hurry."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from fep.domain.faults import Refused
from fep.domain.payment import PayReply, Verdict
from fep.services.callers import Caller
from fep.services.till import Till
from fep.services.till_drawer import WAIT_S
from fep.sim.pos.terminal import PAN
from fep.store import payments
from tests.device.pos_rig import Wall
from tests.device.till_town import EVERY, POS, UNIT, TillTown


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


def listening(town):
    """Return what listeners are told from now on: topic, key and state or text."""
    heard: list[tuple[str, str, str]] = []
    town.till.listen(lambda topic, _unit, told: heard.append(
        (topic, told["key"], told.get("state") or told["text"])))  # fmt: skip
    return heard


# a second press
def test_an_event_is_not_charged_again_by_a_new_key_while_the_first_one_runs_or_stands(town):
    town.knobs.card_s = 20
    town.sale("k1", receipt_key="e1")
    town.pass_time(2)
    assert "POS_FIRST" == refused(lambda: town.sold("k2", receipt_key="e1"))
    town.pass_time(30)
    town.knobs.card_s = 0

    assert "POS_PAID" == refused(lambda: town.sold("k3", receipt_key="e1"))
    assert "approved" == town.sold("k4", receipt_key="e1", another=True)["state"]
    assert "approved" == town.sold("k5", "1.00", receipt_key="e1")["state"]
    assert 3 == len(town.host.lines)


def test_an_event_whose_payment_is_unknown_is_charged_by_nobody(town):
    town.knobs.crash = "after_ack"
    assert "unknown" == town.sold("k1", receipt_key="e1")["state"]
    town.pass_time(5)

    asked: dict[str, Any] = {"receipt_key": "e1", "another": True}
    assert "POS_FIRST" == refused(lambda: town.sold("k2", "1.00", **asked))


def test_an_event_whose_money_was_given_back_can_be_paid_again(town):
    town.sold("k1", receipt_key="e1")
    town.ask("payment.void", unit=UNIT, key="v1", of="k1")

    assert "approved" == town.sold("k2", receipt_key="e1")["state"]


# waiting
def test_a_call_that_does_not_wait_long_is_told_what_is_known_and_the_payment_goes_on(town):
    town.knobs.card_s = 20

    early = town.sold("k1", wait_s=5)
    done = town.sold("k1")

    assert "acked" == early["state"]
    assert "请勿重复刷卡" in early["zh"]
    assert "approved" == done["state"]
    assert 1 == town.host.debits(done["serial"])


def test_an_http_caller_is_answered_within_its_minute(town):
    town.knobs.card_s = 200
    http = Caller("web", frozenset({"pay"}), EVERY, EVERY)
    begun = town.clock.seconds()

    async def asked():
        return await town.till.methods()["payment.pay"].call(
            http, {"unit": UNIT, "key": "k1", "terminal": "pos-1", "amount": "1.00"})  # fmt: skip

    told = town.done(asked())

    assert "acked" == told["payment"]["state"]
    assert town.clock.seconds() - begun < 60


def test_a_payment_whose_turn_does_not_come_is_not_sent_later(town):
    town.knobs.card_s = 100
    told = []
    for key in ("k1", "k2"):
        town.sale(key).addCallback(lambda one: told.append(one["payment"]))
    town.pass_time(WAIT_S + 5)

    assert [("k2", "not_sent", "POS_BUSY")] == [(p["key"], p["state"], p["fault"]) for p in told]
    town.pass_time(60)
    assert 1 == len(town.host.lines)


# cancel, shown, done
def test_a_payer_who_walks_away_is_let_go(town):
    town.knobs.card_s = 100
    told = []
    for key in ("k1", "k2"):
        town.sale(key).addCallback(lambda one: told.append(one["payment"]["state"]))
    town.pass_time(2)

    assert "not_sent" == town.ask("payment.cancel", unit=UNIT, key="k2")["payment"]["state"]
    assert "cancelled" == town.ask("payment.cancel", unit=UNIT, key="k1")["payment"]["state"]
    assert "approved" == _next(town, "k3")["state"]
    assert {"cancelled", "not_sent"} == set(told)
    assert [] == town.differences()


def _next(town, key):
    town.knobs.card_s = 0
    return town.sold(key)


def test_who_listens_badly_changes_nothing_of_a_payment(town):
    def deaf(_topic: str, _unit: str, _told: object) -> None:
        raise RuntimeError

    town.till.listen(deaf)

    assert "approved" == town.sold("k1", way="show")["state"]
    assert "RuntimeError" in "".join(town.log.lines)


def test_what_the_payer_is_to_scan_is_told_while_it_can_be_scanned(town):
    town.knobs.card_s = 20
    heard = listening(town)
    serial = town.sold("k1", way="show", wait_s=1)["serial"]

    code = f"https://pay.example/q/{serial}"
    assert code == town.ask("payment.get", unit=UNIT, key="k1")["payment"]["shown"]
    town.pass_time(30)
    assert "" == town.ask("payment.get", unit=UNIT, key="k1")["payment"]["shown"]
    assert [("payment.shown", "k1", code), ("payment.done", "k1", "approved")] == heard


def test_listeners_hear_once_of_every_end_and_of_what_nobody_knows(town):
    heard = listening(town)
    town.sold("k1")
    town.knobs.crash = "after_ack"
    town.sold("k2")
    town.pass_time(5)
    town.ask("payment.settle", terminal="pos-1")
    town.cable.unplugged = True
    town.driver.close()
    town.sold("k3")

    assert [("k1", "approved"), ("k2", "unknown"), ("k2", "declined"), ("k3", "not_sent")] == [
        (key, state) for topic, key, state in heard if topic == "payment.done"
    ]


# drivers that break
class Broken:
    """A driver of somebody else that fails in its own ways."""

    can_inquire, batch = True, ""

    def __init__(self, inner: Any) -> None:
        self.inner, self.breaks = inner, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def run(self, order: Any, on_ack: Any) -> Any:
        reply = await self.inner.run(order, on_ack)
        if self.breaks == "run":
            raise UnicodeDecodeError("gbk", PAN.encode(), 0, 1, f"card {PAN}")
        return reply

    async def inquire(self, order: Any) -> Any:
        if self.breaks == "inquire":
            raise ZeroDivisionError
        return await self.inner.inquire(order)

    async def settle(self) -> Any:
        raise RuntimeError("settle")

    def cancel(self) -> None:
        raise RuntimeError("cancel")


@pytest.fixture
def broken(town):
    made = Broken(town.new_driver())
    town.till = Till(town.clock, Wall(town.clock), town.life, (POS,), town.log,
                     make=lambda *_: made)  # fmt: skip
    town.done(town.till.start())
    return made


def test_a_payment_cancelled_while_its_terminal_is_made_ready_never_leaves(town, broken):
    prepare = broken.inner.prepare

    async def slow() -> Any:
        await deferLater(town.clock, 2.0, lambda: None)
        return await prepare()

    broken.inner.prepare = slow
    heard = listening(town)
    told = []
    town.sale("k1").addCallback(lambda one: told.append(one["payment"]["state"]))
    town.clock.advance(1)
    town.call("payment.cancel", unit=UNIT, key="k1")
    town.pass_time(10)

    assert ["not_sent"] == told
    assert [("payment.done", "k1", "not_sent")] == heard
    assert [] == town.host.lines
    assert "01" not in town.terminal.heard


def test_a_driver_that_breaks_after_the_money_moved_is_asked_for_its_record(town, broken):
    broken.breaks = "run"

    assert "approved" == town.sold("k1")["state"]
    assert [] == town.differences()
    assert "UnicodeDecodeError" in "".join(town.log.lines)
    assert PAN not in "".join(town.log.lines)


def test_a_driver_that_cannot_be_asked_leaves_it_unknown_and_takes_no_other(town, broken):
    broken.inner.run = _silent
    broken.breaks = "inquire"

    first = town.sold("k1")

    assert ("unknown", "POS_DRIVER") == (first["state"], first["fault"])
    assert "请勿重复刷卡" in first["zh"]
    assert ("not_sent", "POS_RECOVERING") == tuple(town.sold("k2")[m] for m in ("state", "fault"))
    assert "POS_RECOVERING" == refused(lambda: town.ask("payment.settle", terminal="pos-1"))
    broken.breaks = ""
    town.pass_time(70)
    assert ["not_sent", "not_sent"] == [row.state.value for row in town.rows()]


async def _silent(_order: Any, _on_ack: Any) -> PayReply:
    return PayReply(Verdict.SILENT, "DEV_DRIVER_CRASH")


def test_a_driver_that_breaks_elsewhere_is_told_in_the_till_s_words(town, broken):
    assert "approved" == town.sold("k1")["state"]
    assert "POS_DRIVER" == refused(lambda: town.ask("payment.settle", terminal="pos-1"))
    town.knobs.card_s = 10
    town.sale("k2")
    town.pass_time(2)
    assert "approved" == town.ask("payment.cancel", unit=UNIT, key="k2")["payment"]["state"]


def test_a_code_that_nobody_knows_is_a_wrong_answer(town, broken):
    async def odd() -> str:
        return "XYZ_9"

    broken.inner.prepare = odd

    told = town.sold("k1")

    assert ("not_sent", "POS_PROTOCOL") == (told["state"], told["fault"])
    assert told["zh"].startswith("没有扣款：")


def test_a_driver_that_never_comes_back_is_given_up(town, broken):
    async def forever(_order: Any, _on_ack: Any) -> Any:
        return await Deferred()

    broken.inner.run = forever
    told = []
    town.sale("k1", wait_s=0)
    town.pass_time(1000, 5.0)
    town.sale("k2").addCallback(lambda one: told.append(one["payment"]["state"]))
    town.pass_time(1000, 5.0)

    assert ["not_sent", "not_sent"] == [row.state.value for row in town.rows()]


def test_a_stop_at_the_last_moment_lets_nothing_leave(town):
    send = payments.send_txn

    def stopping(tx: Any, id_: int, batch: str) -> Any:
        town.till.stop()
        return send(tx, id_, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payments, "send_txn", stopping)
        town.sale("k1")
        town.pass_time(5)
    assert "01" not in town.terminal.heard

    town.boot()
    town.pass_time(5)
    assert ["not_sent"] == [row.state.value for row in town.rows()]
