"""The three doors of business systems behind one face, spoken by code of their own.

A `Door` issues, reverses, exchanges, asks and totals; what differs between socket, /rpc and the
medical dialect stays inside its class. Nothing of the daemon's own code is used here: proofs
are made with hashlib and the SM3 of the simulators.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from fep.sim import sm
from tests.harness.counter_town import CounterTown

TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt as a door names it."""

    code: str
    number: str
    check_code: str


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a receipt stands: reversed by `red`, on `sheet` (CODE-NUMBER)."""

    told: Told
    red: Told | None
    sheet: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day's totals, reds on their own; their sum is negative."""

    issued: int
    issued_amount: str
    reversed: int
    reversed_amount: str


class Said(Exception):
    """A door said no; the argument is its words, with a stable code where it has one."""


class Door(Protocol):
    """What every door can do. `key` is the business number; amounts are yuan."""

    name: str

    def issue(self, key: str, payer: str, amount: str) -> Told:
        """Issue a receipt. Raises Said."""

    def reverse(self, receipt: Told, reason: str) -> Told:
        """Reverse a receipt; returns the red one. Raises Said."""

    def exchange(self, receipt: Told) -> str:
        """Exchange a receipt for the next sheet; returns its name. Raises Said."""

    def query(self, key: str) -> Stands:
        """Return where the receipt of a business number stands. Raises Said."""

    def totals(self, day: str) -> Day:
        """Return the totals of a day YYYY-MM-DD."""

    def close(self) -> None:
        """Go."""


def now() -> datetime:
    """Return the time in +08:00."""
    return datetime.now(UTC) + timedelta(hours=8)


