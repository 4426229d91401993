"""The dialects stand strange business fields, rightly signed: over HTTP to a running front-end.

Every answer is HTTP 200 with a signed envelope whose result is S0000 or an E-code; none is a
fault of ours, and none shows what stands inside.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.harness.processes import Fleet
from tests.harness.schema import Maker, Schemas
from tests.property.rpc_site import RpcSite

CALLS = 14  # of each method
SEED = 20261121
MEDICAL = (
    "invoiceEBillOutpatient", "invEBillHospitalized", "invEBillRegistration", "invEBillCheckUp",
    "invoiceEBillCommon", "writeOffEBill", "writeOffEBillToPaper", "getPaperBillNo", "turnPaper",
    "reTurnPaper", "invalidPaper", "invalidBlankBillNo", "getEBillByBusNo",
    "getEBillStatesByBillInfo", "getEBillPicUrl", "getEBillNotifyPic", "getBillDetail",
    "getEBillAccountStatus", "getElectBilllListTotal", "sendBillNotice", "testServerConnect",
    "getEBillUnPrintList", "getEBillPrintList", "getNotPrintList", "getBillByBusDate",
    "getBillByIvcDate", "checkTotalData", "checkDataByPlace", "checkWriteOffData",
    "getValidBillNo", "getValidBillBatchCode", "batchInvoiceEBillOutpatient", "nobody",
)  # fmt: skip
STANDARD = ("invoiceEBill", "writeOffEBill", "getEBillPicUrl", "getPaperBillNo", "noticeEBill")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpcSite]:
    """A front-end with its doors open."""
    place = tmp_path_factory.mktemp("dialects")
    with Fleet(place / "logs") as fleet:
        yield RpcSite(place, fleet)


class Client:
    """Signs whatever it is given."""

    def __init__(self, site: RpcSite) -> None:
        self._key = (site.town.place / "keys" / "caller-his.key").read_text().strip()
        self._line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        self._noises = count()
        self._document = site.get("/openapi.json")
        self._schemas = Schemas(self._document)

    def ask(self, path: str, fields: Any, **outer: str) -> tuple[str, str]:
        """Return result and message, proved to be wrapped and signed as they must."""
        data = base64.b64encode(json.dumps(fields).encode()).decode()
        result, message, sign_fits = self.post(path, data, **outer)
        assert sign_fits
        return result, message

    def post(self, path: str, data: str, **outer: str) -> tuple[str, str, bool]:
        """Send the text of `data` as it is; tell whether the answer is signed, too."""
        noise = f"{next(self._noises):032d}"
        told = {**outer, "appid": "his", "data": data, "noise": noise, "version": "1.0"}
        body = json.dumps({**told, "sign": self._sign(data, noise, **outer)})
        self._line.request("POST", path, body.encode(), {"Content-Type": "application/json"})
        answer = self._line.getresponse()
        back = json.loads(answer.read())
        assert answer.status == 200
        place = f"{path.rpartition('/')[0]}/{{method}}"
        content = self._document["paths"][place]["post"]["responses"]["200"]["content"]
        schema = content["application/json"]["schema"]
        assert [] == list(self._schemas.faults_of(schema, back))
        fits = back["sign"] == self._sign(back["data"], back["noise"], **outer)
        inner = json.loads(base64.b64decode(back["data"], validate=True))
        message = base64.b64decode(inner["message"], validate=True).decode()
        return inner["result"], message, fits

    def _sign(self, data: str, noise: str, **outer: str) -> str:
        text = f"appid=his&data={data}&noise={noise}&key={self._key}&version=1.0"
        head = "".join(f"{name}={value}&" for name, value in outer.items())
        return hashlib.md5((head + text).encode(), usedforsecurity=False).hexdigest().upper()


def _fields(site: RpcSite, key: str) -> dict[str, Any]:
    """Return the fields of every method at once: each takes those it knows."""
    town = site.town
    return {
        "busNo": key, "busType": "02", "payer": "张三", "busDateTime": "20261121101112000",
        "placeCode": town.point, "payee": "李四", "author": "李四", "checker": "王五",
        "totalAmt": "12.30", "payerType": "1", "cardType": "3101", "cardNo": "C1", "sex": "男",
        "age": "34岁", "patientNo": "P1", "hospitalNo": "Z1", "visitNo": "Z1", "accountPay": 0,
        "fundPay": "0", "otherfundPay": "0", "ownPay": 12.3, "selfConceitedAmt": "0",
        "selfPayAmt": "0", "selfCashPay": "12.30", "isArrears": "0", "reimbursementAmt": "0",
        "payChannelDetail": [{"payChannelCode": "02", "payChannelValue": "12.30"}],
        "chargeDetail": [{"sortNo": 1, "chargeCode": "1", "chargeName": "诊察费", "std": "12.30",
                          "number": 1, "amt": "12.30", "selfAmt": "0"}],
        "listDetail": [{"chargeCode": "1", "name": "挂号", "std": "12.3", "number": "1",
                        "amt": "12.30", "selfAmt": "0"}],
        "billBatchCode": town.code, "billNo": "0000000001", "random": "abcdef", "reason": "退费",
        "operator": "李四", "pBillBatchCode": "4201", "pBillNo": "00000001",
        "pBillNoStart": "00000001", "pBillNoEnd": "00000002", "channelMode": "1",
        "isReturnPic": "0", "createTime": "20261121101112000", "testValue": "x",
        "noticeList": [{"noticeType": "1201", "noticeValue": "13800000000"}],
        "busBgnDate": "20261120000000000", "busEndDate": "20261122000000000", "pageNo": 1,
        "pageSize": "20", "busDate": "2026-11-21", "isReturnList": "1", "billCode": "outpatient",
        "items": [{"itemCode": "1", "itemName": "学费", "amt": "12.30"}], "dataType": "1",
    }  # fmt: skip


@pytest.mark.parametrize("dialect", ["medical", "standard"])
def test_strange_fields_are_answered_with_an_e_code_at_most(site: RpcSite, dialect: str) -> None:
    client, maker = Client(site), Maker(Schemas({"components": {"schemas": {}}}), SEED, {})
    outer = {} if dialect == "medical" else {"region": "420000", "deptcode": site.town.unit}
    worked, wrong = set(), []
    for method in MEDICAL if dialect == "medical" else STANDARD:
        path = f"/{dialect}-web/api/{dialect}/{method}"
        for turn in range(CALLS):
            fields: Any = _fields(site, f"{dialect[0]}{method[-20:]}{turn}")
            for _ in range(turn % 4):
                fields = maker.bent(fields)
            result, message = client.ask(path, fields, **outer)
            if result == "S0000":
                worked.add(method)
            elif not (result[0] == "E" and result[1:].isdigit() and len(result) == 5):
                wrong.append(f"{method}: {result}")
            wrong += [f"{method}: {word} in {message[:200]}"
                      for word in ("Traceback", ".py", "sqlite") if word in message]  # fmt: skip

    assert [] == wrong
    assert len(worked) > (10 if dialect == "medical" else 0), worked
    log = site.daemon.log.read_text("utf-8")
    assert [] == [line for line in log.splitlines() if "medical.failed" in line][:5]
    assert site.daemon.running


def test_signed_data_that_is_no_base64_or_no_json_is_answered_too(site: RpcSite) -> None:
    client = Client(site)
    path = "/medical-web/api/medical/getEBillByBusNo"
    deep = base64.b64encode(b'{"busNo":' + b"[" * 100_000).decode()
    bad = ("", "=", "====", "%%%", "张三", "e30", "e30=\r\n", "AAAA" * 1000, deep,
           base64.b64encode(b'{"busNo":1e999}').decode(), base64.b64encode(b"[1]").decode(),
           base64.b64encode(b'{"busNo":' + b"9" * 5000 + b"}").decode())  # fmt: skip

    results = [client.post(path, data)[0] for data in bad]

    assert all(result.startswith("E") for result in results), results
    assert "medical.failed" not in site.daemon.log.read_text("utf-8")
