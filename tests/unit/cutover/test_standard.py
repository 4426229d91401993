"""Conversations of standard-web, written from the tables of facts: what three clients send."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from fep.sim.his_dialect import Saying
from fep.sim.his_medical import ask_once
from tests.harness.processes import wait_until
from tests.unit.cutover.office import Office, enveloped, opened

APPID, KEY = "COLLEGE00001", "demo-key-not-a-secret"
REGION = "420100"
Ask = Callable[..., tuple[str, Any]]


@pytest.fixture(scope="module")
def ask(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """A college that took its appid and key along, and has numbers for its kind."""
    file = tmp_path_factory.mktemp("college") / "college.key"
    file.write_text(KEY)
    office.ctl("callers", "add", "--appid", APPID, "--key-file", str(file), "--his",
               "kinds.0101=unified", "--right", "issue", "--right", "query", "--right",
               "reverse", "--right", "print", "--reason", "r")  # fmt: skip
    kinds = office.ctl("kinds", "check")["kinds"]
    (code,) = {row["code"] for row in kinds if row["kind"] == "unified"}
    office.ctl("numbers", "import", "--unit", office.town.unit, "--code", code, "--first",
               "0000000001", "--last", "0000000999", "--approval", "a",
               "--reason", "r")  # fmt: skip
    wait_until(lambda: office.town.count("SELECT count(*) FROM number_block") > 1, "numbers",
               timeout_s=10)  # fmt: skip

    def call(method: str, fields: dict[str, Any], dept: str = office.town.unit) -> Any:
        path = f"/standard-web/api/standard/{method}"
        return office.dialect(path, APPID, KEY, fields, region=REGION, deptcode=dept)

    return call


def bill(office: Office, key: str, **other: Any) -> dict[str, Any]:
    """Return an invoiceEBill as C9 sends it."""
    return {
        "busNo": key, "busDateTime": "20261121093000000", "placeCode": office.town.point,
        "billCode": "0101", "payer": "示范学生", "payerType": "1", "payee": "王芳",
        "author": "王芳", "payChannel": "15", "remark": "", "totalAmt": "4800.00",
        "chargeDetail": [{"chargeCode": "10304460101", "chargeName": "学费", "std": "4800.00",
                          "number": "1", "amt": "4800.00"}],
        **other,
    }  # fmt: skip


def test_a_bill_is_issued_with_every_field_a_client_indexes(office: Office, ask: Ask):
    result, told = ask("invoiceEBill", bill(office, "XF-1"))

    assert "S0000" == result, told
    for name in ("billBatchCode", "billNo", "random", "createTime", "billQRCode", "pictureUrl",
                 "busNo"):  # fmt: skip
        assert isinstance(told[name], str)
    assert all(isinstance(value, str) for value in told.values())
    assert base64.b64decode(told["billQRCode"]).startswith(b"\x89PNG")
    assert ("XF-1", told["billNo"]) == (
        told["busNo"], ask("invoiceEBill", bill(office, "XF-1"))[1]["billNo"]
    )  # fmt: skip


def test_an_issued_bill_is_told_shown_reversed_and_never_reversed_twice(office: Office, ask: Ask):
    _, told = ask("invoiceEBill", bill(office, "XF-2"))
    name = {n: told[n] for n in ("billBatchCode", "billNo")}
    off = {**name, "reason": "退费", "operator": "王芳", "busDateTime": "20261121103000000",
           "placeCode": office.town.point}  # fmt: skip

    shown = ask("getEBillPicUrl", {**name, "random": told["random"], "channelMode": "02"})
    picture = ask("getEBillNotifyPic", {**name, "isReturnPic": "0"})
    notice = ask("noticeEBill", {**name, "noticeInfo": [{"code": "1201", "value": "13800001111"}]})
    red = ask("writeOffEBill", off)
    again = ask("writeOffEBill", off)

    assert ("S0000", {"pictureUrl", "pictureNetUrl"}) == (shown[0], set(shown[1]))
    assert ("S0000", told["random"]) == (picture[0], picture[1]["random"])
    assert ("S0000", "操作成功") == notice
    assert "S0000" == red[0]
    assert red[1]["eScarletBillNo"] != told["billNo"]
    assert "S0000" != again[0]
    assert "已冲销，不能冲销开票" in again[1]


def test_the_next_sheet_is_shown_and_stays(office: Office, ask: Ask):
    none = ask("getPaperBillNo", {"placeCode": office.town.point, "pBillBatchCode": "4281"})
    office.ctl("numbers", "import", "--sheet", "--unit", office.town.unit,
               "--point", office.town.point, "--code", "4281", "--first", "00000001",
               "--last", "00000100", "--approval", "a", "--reason", "r")  # fmt: skip
    asked = {"placeCode": office.town.point, "pBillBatchCode": "4281"}

    assert "无可用票据" in none[1]
    assert ask("getPaperBillNo", asked) == ask("getPaperBillNo", asked)
    assert ("S0000", "00000001") == (
        ask("getPaperBillNo", asked)[0], ask("getPaperBillNo", asked)[1]["pBillNo"]
    )  # fmt: skip


@pytest.mark.parametrize("method", ["invoicePBill", "invoiceEPayBook", "getPayQrCode", "noSuch"])
def test_what_is_not_offered_is_said_so_and_never_404(ask: Ask, method: str):
    result, text = ask(method, {"payCode": "1"})

    assert "S0000" != result
    assert "未提供" in text


def test_region_and_deptcode_are_signed(office: Office, ask: Ask):
    body = json.loads(enveloped(APPID, KEY, {}, region=REGION, deptcode=office.town.unit))
    path = "/standard-web/api/standard/testServerConnect"
    good = office.post(path, json.dumps(body).encode())[1]
    moved = json.loads(office.post(path, json.dumps({**body, "deptcode": "X"}).encode())[1])
    missing = {name: body[name] for name in body if name != "region"}
    status, _ = office.post(path, json.dumps(missing).encode())

    assert ("S0000", "操作成功") == opened(
        good, APPID, KEY, region=REGION, deptcode=office.town.unit
    )
    assert "S0000" != json.loads(base64.b64decode(moved["data"]))["result"]
    assert 200 == status


def test_the_same_key_at_the_medical_door_is_the_same_receipt(office: Office, ask: Ask):
    _, told = ask("invoiceEBill", bill(office, "XF-3"))
    by_key = office.dialect("/medical-web/api/medical/getEBillByBusNo", APPID, KEY,
                            {"busNo": "XF-3", "busDateTime": "20261121093000000"})  # fmt: skip

    assert told["billNo"] == by_key[1]["billNo"]


def test_the_simulated_college_speaks_it_with_its_own_code(office: Office, ask: Ask):
    saying = Saying("standard-web", {"region": REGION, "deptcode": office.town.unit})
    result, told = ask_once(f"http://127.0.0.1:{office.http}", APPID, KEY.encode(), saying,
                            "invoiceEBill", bill(office, "XF-4"))  # fmt: skip

    assert ("S0000", "XF-4") == (result, told["busNo"])
