"""One suite, three doors: medical-web, standard-web and /rpc on the same store.

Whatever door a receipt comes through, it is the same receipt at the others: issued once,
reversed once, on one sheet, counted once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from fep.crypto import sm3
from fep.services.callers_limits import Nonces
from fep.services.http_values import HttpRequest
from fep.services.methods import Methods
from fep.services.rpc import Rpc
from fep.services.standard import PREFIX, Standard
from fep.services.window_find import Finding
from tests.unit.medical.clinic import APPID, KEY, NOISE, SHEETS, Clinic, packed

AT = "20261121093011123"
Name = tuple[str, str]


class Refusal(Exception):
    """A door said no; the argument is its text."""


class ByMedical:
    """A hospital's HIS."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic

    def ask(self, method: str, fields: dict[str, Any]) -> Any:
        result, told = self.clinic.call(method, fields)
        if result != "S0000":
            raise Refusal(told)
        return told

    def issue(self, key: str) -> Name:
        told = self.ask("invoiceEBillOutpatient", {
            "busNo": key, "busType": "02", "payer": "张三", "busDateTime": AT, "placeCode": "001",
            "payee": "甲", "author": "乙", "totalAmt": 12.3, "payerType": "1",
            "payChannelDetail": [{"payChannelCode": "02", "payChannelValue": 12.3}],
            "chargeDetail": [{"sortNo": 1, "chargeCode": "90601", "chargeName": "诊察费",
                              "std": 12.3, "number": 1, "amt": 12.3, "selfAmt": 0}],
        })  # fmt: skip
        return told["billBatchCode"], told["billNo"]

    def reverse(self, name: Name) -> Name:
        told = self.ask("writeOffEBill", {
            "billBatchCode": name[0], "billNo": name[1], "reason": "退费", "operator": "甲",
            "busDateTime": AT, "placeCode": "001",
        })  # fmt: skip
        return told["eScarletBillBatchCode"], told["eScarletBillNo"]

    def exchange(self, name: Name, sheet: str) -> None:
        self.ask("turnPaper", {
            "billBatchCode": name[0], "billNo": name[1], "pBillBatchCode": SHEETS,
            "pBillNo": sheet, "busDateTime": AT, "placeCode": "001", "operator": "甲",
        })  # fmt: skip

    def look(self, name: Name) -> tuple[str, str]:
        """Return the number of the red receipt and the sheet."""
        told = self.ask("getEBillStatesByBillInfo", {"billBatchCode": name[0], "billNo": name[1]})
        return told["scarletBillNo"], told["pBillNo"]

    def totals(self) -> tuple[int, float]:
        told = self.ask("checkTotalDataByIvcDate", {"ivcDate": "2026-11-21"})
        return told["allTotalNum"], told["allTotalAmt"]


class ByStandard(ByMedical):
    """A college's system; its dialect has no sums, so it asks at the sister's."""

    def __init__(self, clinic: Clinic) -> None:
        super().__init__(clinic)
        self.door = Standard(clinic.ctx).door

    def ask(self, method: str, fields: dict[str, Any]) -> Any:
        if method.startswith("check"):
            return super().ask(method, fields)
        data, head = packed(fields), "region=420900&deptcode=H001&"
        text = f"{head}appid={APPID}&data={data}&noise={NOISE}&key={KEY}&version=3.1.2.0"
        body = {"region": "420900", "deptcode": "H001", "appid": APPID, "data": data,
                "noise": NOISE, "version": "3.1.2.0",
                "sign": hashlib.md5(text.encode()).hexdigest().upper()}  # fmt: skip
        request = HttpRequest(
            "POST", PREFIX + method, {}, {}, json.dumps(body).encode(), "10.1.1.1"
        )
        result, told = self.clinic.told(self.door(request))
        if result != "S0000":
            raise Refusal(told)
        return told

    def issue(self, key: str) -> Name:
        told = self.ask("invoiceEBill", {
            "busNo": key, "busDateTime": AT, "placeCode": "001", "billCode": "outpatient",
            "payer": "张三", "payerType": "1", "payee": "甲", "author": "乙", "payChannel": "02",
            "totalAmt": "12.30", "chargeDetail": [{
                "chargeCode": "90601", "chargeName": "诊察费", "std": "12.30", "number": "1",
                "amt": "12.30"}],
        })  # fmt: skip
        return told["billBatchCode"], told["billNo"]


