"""A province in its own dialect, behind a relay or called directly: everything it offers, and
the five differences it can show, named and repaired.

What a dialect has no words for (a red receipt in cnnontax, numbers that go back) is told as
`unsupported`, never as done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fep.client import Client
from tests.harness.books import ask
from tests.harness.far_side import FarSide
from tests.harness.processes import Child, Fleet, run, wait_until
from tests.harness.town import program

RECEIPTS = 8
MORE = 3
WHY = {"reason": "查实"}
TURNS = ("NOTICE", "PAYMENT")
# What is asked in each dialect, and a word of its answer; `*` stands for the receipt's own.
NOTICE = {"pay_code": "P1", "payer_name": "张三", "total_amt": "1.00", "item_code": "OP1",
          "item_name": "诊察费"}  # fmt: skip
VOUCHER = {
    "PayCode": "P1",
    "PayerName": "张三",
    "Amt": "1.00",
    "PayInfo": "OP1|诊察费|1.00|次|1|0|#",
}
RECEIPT = {"code": "*code", "number": "*number"}
ASKED: dict[str, list[tuple[str, dict[str, str], str]]] = {
    "finance_rest": [
        ("CAPABILITIES", {}, "finance_rest"), ("ITEMS", {}, "OP1,OP2"), ("NOTICE", NOTICE, "P1"),
        ("PAYMENT", {"pay_code": "P1"}, "open"), ("BY_PAY_CODE", {"pay_code": "*key"}, "*number"),
        ("TIME", {}, "at_ms"), ("NOTICE_VOID", {"pay_code": "P1", "reason": "x"}, "P1"),
        ("FILE", RECEIPT, "unsupported finance_rest has no FILE"),
    ],
    "cnnontax": [
        ("CAPABILITIES", {}, "cnnontax"), ("NOTICE", VOUCHER, "http"),
        ("PAYMENT", {"PayCode": "P1"}, "open"), ("FILE", RECEIPT, "*number"), ("TIME", {}, "day"),
        ("ITEMS", {}, "unsupported cnnontax has no ITEMS"),
        ("BY_PAY_CODE", {"pay_code": "P1"}, "unsupported cnnontax has no BY_PAY_CODE"),
        ("NOTICE_VOID", {"pay_code": "P1", "reason": "x"}, "unsupported"),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A town that has issued, with everything delivered; `desk` is its control socket."""

    town: FarSide
    children: list[Child]
    desk: Client
    rows: list[Any]  # name, day, fen, key of the receipts as they were issued

    def settle(self, what: str) -> None:
        """Wait until nothing is under way."""
        wait_until(self.town.drained, what, timeout_s=60, children=self.children)

    def plant(self, what: str, name: str, *more: str) -> None:
        """Make the province's books differ."""
        state = str(self.town.province_state)
        run([program("fepsim"), "province", "plant", "--state", state, what, name, *more])

    def compared(self, day: str) -> list[dict[str, Any]]:
        """Compare a day; returns the differences."""
        self.desk.call("reconcile.run", day=day)
        told = self._until(lambda: self.desk.call("reconcile.show", day=day),
                           lambda shown: not shown["running"])  # fmt: skip
        assert told["run"]["state"] == "done", told["run"]
        return list(told["differences"])

    def asked(self, name: str, asked: list[tuple[str, dict[str, str], str]]) -> dict[str, str]:
        """Ask the platform, a notice before what becomes of it; returns its words."""
        code, _, number = name.partition("-")
        own = {"*code": code, "*number": number, "*key": str(self.rows[0][3])}
        told: dict[str, Any] = {}
        for turn in (*TURNS, ""):
            for operation, fields, _word in asked:
                if operation == turn or (not turn and operation not in TURNS):
                    given = {key: own.get(value, value) for key, value in fields.items()}
                    told[operation] = self.desk.call(
                        "link.ask", operation=operation, unit=self.town.unit, fields=given, **WHY
                    )
            for operation in told:
                told[operation] = self._until(partial(self._answer, told[operation]),
                                              lambda now: now["state"] != "sent")  # fmt: skip
        return {operation: f"{now['state']} {now['detail']}" for operation, now in told.items()}

    def _answer(self, told: dict[str, Any]) -> Any:
        if told["state"] != "sent":
            return told
        return self.desk.call("link.asked", unit=self.town.unit, ask=told["ask"])

    def _until(self, look: Any, done: Any) -> Any:
        until = time.monotonic() + 60
        told = look()
        while not done(told):
            assert time.monotonic() < until, told
            time.sleep(0.05)
            told = look()
        return told