class Calls:
    """The methods of the socket API; how a call travels is left to the door."""

    def __init__(self, town: CounterTown) -> None:
        self.town = town

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a call. Raises Said."""
        raise AssertionError("a door says how")

    def issue(self, key: str, payer: str, amount: str) -> Told:
        town = self.town
        return _told(self.call("receipt.issue", {
            "key": key, "unit": town.unit, "point": town.point, "kind": town.kind,
            "payer": {"name": payer, "type": "1"}, "total": amount,
            "items": [{"code": "0101", "name": "诊察费", "amount": amount}],
            "channels": [{"code": "02", "amount": amount}], "cashier": "李四",
            "occurred_at": f"{now():%Y%m%d%H%M%S}000",
        })["receipt"])  # fmt: skip

    def reverse(self, receipt: Told, reason: str) -> Told:
        return _told(self.call("receipt.reverse", {
            "unit": self.town.unit, "key": f"R-{receipt.number}", "code": receipt.code,
            "number": receipt.number, "reason": reason, "operator": "李四",
        })["receipt"])  # fmt: skip

    def exchange(self, receipt: Told) -> str:
        place = {"unit": self.town.unit, "point": self.town.point}
        sheet = self.call("paper.next", place)["sheet"]
        told = self.call("paper.exchange", {**place, "code": receipt.code,
                                            "number": receipt.number, "sheet": sheet})  # fmt: skip
        return str(told["sheet"])

    def query(self, key: str) -> Stands:
        told = _told(self.call("receipt.get", {"unit": self.town.unit, "key": key})["receipt"])
        life = self.call("receipt.life", {"code": told.code, "number": told.number})["life"]
        red = life["red"]
        if red is not None:
            red = _told(self.call("receipt.get", red)["receipt"])
        return Stands(told, red, life["sheet"] or "")

    def totals(self, day: str) -> Day:
        told = self.call("day.totals", {"from": day, "unit": self.town.unit})
        issued, back = told["issued"], told["reversed"]
        return Day(issued["count"], issued["amount"], back["count"], back["amount"])


def _told(receipt: dict[str, Any]) -> Told:
    return Told(receipt["code"], receipt["number"], receipt["check_code"])


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise Said(answer["error"]["data"]["fault"])
    result: dict[str, Any] = answer["result"]
    return result


class SocketDoor(Calls):
    """TCP, a line a call."""

    name = "socket"

    def __init__(self, town: CounterTown, appid: str = "his", encoding: str = "utf-8") -> None:
        super().__init__(town)
        self._encoding = encoding
        self._socket = socket.create_connection(("127.0.0.1", town.port), TIMEOUT_S)
        self._lines = self._socket.makefile("rb")
        self._ids = itertools.count(1)
        challenge = self._hear()["params"]["challenge"]
        proof = sm.hmac_sm3(town.key(appid), f"fep1|{appid}|{challenge}".encode())
        self.call("system.auth", {"appid": appid, "alg": "hmac-sm3", "mac": proof.hex()})

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """See Calls."""
        number = next(self._ids)
        line = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self._socket.sendall(json.dumps(line, ensure_ascii=False).encode(self._encoding) + b"\n")
        while (answer := self._hear()).get("id") != number:
            pass
        return _result(answer)

    def _hear(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the front-end went away")
        found: dict[str, Any] = json.loads(line.decode(self._encoding))
        return found

    def close(self) -> None:
        """Go."""
        self._lines.close()
        self._socket.close()


class RpcDoor(Calls):
    """POST /rpc, proved by headers; the mac is SHA-256's."""

    name = "rpc"

    def __init__(self, town: CounterTown, appid: str = "sha") -> None:
        super().__init__(town)
        self._appid, self._key = appid, town.key(appid)
        self._http = http.client.HTTPConnection("127.0.0.1", town.http_port, timeout=TIMEOUT_S)
        self._ids = itertools.count(1)

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """See Calls."""
        number = next(self._ids)
        call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        body = json.dumps(call, ensure_ascii=False).encode()
        at, nonce = str(int(datetime.now(UTC).timestamp())), os.urandom(8).hex()
        text = f"POST|/rpc|{at}|{nonce}|{hashlib.sha256(body).hexdigest()}"
        self._http.request("POST", "/rpc", body, {
            "Content-Type": "application/json", "X-Fep-App": self._appid, "X-Fep-Time": at,
            "X-Fep-Nonce": nonce,
            "X-Fep-Mac": hmac.new(self._key, text.encode(), "sha256").hexdigest(),
        })  # fmt: skip
        return _result(json.loads(self._http.getresponse().read()))

    def close(self) -> None:
        """Go."""
        self._http.close()