class ByRpc:
    """A system that was written against our own contract."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.calls = clinic, 0
        ctx = clinic.ctx
        methods = Methods(
            clinic.window.methods(), Finding(ctx.store).methods(), ctx.reversals.methods(),
            ctx.paper.methods(),
        )  # fmt: skip
        self.door = Rpc(ctx.callers, Nonces(ctx.clock), methods, ctx.log, lambda: "ref")

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.calls += 1
        at, nonce = str(int(self.clinic.ctx.clock.wall().timestamp())), f"nonce{self.calls:04d}"
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        body = json.dumps(call).encode()
        text = f"POST|/rpc|{at}|{nonce}|{sm3.digest(body).hex()}".encode()
        headers = {"x-fep-app": APPID, "x-fep-time": at, "x-fep-nonce": nonce,
                   "x-fep-mac": sm3.hmac(KEY.encode(), text).hex()}  # fmt: skip
        request = HttpRequest("POST", "/rpc", {}, headers, body, "10.1.1.1")
        answer = json.loads(self.clinic.reply(self.door(request)).body)
        if "error" in answer:
            raise Refusal(json.dumps(answer["error"], ensure_ascii=False))
        return answer["result"]

    def issue(self, key: str) -> Name:
        told = self.ask("receipt.issue", {
            "unit": "H001", "point": "001", "kind": "outpatient", "key": key,
            "payer": {"name": "张三"}, "total": "12.30",
            "items": [{"code": "90601", "name": "诊察费", "amount": "12.30"}],
            "channels": [{"code": "02", "amount": "12.30"}],
        })["receipt"]  # fmt: skip
        return told["code"], told["number"]

    def reverse(self, name: Name) -> Name:
        told = self.ask("receipt.reverse", {
            "unit": "H001", "key": f"R-{name[1]}", "code": name[0], "number": name[1],
            "reason": "退费",
        })["receipt"]  # fmt: skip
        return told["code"], told["number"]

    def exchange(self, name: Name, sheet: str) -> None:
        self.ask("paper.exchange", {
            "unit": "H001", "point": "001", "code": name[0], "number": name[1],
            "sheet": f"{SHEETS}-{sheet}",
        })  # fmt: skip

    def look(self, name: Name) -> tuple[str, str]:
        """Return the number of the red receipt and the sheet."""
        told = self.ask("receipt.life", {"code": name[0], "number": name[1]})["life"]
        red = told["red"]["number"] if told["red"] else ""
        return red, (told["sheet"] or "").rpartition("-")[2]

    def totals(self) -> tuple[int, float]:
        told = self.ask("day.totals", {"from": "2026-11-21", "unit": "H001"})
        counts = told["issued"]["count"] + told["reversed"]["count"]
        return counts, float(told["net"])


Doors = dict[str, Any]
NAMES = ("medical", "standard", "rpc")


@pytest.fixture
def doors(tmp_path: Path) -> Any:
    """Three doors on one store."""
    clinic = Clinic(tmp_path)
    made: dict[str, Callable[[Clinic], Any]] = {
        "medical": ByMedical, "standard": ByStandard, "rpc": ByRpc,
    }  # fmt: skip
    yield {name: door(clinic) for name, door in made.items()}
    clinic.close()


def test_the_same_key_through_any_door_first_is_the_same_receipt(doors: Doors):
    for place, order in enumerate(permutations(NAMES)):
        names = {doors[name].issue(f"K{place}") for name in order}

        assert 1 == len(names), order


def test_a_receipt_of_any_door_is_reversed_once_through_any_other(doors: Doors):
    for issued, reversed_ in permutations(NAMES, 2):
        name = doors[issued].issue(f"{issued}-{reversed_}")
        red = doors[reversed_].reverse(name)

        assert {red[1]} == {door.look(name)[0] for door in doors.values()}
        with pytest.raises(Refusal, match=r"冲销|LIFE_REVERSED"):
            doors[issued].reverse(name)


def test_a_sheet_taken_at_one_door_is_taken_at_all(doors: Doors):
    for place, (issued, turned) in enumerate(permutations(NAMES, 2), start=1):
        name, sheet = doors[issued].issue(f"P{place}"), f"{place:08d}"
        doors[turned].exchange(name, sheet)

        assert {sheet} == {door.look(name)[1] for door in doors.values()}
        doors[issued].exchange(name, sheet)
        with pytest.raises(Refusal, match=r"LIFE_PAPER|换开"):
            doors[issued].reverse(name)


def test_the_day_is_the_same_sum_at_every_door(doors: Doors):
    names = [doors[name].issue(f"{name}-{n}") for name in NAMES for n in range(3)]
    for name, door in zip(names[::3], doors.values(), strict=True):
        door.reverse(name)

    sums = {name: door.totals() for name, door in doors.items()}

    assert dict.fromkeys(NAMES, (12, round(6 * 12.3, 2))) == sums