@contextmanager
def _site(tmp_path: Path, dialect: str, *, relayed: bool) -> Iterator[Site]:
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, dialect=dialect)
        town.found()
        children = [town.start_province()]
        if relayed:
            children += [town.start_gate(), town.start_relay()]
        else:
            town.go_direct()
            kind = town.place / "kinds" / f"{town.kind}.toml"
            text = kind.read_text("utf-8")
            kind.write_text(text.replace('"platform"', '"block"'), "utf-8")
        children.append(town.start_daemon())
        town.import_numbers(RECEIPTS + 5)
        town.load("--count", str(RECEIPTS))
        rows = ask(town.store, "SELECT code || '-' || number, issued_on, amount_fen, event.key"
                               " FROM receipt JOIN event ON event.id = event_id"
                               " ORDER BY receipt.id")  # fmt: skip
        with Client.unix(town.place / "data" / "control.sock", timeout_s=60) as desk:
            site = Site(town, children, desk, rows)
            site.settle("delivered")
            yield site


@pytest.mark.timeout(150)
@pytest.mark.parametrize("relayed", [True, False], ids=["relay", "direct"])
@pytest.mark.parametrize("dialect", ["finance_rest", "cnnontax"])
def test_everything_a_dialect_offers_works_and_five_planted_differences_are_named_and_repaired(
    tmp_path: Path, dialect: str, relayed: bool
):
    with _site(tmp_path, dialect, relayed=relayed) as site:
        names, day, fen = [str(row[0]) for row in site.rows], str(site.rows[0][1]), site.rows[1][2]
        told = site.asked(names[0], ASKED[dialect])
        acts = _numbers_come_and_go(site)
        red = json.loads(site.town.fepctl("receipts", "reverse", names[2], "--reason", "退费",
                                          "--json"))["receipt"]  # fmt: skip
        red_name = f"{red['code']}-{red['number']}"
        site.settle("the red one answered")
        strange = f"{red['code']}-{int(red['number']) + 1:010d}"
        site.plant("lose", names[0])
        site.plant("amount", names[1], "--fen", "1")
        site.plant("written_off", names[3])
        site.plant("invent", strange)
        site.plant(*(("lose", red_name) if dialect == "finance_rest" else ("booked", names[4])))

        found = site.compared(day)
        for row in found:
            site.desk.call("reconcile.repair", id=row["id"], **WHY)
        site.settle("delivered again")
        # What only the platform can put right, its operator does.
        site.plant("lose", strange)
        site.plant("amount", names[1], "--fen", str(fen))
        after = site.compared(day)
        store = site.town.store
        marks = {tuple(row) for row in ask(store, "SELECT name, value FROM mark")}
        refused = ask(store, "SELECT op, detail FROM upload WHERE state = 'rejected'")

    _check_answers(dialect, told, names[0].partition("-")[2])
    assert [("REQUEST", f"{MORE} of {MORE} numbers"),
            ("RETURN", f"unsupported {dialect} has no RETURN")] == acts  # fmt: skip
    expected = {
        ("only_here", names[0]): "resend", ("amount", names[1]): "decide",
        ("state", names[3]): "mark", ("only_there", strange): "report",
    }  # fmt: skip
    if dialect == "finance_rest":
        expected |= {("only_here", red_name): "resend", ("state", names[2]): "resend_red"}
        assert [] == refused
    else:
        expected |= {("state", names[4]): "mark"}
        assert [("RED", True)] == [(op, "cnnontax has no RED" in text) for op, text in refused]
    assert expected == {(row["gap"], row["name"]): row["repair"] for row in found}
    assert [] == after
    assert ("write_off", "done") in marks


def _numbers_come_and_go(site: Site) -> list[tuple[str, str]]:
    """Ask for numbers, give them back; returns what was answered."""
    town, store = site.town, site.town.store
    asked = {"unit": town.unit, "code": town.code, "count": MORE, **WHY}
    first, again = (site.desk.call("numbers.request", **asked)["requested"] for _ in range(2))
    assert (True, False) == (first, again)
    came = "SELECT sum(last - first + 1) FROM number_block WHERE source = 'platform'"
    wait_until(lambda: ask(store, came)[0][0] == MORE, "the numbers", timeout_s=30,
               children=site.children)  # fmt: skip
    ((block,),) = ask(store, "SELECT min(first) FROM number_block WHERE source = 'platform'")
    site.desk.call("numbers.return", code=town.code, first=f"{block:010d}", **WHY)
    site.settle("the return answered")
    rows = ask(store, "SELECT op, detail FROM upload WHERE receipt_id = 0 ORDER BY id")
    return [(str(op), str(detail)) for op, detail in rows]


def _check_answers(dialect: str, told: dict[str, str], number: str) -> None:
    for op, _, word in ASKED[dialect]:
        assert word.replace("*number", number) in told[op], (op, told[op])
    able = json.loads(told["CAPABILITIES"].partition(" ")[2])
    has, has_not = set(able["has"].split()), set(able["unsupported"].split())
    assert {"ISSUE", "FIND", "NUMBER", "REQUEST", "TIME"} <= has
    assert {"PAPER", "RETURN", "DAY_TOTALS"} <= has_not
    assert (dialect == "finance_rest") == ("RED" in has)