class MedicalDoor:
    """The medical dialect, as a HIS in the field speaks it."""

    name = "medical-web"

    def __init__(self, town: CounterTown, appid: str = "his") -> None:
        self.town = town
        self._appid, self._key = appid, town.key(appid).decode()
        self._http = http.client.HTTPConnection("127.0.0.1", town.http_port, timeout=TIMEOUT_S)
        self._noise = itertools.count(1)

    def call(self, method: str, fields: dict[str, Any]) -> Any:
        """Return the message of a method; an acknowledgement is a text. Raises Said."""
        data = base64.b64encode(json.dumps(fields, ensure_ascii=False).encode()).decode()
        noise = f"{next(self._noise):032d}"
        body = {"appid": self._appid, "data": data, "noise": noise, "version": "1.0",
                "sign": self._sign(data, noise)}  # fmt: skip
        self._http.request("POST", f"/medical-web/api/medical/{method}", json.dumps(body),
                           {"Content-Type": "application/json"})  # fmt: skip
        answer = json.loads(self._http.getresponse().read())
        assert answer["sign"] == self._sign(answer["data"], answer["noise"]), "unsigned answer"
        told = json.loads(base64.b64decode(answer["data"]))
        message = base64.b64decode(told["message"]).decode()
        if told["result"] != "S0000":
            raise Said(f"{told['result']} {message}")
        return json.loads(message) if message[:1] in ("{", "[") else message

    def _sign(self, data: str, noise: str) -> str:
        text = f"appid={self._appid}&data={data}&noise={noise}&key={self._key}&version=1.0"
        return hashlib.md5(text.encode()).hexdigest().upper()

    def issue(self, key: str, payer: str, amount: str) -> Told:
        told = self.call("invoiceEBillOutpatient", {
            "busNo": key, "busType": "02", "payer": payer, "payerType": "1",
            "busDateTime": f"{now():%Y%m%d%H%M%S}000", "placeCode": self.town.point,
            "payee": "李四", "author": "李四", "checker": "王五", "totalAmt": amount,
            "payChannelDetail": [{"payChannelCode": "02", "payChannelValue": amount}],
            "chargeDetail": [{"sortNo": 1, "chargeCode": "0101", "chargeName": "诊察费",
                              "unit": "次", "std": amount, "number": "1", "amt": amount}],
        })  # fmt: skip
        return Told(told["billBatchCode"], told["billNo"], told["random"])

    def reverse(self, receipt: Told, reason: str) -> Told:
        told = self.call("writeOffEBill", {
            **_bill(receipt), "reason": reason, "operator": "李四",
            "busDateTime": f"{now():%Y%m%d%H%M%S}000", "placeCode": self.town.point,
        })  # fmt: skip
        return Told(told["eScarletBillBatchCode"], told["eScarletBillNo"], told["eScarletRandom"])

    def exchange(self, receipt: Told) -> str:
        place = {"placeCode": self.town.point, "pBillBatchCode": "042126"}
        sheet = self.call("getPaperBillNo", place)
        self.call("turnPaper", {
            **_bill(receipt), "pBillBatchCode": sheet["pBillBatchCode"],
            "pBillNo": sheet["pBillNo"], "busDateTime": f"{now():%Y%m%d%H%M%S}000",
            "placeCode": self.town.point, "operator": "李四",
        })  # fmt: skip
        return f"{sheet['pBillBatchCode']}-{sheet['pBillNo']}"

    def query(self, key: str) -> Stands:
        at = f"{now():%Y%m%d%H%M%S}000"
        told = self.call("getEBillByBusNo", {"busNo": key, "busDateTime": at})
        receipt = Told(told["billBatchCode"], told["billNo"], told["random"])
        state = self.call("getEBillStatesByBillInfo", _bill(receipt))
        red = None
        if str(told["isScarlet"]) == "1":
            red = Told(told["scarletBillBatchCode"], told["scarletBillNo"], told["scarletRandom"])
        on_paper = str(state["isPrtPaper"]) == "1"
        sheet = f"{state['pBillBatchCode']}-{state['pBillNo']}" if on_paper else ""
        return Stands(receipt, red, sheet)

    def totals(self, day: str) -> Day:
        page = {"ivcDate": day, "pageNo": 1, "pageSize": 200, "isReturnList": "0",
                "busType": "02", "placeCode": self.town.point}  # fmt: skip
        every = self.call("checkTotalDataByIvcDate", page)
        reds = self.call("checkWriteOffDataByIvcDate", page)
        count, fen = int(every["allTotalNum"]), _fen(every["allTotalAmt"])
        red_count, red_fen = int(reds["allTotalNum"]), -abs(_fen(reds["allTotalAmt"]))
        return Day(count - red_count, _yuan(fen - red_fen), red_count, _yuan(red_fen))

    def close(self) -> None:
        """Go."""
        self._http.close()


def _bill(receipt: Told) -> dict[str, str]:
    return {"billBatchCode": receipt.code, "billNo": receipt.number, "random": receipt.check_code}


def _fen(yuan: Any) -> int:
    return round(float(yuan) * 100)


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


DOORS: tuple[type[SocketDoor] | type[RpcDoor] | type[MedicalDoor], ...] = (
    SocketDoor, RpcDoor, MedicalDoor,
)  # fmt: skip
