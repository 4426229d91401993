"""A real daemon, a bridge made by its kit, a printer, a POS library and a HIS of that PC."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fep.client import RemoteFault, Unreachable
from tests.harness.counter_town import SHEETS, CounterTown, counter_town, enter, event
from tests.harness.processes import Child, Fleet, free_ports, run, wait_until
from tests.harness.town import program, set_keys

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not shutil.which("cc"), reason="the library is built from C"),
]
DEVICE = """
id = "pos-1"
group = "window-1"
kind = "terminal"
driver = "ums"
profile = "umspay"
[transport]
type = "bridge"
bridge = "pc"
name = "pos"
[options]
terminal = "00000001"
result_timeout_s = 20.0
"""
PORTS = """
[port slip]
kind = tcp
host = 127.0.0.1
port = {printer}

[port pos]
kind = bankall
library = {library}
"""


@dataclass
class Room:
    """One machine room and one cashier's PC."""

    town: CounterTown
    fleet: Fleet
    pc: Path
    extend_port: int = 0
    pos: Path = Path()
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, name: str, *words: str) -> None:
        """Start a process."""
        self.children[name] = self.fleet.start(name, words)

    def kill(self, name: str) -> None:
        """Kill one without a word."""
        self.children[name].kill()
        self.fleet.forget(self.children.pop(name))

    def bridge(self) -> None:
        """Start the bridge as on the PC: the copied file, its settings beside it."""
        self.start("bridge", sys.executable, str(self.pc / "bridge.py"))

    def daemon(self) -> None:
        """Start the daemon."""
        self.children["fepd"] = self.town.start_daemon()

    def state(self) -> str:
        """Return how the bridge is, as a technician sees it."""
        return str(json.loads(self.town.fepctl("bridges", "list", "--json"))["bridges"][0]["state"])

    def ledger(self) -> list[dict[str, Any]]:
        """Return what moved money."""
        path = self.pos / "ledger.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [row for row in map(json.loads, lines) if row["op"] != "settle"]

    def turn(self, knob: str) -> None:
        """Turn a knob of the terminal."""
        control = str(self.pos / "control.sock")
        run([program("fepsim"), "ums", "ctl", "--control", control, "set", knob])

    def extend(self, method: str, params: Any) -> str:
        """Ask the local print component as a HIS does: base64 that is not escaped."""
        told = base64.b64encode(json.dumps({"method": method, "params": params}).encode()).decode()
        where = f"http://127.0.0.1:{self.extend_port}/extend?dllName=NontaxIndustry"
        with urllib.request.urlopen(f"{where}&func=CallNontaxIndustry&payload={told}") as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    place = tmp_path_factory.mktemp("bridge")
    with Fleet(place / "world" / "logs") as fleet:
        town = counter_town(place, fleet, 100)
        daemon = next(child for child in fleet.children if child.name == "fepd")
        daemon.stop()
        fleet.forget(daemon)
        found = Room(town, fleet, place / "world" / "pc")
        port, found.extend_port = free_ports(2)
        found.pos = place / "world" / "ums"
        pcs = '[{id = "pc", key_file = "keys/bridge-pc.key", name = "1 号窗"}]'
        listen = f'["tcp:{port}:interface=127.0.0.1"]'
        set_keys(town.config, "bridge", {"listen": listen, "pcs": pcs})
        text = town.config.read_text("utf-8")
        town.config.write_text(text.replace('"print", "query"]', '"print", "query", "pay"]'))
        (place / "devices" / "pos-1.toml").write_text(DEVICE, "utf-8")
        printer = place / "devices" / "window-1.toml"
        head = printer.read_text("utf-8").partition("[transport]")[0]
        where = '[transport]\ntype = "bridge"\nbridge = "pc"\nname = "slip"\n'
        printer.write_text(head + where, "utf-8")
        found.daemon()
        found.start("ums", program("fepsim"), "ums", "--state", str(found.pos))
        town.start_printer()
        where = f"127.0.0.1:{port}"
        town.fepctl("bridges", "kit", "pc", str(found.pc), "--server", where, "--reason", "new")
        ini = found.pc / "bridge.ini"
        ports = PORTS.format(printer=town.printer_port, library=found.pos / "libposinf.so")
        more = f"extend_port = {found.extend_port}\npace = 0.1\n"
        key = "key_file = bridge.key\n"
        ini.write_text(ini.read_text("utf-8").replace(key, key + more) + ports, "utf-8")
        wait_until((found.pos / "ums.sock").exists, "the terminal is there", timeout_s=20)
        found.bridge()
        wait_until(lambda: found.state() == "connected", "the bridge is there", timeout_s=20)
        yield found


