"""A real daemon and a real terminal process, killed with money under way: the books agree."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.client import RemoteFault, Unreachable
from fep.sim.pos.terminal import PAN, TRACK2
from tests.harness.checkers import check_all
from tests.harness.counter_town import CounterTown, counter_town, enter, event
from tests.harness.processes import Child, Fleet, free_ports, listens, run, wait_until
from tests.harness.town import program

pytestmark = pytest.mark.timeout(90)

CODE = "134567890123456789"  # what a payer's telephone shows
DEVICE = """
id = "pos-1"
group = "window-1"
kind = "terminal"
driver = "mispos"
profile = "landfone"

[transport]
type = "tcp"
host = "127.0.0.1"
port = {port}

[options]
merchant = "105290053110001"
terminal = "12345678"
ack_timeout_s = 1.0
"""


class Pos:
    """The terminal process."""

    def __init__(self, fleet: Fleet, state: Path) -> None:
        self.fleet, self.state = fleet, state
        (self.port,) = free_ports(1)
        self.child: Child | None = None

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.jsonl"

    def start(self, *knobs: str) -> None:
        words = [program("fepsim"), "pos", "--port", str(self.port), "--state", str(self.state)]
        for knob in knobs:
            words += ["--set", knob]
        self.child = self.fleet.start("pos", words)
        wait_until(lambda: listens(self.port), "the terminal listens", timeout_s=20,
                   children=[self.child])  # fmt: skip

    def turn(self, *knobs: str) -> dict[str, Any]:
        control = str(self.state / "control.sock")
        told = run([program("fepsim"), "pos", "ctl", "--control", control, "set", *knobs])
        return dict(json.loads(told))

    def lines(self) -> int:
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CounterTown, Pos]]:
    place = tmp_path_factory.mktemp("pos")
    with Fleet(place / "world" / "logs") as fleet:
        town = counter_town(place, fleet, 100)
        pos = Pos(fleet, place / "world" / "pos")
        daemon = next(child for child in fleet.children if child.name == "fepd")
        daemon.stop()
        fleet.forget(daemon)
        (place / "devices" / "pos-1.toml").write_text(DEVICE.format(port=pos.port), "utf-8")
        text = town.config.read_text("utf-8")
        town.config.write_text(text.replace('"print", "query"]', '"print", "query", "pay"]'))
        pos.start("card_s=0.2")
        town.daemon = town.start_daemon()  # type: ignore[attr-defined]  # only of this room
        yield town, pos


def pay(town: CounterTown, key: str, amount: str, **more: Any) -> dict[str, Any]:
    with enter(town) as client:
        told = client.call("payment.pay", unit=town.unit, key=key, terminal="pos-1",
                           amount=amount, receipt_key=key, **more)  # fmt: skip
    return dict(told["payment"])


def state(town: CounterTown, key: str) -> str:
    try:
        with enter(town) as client:
            return str(client.call("payment.get", unit=town.unit, key=key)["payment"]["state"])
    except (RemoteFault, Unreachable, OSError):
        return ""


def begin(town: CounterTown, key: str, amount: str) -> None:
    """Pay in a thread whose answer nobody waits for."""

    def ask() -> None:
        try:
            pay(town, key, amount)
        except (RemoteFault, Unreachable, OSError):
            return

    threading.Thread(target=ask, daemon=True).start()


def again(town: CounterTown) -> None:
    """Kill the daemon without a word, and start it."""
    town.daemon.kill()  # type: ignore[attr-defined]  # only of this room
    town.fleet.forget(town.daemon)  # type: ignore[attr-defined]  # only of this room
    town.daemon = town.start_daemon()  # type: ignore[attr-defined]  # only of this room


def wrong(town: CounterTown, pos: Pos) -> list[Any]:
    found = check_all(town.place, None, None, None, quiescent=False, money=pos.ledger)
    return [violation for violation in found if violation.invariant == "I11"]


def test_money_and_receipts_agree_and_who_has_no_receipt_is_listed(room):
    town, pos = room
    assert "approved" == pay(town, "P1", "12.30")["state"]
    assert "approved" == pay(town, "P2", "7.00")["state"]
    with enter(town) as client:
        client.issue(event(town, "P1", "12.30"))

    told = json.loads(town.fepctl("payments", "list", "--without-receipt", "--json"))

    assert ["P2"] == [row["key"] for row in told["payments"]]
    assert "7.00" in town.fepctl("payments", "list", "--lang", "en")
    shown = town.fepctl("payments", "show", str(told["payments"][0]["id"]), "--lang", "en")
    assert "622202*********0123" in shown
    assert "ready" in town.fepctl("payments", "terminals", "--lang", "en")
    assert [] == wrong(town, pos)


def test_money_goes_back_with_a_reversal_and_is_listed_until_it_has(room):
    town, pos = room
    assert "approved" == pay(town, "V1", "8.00")["state"]
    with enter(town) as client:
        blue = client.issue(event(town, "V1", "8.00"))
        client.reverse(unit=town.unit, key="V1-red", code=blue.code, number=blue.number,
                       reason="退费")  # fmt: skip
        assert ("V1", "reversed", "8.00") in loose(town)
        assert client.till.void(unit=town.unit, key="V1-back", of="V1").taken

    assert "V1" not in [key for key, _why, _left in loose(town)]
    assert [] == wrong(town, pos)


def test_a_person_ties_gives_back_signs_in_and_prints_again(room):
    town, pos = room
    first = pay(town, "T1", "6.00")["id"]
    why = ("--reason", "1", "--lang", "en")
    assert "T9" in town.fepctl("payments", "tie", str(first), "--receipt-key", "T9", *why)
    assert "approved" in town.fepctl("payments", "back", str(first), *why)
    assert "ready" in town.fepctl("payments", "sign-in", "pos-1", *why)
    assert "prints it again" in town.fepctl("payments", "reprint", str(first), *why)
    assert "TERMINAL" not in town.fepctl("doctor", "--json")
    assert [] == wrong(town, pos)


def test_a_payer_s_code_is_scanned_or_ours_is_shown_and_subscribers_hear_of_both(room):
    town, _pos = room
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


def loose(town: CounterTown) -> list[tuple[str, str, str]]:
    told = json.loads(town.fepctl("payments", "list", "--without-receipt", "--json"))
    return [(row["key"], row["why"], row["left"]) for row in told["payments"]]


def test_a_daemon_killed_after_the_host_s_approval_learns_of_it(room):
    town, pos = room
    before = pos.lines()
    pos.turn("host_s=2")
    begin(town, "K1", "3.00")
    wait_until(lambda: pos.lines() > before, "the host approved", timeout_s=20)

    again(town)
    wait_until(lambda: state(town, "K1") == "approved", "K1 is inquired", timeout_s=20)
    pos.turn("host_s=0")

    assert "approved" == pay(town, "K2", "4.00")["state"]
    assert [] == wrong(town, pos)


def test_both_killed_leave_an_unknown_payment_that_is_listed_and_settled(room):
    town, pos = room
    before = pos.lines()
    pos.turn("host_s=5")
    begin(town, "B1", "9.00")
    wait_until(lambda: pos.lines() > before, "the host approved", timeout_s=20)
    wait_until(lambda: state(town, "B1") == "acked", "B1 is acknowledged", timeout_s=20)
    pos.child.kill()
    pos.fleet.forget(pos.child)
    again(town)
    pos.start("card_s=0.2")

    wait_until(lambda: state(town, "B1") == "unknown", "B1 is unknown", timeout_s=20)
    listed = json.loads(town.fepctl("resolve", "--json"))["payments"]
    assert ["B1"] == [row["key"] for row in listed]
    assert "B1" in town.fepctl("resolve")
    assert "fits" in town.fepctl("payments", "settle", "pos-1", "--reason", "1", "--lang", "en")
    assert "declined" == state(town, "B1")
    assert [] == wrong(town, pos)


def test_nothing_of_the_card_is_in_any_file_of_the_site(room):
    town, _pos = room
    for path in town.place.rglob("*"):
        if path.is_file() and "world/pos" not in str(path):
            content = path.read_bytes()
            assert PAN.encode() not in content, path
            assert TRACK2.encode() not in content, path
            assert CODE.encode() not in content, path
