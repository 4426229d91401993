"""A clinic for tests: the medical door on a real store, and a HIS that speaks by the book.

The HIS here is written from the published tables alone: its own envelope, its own signature,
its own base64. It checks the signature of every answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fep.domain.kind import Point
from fep.domain.life import Policy
from fep.env import RealEntropy
from fep.services.callers import Caller, Callers
from fep.services.drafting import Draw
from fep.services.his_context import HisContext
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.medical import PREFIX, Medical
from fep.services.paper import Paper
from fep.services.queue import Queue
from fep.services.reversal import Reversals
from fep.services.window import Window
from fep.settings import Settings, load
from fep.sim import sm
from fep.store import life, numbers, receipts, sheets
from tests.unit.services.counter import Counter, HandClock

CONF = Path(__file__).parents[3] / "conf"
KEY = "demo-key-not-a-secret"
APPID = "DEMOAPP01"
NOISE = "0" * 31 + "1"
PAGES = "https://p.example.org/r/"
EVERY = frozenset({"issue", "reverse", "print", "query"})
SHEETS = "042126"
OUT, IN, COMMON = "42060126", "42060226", "42010126"


@cache
def shipped() -> Settings:
    """Return the settings as they are shipped, read once."""
    with TemporaryDirectory() as room:
        place = Path(room) / "conf"
        shutil.copytree(CONF, place)
        (place / "keys").mkdir()
        for name in ("unit", "node"):
            sm.create_identity(place / f"keys/{name}.key", place / f"keys/{name}.crt", name, 71)
        (place / "keys" / "caller-his.key").write_text(KEY * 2)
        for path in (place / "keys").iterdir():
            path.chmod(0o600)
        return load(place / "fep.toml", {})


def caller(appid: str = APPID, unit: str = "H001", **changes: Any) -> Caller:
    """Return a caller as configuration would make it."""
    values: dict[str, Any] = {
        "appid": appid, "rights": EVERY, "units": frozenset({unit}), "points": frozenset({"*"}),
        "auth": "hmac-sm3", "key": KEY.encode(),
    }  # fmt: skip
    return Caller(**{**values, **changes})


def sign(data: str, noise: str = NOISE, version: str = "1.0", key: str = KEY,
         appid: str = APPID) -> str:  # fmt: skip
    """Return the sign of an envelope, from the specification's sentence."""
    text = f"appid={appid}&data={data}&noise={noise}&key={key}&version={version}"
    return hashlib.md5(text.encode()).hexdigest().upper()


def packed(fields: Any, coding: str = "utf-8") -> str:
    """Return business fields as `data`."""
    text = fields if isinstance(fields, str) else json.dumps(fields, ensure_ascii=False)
    return base64.b64encode(text.encode(coding)).decode()