def state(room: Room, key: str) -> str:
    try:
        with enter(room.town) as client:
            told = client.call("payment.get", unit=room.town.unit, key=key)
    except (RemoteFault, Unreachable, OSError):
        return ""
    return str(told["payment"]["state"])


def pay(room: Room, key: str, amount: str) -> str:
    with enter(room.town) as client:
        told = client.call("payment.pay", unit=room.town.unit, key=key, terminal="pos-1",
                           amount=amount)  # fmt: skip
    return str(told["payment"]["state"])


def begin(room: Room, key: str, amount: str) -> None:
    def ask() -> None:
        try:
            pay(room, key, amount)
        except (RemoteFault, Unreachable, OSError):
            return

    threading.Thread(target=ask, daemon=True).start()


def test_a_technician_sees_the_bridge_and_what_it_lends(room: Room):
    told = json.loads(room.town.fepctl("bridges", "list", "--json"))["bridges"][0]
    shown = room.town.fepctl("bridges", "list", "--lang", "en")

    assert {"slip", "pos"} == {port["name"] for port in told["ports"]}
    assert ("connected", "") == (told["state"], told["fault"])
    assert "connected" in shown
    assert "bridge pc" in room.town.fepctl("doctor", "--lang", "en")


def signed(town: CounterTown, fields: dict[str, str]) -> dict[str, str]:
    """Return the envelope of a HIS, by the published sentence."""
    data, noise, key = base64.b64encode(json.dumps(fields).encode()).decode(), "1", town.key("his")
    text = f"appid=his&data={data}&noise={noise}&key={key.decode()}&version=1.0"
    sign = hashlib.md5(text.encode()).hexdigest().upper()
    return {"appid": "his", "data": data, "noise": noise, "version": "1.0", "sign": sign}


def test_a_his_prints_a_receipt_through_the_component_of_its_pc(room: Room):
    town = room.town
    with enter(town) as client:
        receipt = client.issue(event(town, "E1"))
    bill = {"billBatchCode": receipt.code, "billNo": receipt.number}
    mine, others = ({**bill, "random": check} for check in (receipt.check_code, "000000"))
    url = base64.b64encode(json.dumps({"url": "http://x/", "appkey": "k"}).encode()).decode()

    told = room.extend("InitParams", {"appid": "his", "data": url})
    bare = room.extend("InitParams", {"appid": "his", "data": ""})
    wrong = room.extend("printElectBill", signed(town, others))
    before = len(list(town.paper.glob("sheet-*.json")))
    good = room.extend("printElectBill", signed(town, mine))
    wait_until(lambda: len(list(town.paper.glob("sheet-*.json"))) > before, "a sheet", timeout_s=20)

    sheets = {"placeCode": town.point, "pBillBatchCode": SHEETS, "pBillNo": "00000001"}
    turned = room.extend("turnPaperPrint", signed(town, {**bill, **sheets, "operator": "李四"}))
    with enter(town) as client:
        following = client.call("paper.next", unit=town.unit, point=town.point)["sheet"]

    sheet = max(town.paper.glob("sheet-*.json")).read_text("utf-8")
    answers = [json.loads(base64.b64decode(json.loads(one)["data"]))["result"]
               for one in (good, wrong, turned)]  # fmt: skip
    assert ("T2000", "T2001") == (told, bare)
    assert "S0000" == answers[0]
    assert "S0000" not in answers[1:]
    assert f"{SHEETS}-00000001" == following  # no form printer, no exchange
    assert receipt.number in sheet


def test_a_payment_outlives_the_bridge_and_the_daemon(room: Room):
    assert "approved" == pay(room, "P1", "12.30")
    room.turn("card_s=2")
    begin(room, "P2", "5.00")
    wait_until(lambda: state(room, "P2") == "acked", "the library was called", timeout_s=20)

    room.kill("bridge")
    room.kill("fepd")
    wait_until(lambda: len(room.ledger()) == 2, "the terminal went on", timeout_s=20)
    room.turn("card_s=0")
    room.daemon()
    room.bridge()

    wait_until(lambda: state(room, "P2") == "approved", "the journal told it", timeout_s=30)
    assert [1230, 500] == [row["fen"] for row in room.ledger()]


def test_a_library_that_died_leaves_a_payment_that_people_find_and_the_settlement_closes(room):
    moved = len(room.ledger())
    room.turn("crash=before_host")
    assert "unknown" == pay(room, "P3", "7.77")
    listed = json.loads(room.town.fepctl("resolve", "--json"))["payments"]

    assert ["P3"] == [row["key"] for row in listed]
    assert "approved" == pay(room, "P4", "1.00")
    assert moved + 1 == len(room.ledger())
    told = room.town.fepctl("payments", "settle", "pos-1", "--reason", "1", "--lang", "en")
    assert "fits" in told
    assert "declined" == state(room, "P3")
