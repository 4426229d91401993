"""A real daemon and a real terminal process, killed with money under way: the books agree."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from fep.client import RemoteFault, Unreachable
from fep.sim.pos.terminal import PAN, TRACK2
from tests.harness.counter_town import enter, event
from tests.harness.pos_town import PosTown
from tests.harness.processes import Fleet, wait_until

pytestmark = pytest.mark.timeout(90)
CODE = "134567890123456789"  # what a payer's telephone shows


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PosTown]:
    place = tmp_path_factory.mktemp("pos")
    with Fleet(place / "world" / "logs") as fleet:
        made = PosTown(place, fleet)
        made.open()
        yield made


def state(town: PosTown, key: str) -> str:
    try:
        return town.state(key)
    except (RemoteFault, Unreachable, OSError):
        return ""


def begin(town: PosTown, key: str, amount: str, terminal: str = "pos-1") -> None:
    """Pay in a thread whose answer nobody waits for."""

    def ask() -> None:
        try:
            town.pay(key, amount, terminal)
        except (RemoteFault, Unreachable, OSError):
            return

    threading.Thread(target=ask, daemon=True).start()


def test_money_and_receipts_agree_and_who_has_no_receipt_is_listed(town):
    assert "approved" == town.pay("P1", "12.30")["state"]
    assert "approved" == town.pay("P2", "7.00")["state"]
    with enter(town) as client:
        client.issue(event(town, "P1", "12.30"))

    told = json.loads(town.fepctl("payments", "list", "--without-receipt", "--json"))

    assert ["P2"] == [row["key"] for row in told["payments"]]
    of_event = town.fepctl("payments", "list", "--receipt-key", "P1", "--json")
    assert ["P1"] == [row["key"] for row in json.loads(of_event)["payments"]]
    assert "7.00" in town.fepctl("payments", "list", "--lang", "en")
    shown = town.fepctl("payments", "show", str(told["payments"][0]["id"]), "--lang", "en")
    assert "622202*********0123" in shown
    assert "ready" in town.fepctl("payments", "terminals", "--lang", "en")
    assert [] == town.wrong()


def test_money_goes_back_with_a_reversal_and_is_listed_until_it_has(town):
    assert "approved" == town.pay("V1", "8.00")["state"]
    with enter(town) as client:
        blue = client.issue(event(town, "V1", "8.00"))
        client.reverse(unit=town.unit, key="V1-red", code=blue.code, number=blue.number,
                       reason="退费")  # fmt: skip
        assert ("V1", "reversed", "8.00") in loose(town)
        assert client.till.void(unit=town.unit, key="V1-back", of="V1").taken

    assert "V1" not in [key for key, _why, _left in loose(town)]
    assert [] == town.wrong()


def test_a_person_ties_gives_back_signs_in_and_prints_again(town):
    first = town.pay("T1", "6.00")["id"]
    why = ("--reason", "1", "--lang", "en")
    assert "T9" in town.fepctl("payments", "tie", str(first), "--receipt-key", "T9", *why)
    assert "approved" in town.fepctl("payments", "back", str(first), *why)
    assert "ready" in town.fepctl("payments", "sign-in", "pos-1", *why)
    assert "prints it again" in town.fepctl("payments", "reprint", str(first), *why)
    assert "TERMINAL" not in town.fepctl("doctor", "--json")

    town.terminals["pos-1"].turn("crash=after_ack")
    lost = town.pay("T2", "5.00")
    assert ("unknown", "POS_ABSENT") == (lost["state"], lost["fault"])
    assert "T2" in town.fepctl("resolve")
    two = ("--not-charged", "--approve", "张三", "--approve", "李四")
    assert "declined" in town.fepctl("resolve", "payment", str(lost["id"]), *two, *why)
    assert [] == town.wrong()


def test_a_payer_s_code_is_scanned_or_ours_is_shown_and_subscribers_hear_of_both(town):
    with enter(town) as client, client.subscribe("payment.done", "payment.shown") as heard:
        scan = client.till.pay(unit=town.unit, key="Q1", terminal="pos-1", amount="1.00",
                               way="scan", payer_code=CODE)  # fmt: skip
        show = client.till.pay(unit=town.unit, key="Q2", terminal="pos-1", amount="1.00",
                               way="show")  # fmt: skip
        told = [notice for notice in (heard.next(5.0) for _ in range(4)) if notice is not None]

    assert scan.taken
    assert show.taken
    assert ["payment.shown", "payment.done"] * 2 == [notice.topic for notice in told]
    assert "https://pay.example/" in told[2].params["text"]


def loose(town: PosTown) -> list[tuple[str, str, str]]:
    told = json.loads(town.fepctl("payments", "list", "--without-receipt", "--json"))
    return [(row["key"], row["why"], row["left"]) for row in told["payments"]]


def test_a_daemon_killed_after_the_host_s_approval_learns_of_it(town):
    pos = town.terminals["pos-1"]
    before = pos.lines()
    pos.turn("host_s=2")
    begin(town, "K1", "3.00")
    wait_until(lambda: pos.lines() > before, "the host approved", timeout_s=20)

    town.again()
    wait_until(lambda: state(town, "K1") == "approved", "K1 is inquired", timeout_s=20)
    pos.turn("host_s=0")

    assert "approved" == town.pay("K2", "4.00")["state"]
    assert [] == town.wrong()


def test_both_killed_leave_an_unknown_payment_that_is_listed_and_settled(town):
    pos = town.terminals["pos-1"]
    before = pos.lines()
    pos.turn("host_s=5")
    begin(town, "B1", "9.00")
    wait_until(lambda: pos.lines() > before, "the host approved", timeout_s=20)
    wait_until(lambda: state(town, "B1") == "acked", "B1 is acknowledged", timeout_s=20)
    pos.kill()
    town.again()
    pos.start("card_s=0.2")

    wait_until(lambda: state(town, "B1") == "unknown", "B1 is unknown", timeout_s=20)
    listed = json.loads(town.fepctl("resolve", "--json"))["payments"]
    assert ["B1"] == [row["key"] for row in listed]
    assert "B1" in town.fepctl("resolve")
    assert "fits" in town.fepctl("payments", "settle", "pos-1", "--reason", "1", "--lang", "en")
    assert "declined" == state(town, "B1")
    assert [] == town.wrong()


def test_a_terminal_on_a_serial_cable_and_the_daemon_die_and_agree_again(town):
    pos = town.terminals["pos-2"]
    assert "approved" == town.pay("S1", "2.00", "pos-2")["state"]
    pos.turn("crash=after_approval", "boot_s=60")
    begin(town, "S2", "4.00", "pos-2")
    wait_until(lambda: not pos.order("state")["powered"], "the terminal went dark", timeout_s=20)
    pos.kill()
    town.again()
    pos.start("card_s=0.2")

    wait_until(lambda: state(town, "S2") == "approved", "S2 is inquired", timeout_s=30)
    assert "approved" == town.pay("S3", "1.00", "pos-2")["state"]
    assert [] == town.wrong()


def test_nothing_of_the_card_is_in_any_file_of_the_site(town):
    for path in town.place.rglob("*"):
        if path.is_file() and "world/pos-" not in str(path):
            content = path.read_bytes()
            assert PAN.encode() not in content, path
            assert TRACK2.encode() not in content, path
            assert CODE.encode() not in content, path