class Clinic:
    """One hospital, its neighbour on the same machine, and their HIS."""

    def __init__(self, place: Path, *callers: Caller, **context: Any) -> None:
        settings = shipped()
        self.counter = Counter(place / "site", numbers=0)
        self.room, issue = self.counter.room, self.counter.issue
        unit = replace(settings.units["H001"], points=(Point("001"), Point("002")))
        self.units = {"H001": unit, "H002": replace(unit, code="H002", name="邻院")}
        for code in self.units:
            issue._signers[code] = self.counter.signer  # type: ignore[index]  # a dict in tests
        draw = Draw(RealEntropy(), self.units, settings.kinds, settings.provinces, details_max=500)
        issue._draw = draw
        clock: Any = HandClock(self.room.clock)
        self.policy = Policy()
        self.callers = callers or (caller(), caller("NEIGHBOUR", "H002"))
        url_of: Callable[[Any], str] = lambda receipt: f"{PAGES}{receipt.id:016d}"  # noqa: E731  # a one-liner
        self.queue = Queue(self.room.clock, self.room.store, issue, draw, self.counter.notes)
        self.ctx = HisContext(
            **{
                "store": self.room.store, "issue": issue, "queue": self.queue, "draw": draw,
                "reversals": Reversals(self.room.store, issue, draw, clock, self.policy),
                "paper": Paper(self.room.store, None, self.units),  # type: ignore[arg-type]  # no prints here
                "url_of": url_of, "callers": Callers(clock, self.callers), "clock": clock,
                "entropy": RealEntropy(), "units": self.units, "kinds": settings.kinds,
                "provinces": settings.provinces, "log": self.counter.notes, **context,
            }
        )  # fmt: skip
        self.window = Window(self.room.store, issue, self.queue, draw, clock, "1", url_of)
        self.medical = Medical(self.ctx)
        for code, first, last, of in (
            (OUT, 1, 5000, "H001"), (IN, 1, 5000, "H001"), (OUT, 5001, 9000, "H002"),
            (COMMON, 1, 500, "H001"),
        ):  # fmt: skip
            self.grant(code, first, last, of)
        self.sheets(1, 20)

    def close(self) -> None:
        """Close the store."""
        self.counter.close()

    # what a technician brings
    def grant(self, code: str, first: int, last: int, unit: str = "H001") -> None:
        """Bring numbers."""
        grant = numbers.Grant(unit, code, f"{first:010d}", f"{last:010d}", "person", "批准 1")
        self.do("grant", numbers.grant_txn, grant)

    def sheets(self, first: int, last: int, point: str = "001", code: str = SHEETS) -> None:
        """Bring paper."""
        grant = sheets.SheetGrant("H001", point, code, f"{first:08d}", f"{last:08d}", "批准 1")
        self.do("paper", sheets.import_txn, grant)

    def do(self, name: str, fn: Any, *args: Any) -> Any:
        """Run a transaction."""
        return self.room.done(self.room.store.do(name, fn, *args))

    def tick(self, seconds: float = 0.1) -> None:
        """Let time pass; what is queued goes on."""
        self.room.clock.advance(seconds)
        self.room.wall_ms += int(seconds * 1000)
        for _ in range(20):
            self.room.clock.advance(0)

    # what the HIS does
    def ask(self, request: HttpRequest) -> HttpAnswer:
        """Bring a request to the door and wait."""
        return self.asked([Deferred.fromCoroutine(self.medical.door(request))])[0]

    def reply(self, door: Coroutine[Any, Any, HttpAnswer]) -> HttpAnswer:
        """Wait for the answer of any door."""
        return self.asked([Deferred.fromCoroutine(door)])[0]

    def told(self, door: Coroutine[Any, Any, HttpAnswer]) -> tuple[str, Any]:
        """Return result and message of a dialect's answer, whatever signed it."""
        inner = json.loads(base64.b64decode(json.loads(self.reply(door).body)["data"]))
        text = base64.b64decode(inner["message"]).decode()
        return inner["result"], json.loads(text) if text[:1] == "{" else text

    def asked(self, waiting: list[Deferred[HttpAnswer]]) -> list[HttpAnswer]:
        """Let everything happen that is due; return the answers. Raises what a door raised."""
        found: dict[int, Any] = {}
        for place, each in enumerate(waiting):
            each.addBoth(partial(found.__setitem__, place))
        for _ in range(500):
            if len(found) == len(waiting):
                break
            self.room.clock.advance(0)
        assert len(waiting) == len(found), "the door did not answer"
        for one in found.values():
            if isinstance(one, Failure):
                one.raiseException()
        return [found[place] for place in range(len(waiting))]

    def post(self, method: str, body: bytes, peer: str = "10.0.0.7", **headers: str) -> HttpRequest:
        """Return a request with a body."""
        named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        return HttpRequest("POST", PREFIX + method, {}, named, body, peer)

    def envelope(self, fields: Any, appid: str = APPID, key: str = KEY) -> dict[str, str]:
        """Return a signed envelope."""
        data = packed(fields)
        return {"appid": appid, "data": data, "noise": NOISE, "version": "1.0",
                "sign": sign(data, key=key, appid=appid)}  # fmt: skip

    def call(self, method: str, fields: Any = None, appid: str = APPID) -> tuple[str, Any]:
        """Call a method as a HIS does; returns result and message, JSON read."""
        body = json.dumps(self.envelope({} if fields is None else fields, appid)).encode()
        return self.opened(self.ask(self.post(method, body)), appid)

    def opened(self, answer: HttpAnswer, appid: str = APPID, key: str = KEY,
               coding: str = "utf-8") -> tuple[str, Any]:  # fmt: skip
        """Return result and message of an answer; its form and signature are checked."""
        assert 200 == answer.status
        assert "application/json;charset=UTF-8" == answer.content_type
        assert answer.body.isascii()
        outer = json.loads(answer.body)
        assert {"data", "noise", "sign"} == set(outer)
        assert sign(outer["data"], outer["noise"], key=key, appid=appid) == outer["sign"]
        assert "\n" not in outer["data"]
        inner = json.loads(base64.b64decode(outer["data"], validate=True).decode(coding))
        assert {"result", "message"} == set(inner)
        text = base64.b64decode(inner["message"], validate=True).decode(coding)
        return inner["result"], json.loads(text) if text[:1] == "{" else text

    def good(self, method: str, fields: Any = None, appid: str = APPID) -> Any:
        """Call a method that must succeed."""
        result, message = self.call(method, fields, appid)
        assert "S0000" == result, message
        return message

    def bad(self, method: str, fields: Any = None, appid: str = APPID) -> str:
        """Call a method that must be refused; returns the text."""
        result, message = self.call(method, fields, appid)
        assert result.startswith("E"), message
        assert 5 == len(result)
        assert isinstance(message, str)
        return message

    def issue(self, bus_no: str = "B1", **changes: Any) -> dict[str, str]:
        """Issue an outpatient bill and return the answer."""
        answer: dict[str, str] = self.good("invoiceEBillOutpatient", bill(busNo=bus_no, **changes))
        return answer

    # looking
    def standing(self, answer: dict[str, str]) -> life.Standing:
        """Return where the receipt of an answer stands."""
        found = self.room.store.read(life.named_q, answer["billBatchCode"], answer["billNo"])
        assert found is not None
        return found  # type: ignore[no-any-return]  # the storeroom's store is untyped

    def document(self, key: str) -> str:
        """Return the literal document of a key."""
        receipt = self.by_key(key)
        original: bytes = self.room.store.read(receipts.original_q, receipt.id)
        return original.decode()

    def by_key(self, key: str, unit: str = "H001") -> Any:
        """Return the receipt of a key."""
        return self.room.store.read(receipts.by_key_q, unit, key)


def named(answer: dict[str, str]) -> dict[str, str]:
    """Return code and number of an answer, to ask about it."""
    return {"billBatchCode": answer["billBatchCode"], "billNo": answer["billNo"]}


def refund(answer: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Return the fields of writeOffEBill."""
    return {
        **named(answer), "reason": "患者退费", "operator": "王芳",
        "busDateTime": "20261121101112000", "placeCode": "001", **changes,
    }  # fmt: skip


def bill(**changes: Any) -> dict[str, Any]:
    """Return an outpatient bill as 3.2.0 has it."""
    return {
        "busNo": "B1", "busType": "02", "payer": "欧阳䶮", "busDateTime": "20261121093011123",
        "placeCode": "001", "payee": "收费员甲", "author": "开票员乙", "checker": "复核员丙",
        "totalAmt": 126.5, "remark": "", "alipayCode": "", "weChatOrderNo": "", "openID": "",
        "tel": "13800000000", "email": "", "payerType": "1", "idCardNo": "420106198001011234",
        "cardType": "3101", "cardNo": "C100200", "medicalInstitution": "综合医院",
        "medCareInstitution": "", "medCareTypeCode": "01", "medicalCareType": "职工医保",
        "medicalInsuranceID": "Y123", "consultationDate": "20261121",
        "patientCategory": "内科", "patientCategoryCode": "01", "patientNo": "MZ0001",
        "patientId": "P1", "sex": "女", "age": "34岁", "caseNumber": "BL1",
        "accountPay": 20.00, "fundPay": 50.00, "otherfundPay": 0, "ownPay": 6.5,
        "selfConceitedAmt": 0, "selfPayAmt": 10, "selfCashPay": 40, "cashPay": 0,
        "otherInfo": [{"infoNo": 1, "infoName": "就诊科室", "infoValue": "内科"}],
        "otherMedicalList": [{"infoNo": 1, "infoName": "02", "infoValue": "50.00"}],
        "payChannelDetail": [
            {"payChannelCode": "05", "payChannelValue": 76.50},
            {"payChannelCode": "11", "payChannelValue": 50},
        ],
        "isArrears": "1",
        "chargeDetail": [
            {"sortNo": 1, "chargeCode": "90607", "chargeName": "西药费", "unit": "", "std": 100,
             "number": 1, "amt": 100, "selfAmt": 0, "remark": ""},
            {"sortNo": 2, "chargeCode": "90601", "chargeName": "诊察费", "unit": "次", "std": 26.5,
             "number": 1, "amt": 26.5, "selfAmt": 6.5, "remark": ""},
        ],
        "listDetail": [
            {"listDetailNo": "L1", "chargeCode": "90607", "chargeName": "西药费", "code": "YP1",
             "name": "阿莫西林胶囊", "form": "胶囊", "specification": "0.25g*24", "unit": "盒",
             "std": 25.0, "number": 4, "amt": 100.0, "selfAmt": 0, "sortNo": 1,
             "chrgtype": "西药费"},
            {"listDetailNo": "L2", "chargeCode": "90601", "chargeName": "诊察费", "code": "ZC1",
             "name": "副主任医师诊察费", "unit": "次", "std": 26.5, "number": 1, "amt": 26.5,
             "selfAmt": 6.5, "sortNo": 2},
        ],
        **changes,
    }  # fmt: skip
