"""Who may, and what he sees: keys, lock-out, rights, units; and what goes elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fep.services.callers import FAILURES_MAX, Caller
from fep.services.his_context import Answered
from fep.services.http_values import HttpAnswer
from fep.wire.dialects.medical_codes import Codes
from tests.unit.medical.clinic import APPID, EVERY, KEY, Clinic, bill, caller, named, refund, sign

OTHER = "NEIGHBOUR"


def _answered(answer: HttpAnswer) -> tuple[str, str]:
    inner = json.loads(base64.b64decode(json.loads(answer.body)["data"]))
    return inner["result"], base64.b64decode(inner["message"]).decode()


def _forged(clinic: Clinic, peer: str = "10.0.0.7", appid: str = APPID) -> HttpAnswer:
    body = json.dumps(clinic.envelope({}, appid, key="guess")).encode()
    return clinic.ask(clinic.post("testServerConnect", body, peer=peer))


def test_a_wrong_sign_and_an_unknown_caller_are_answered_the_same(clinic: Clinic):
    known = _answered(_forged(clinic))

    assert "E0001" == known[0]
    assert known == _answered(_forged(clinic, appid="NOBODY"))


def test_an_answer_to_a_forger_is_not_made_with_the_callers_key(clinic: Clinic):
    """Else anybody could collect signed texts and guess the key at home."""
    outer = json.loads(_forged(clinic).body)

    assert sign(outer["data"], outer["noise"]) != outer["sign"]
    assert sign(outer["data"], outer["noise"], key="") == outer["sign"]


def test_a_lock_out_is_of_one_caller_at_one_address(clinic: Clinic):
    for _ in range(FAILURES_MAX):
        _forged(clinic)

    body = json.dumps(clinic.envelope({})).encode()
    here = clinic.ask(clinic.post("testServerConnect", body))
    there = clinic.ask(clinic.post("testServerConnect", body, peer="10.0.0.8"))
    other = clinic.call("testServerConnect", {}, OTHER)

    assert "[AUTH_LOCKED]" in _answered(here)[1]
    assert ("S0000", "S0000") == (_answered(there)[0], other[0])


def test_calls_beyond_a_callers_rate_are_told_to_come_again(tmp_path: Path):
    clinic = Clinic(tmp_path, caller(rate_per_s=3), caller(OTHER, "H002"))

    results = [clinic.call("invoiceEBillOutpatient", bill(busNo=f"R{n}")) for n in range(20)]
    other = clinic.call("testServerConnect", {}, OTHER)[0]
    clinic.tick(2)
    later = clinic.call("invoiceEBillOutpatient", bill(busNo="R19"))[0]
    clinic.close()

    refused = [text for result, text in results if result == "E9001"]
    assert 20 - 2 * 3 <= len(refused) < 20
    assert all("[CALLER_RATE]" in text for text in refused)
    assert ("S0000", "S0000") == (other, later)


def test_one_changed_character_of_data_is_a_wrong_sign(clinic: Clinic):
    envelope = clinic.envelope(bill())
    changed = {**envelope, "data": envelope["data"][:-8] + "AAAA" + envelope["data"][-4:]}

    answer = clinic.ask(clinic.post("invoiceEBillOutpatient", json.dumps(changed).encode()))

    assert "E0001" == _answered(answer)[0]


def test_nothing_of_another_unit_is_ever_told(clinic: Clinic):
    answer = clinic.issue()
    red = clinic.good("writeOffEBill", refund(clinic.issue("B2")))
    clinic.good("turnPaper", {
        **named(answer), "pBillBatchCode": "042126", "pBillNo": "1", "placeCode": "001",
        "operator": "甲", "busDateTime": "20261121110000000",
    })  # fmt: skip
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": [bill(busNo="B3")]})
    bought = {"billBatchCode": red["eScarletBillBatchCode"], "billNo": red["eScarletBillNo"]}

    for method, fields in (
        ("getEBillStatesByBillInfo", named(answer)),
        ("getEBillStatesByBillInfo", bought),
        ("getBillDetail", {**named(answer), "random": answer["random"]}),
        ("getEBillPicUrl", named(answer)),
        ("getEBillNotifyPic", named(answer)),
        ("getEBillAccountStatus", named(answer)),
        ("getElectBilllListTotal", named(answer)),
        ("sendBillNotice", {**named(answer), "noticeList": [
            {"noticeType": "1201", "noticeValue": "1"}]}),
        ("getEBillByBusNo", {"busNo": "B1", "busDateTime": "20261121093011123"}),
        ("writeOffEBill", refund(answer)),
        ("invalidPaper", {"pBillBatchCode": "042126", "pBillNo": "00000001", "placeCode": "001",
                          "author": "x", "reason": "x"}),
        ("getBatchInvoiceEBill", {"batchNo": "N1"}),
    ):  # fmt: skip
        text = clinic.bad(method, fields, OTHER)
        assert "UNKNOWN" in text, (method, text)
    times = {"busBgnDate": "20261101", "busEndDate": "20261130", "cardNo": "C100200"}
    for method in ("getEBillUnPrintList", "getNotPrintList", "getBillByBusDate",
                   "getBillByIvcDate"):  # fmt: skip
        assert 0 == clinic.good(method, times, OTHER)["total"]
    assert 0 == clinic.good("checkTotalData", {"busDate": "2026-11-21"}, OTHER)["allTotalNum"]
    stock = clinic.good("getValidBillNo", {}, OTHER)["billNoList"]
    assert ["0000005001"] == [row["billBgnNo"] for row in stock]


def test_the_same_bus_no_at_two_units_is_two_receipts(clinic: Clinic):
    mine = clinic.issue()
    theirs = clinic.good("invoiceEBillOutpatient", bill(payer="别人"), OTHER)

    assert ("0000000001", "0000005001") == (mine["billNo"], theirs["billNo"])
    assert "0000005001" == clinic.good("getEBillByBusNo", {"busNo": "B1"}, OTHER)["billNo"]


def test_a_caller_of_several_units_speaks_for_the_one_that_is_set(tmp_path: Path):
    many = frozenset({"*"})
    clinic = Clinic(
        tmp_path, caller("LOOSE", units=many), caller("BOUND", units=many, codes=Codes("H002"))
    )

    assert "[HIS_UNIT]" in clinic.bad("invoiceEBillOutpatient", bill(), "LOOSE")
    answer = clinic.good("invoiceEBillOutpatient", bill(), "BOUND")
    assert "0000005001" == answer["billNo"]
    clinic.close()


def test_rights_points_and_amounts_of_a_caller_bind(tmp_path: Path):
    clinic = Clinic(
        tmp_path,
        caller("READER", rights=frozenset({"query"})),
        caller("WINDOW", points=frozenset({"002"})),
        caller("SMALL", max_amount_fen=1000),
        caller("ISSUER", rights=EVERY - {"reverse"}),
    )

    assert "[AUTH_RIGHT]" in clinic.bad("invoiceEBillOutpatient", bill(), "READER")
    assert "[AUTH_SCOPE]" in clinic.bad("invoiceEBillOutpatient", bill(), "WINDOW")
    assert "[CALLER_AMOUNT]" in clinic.bad("invoiceEBillOutpatient", bill(), "SMALL")
    answer = clinic.good("invoiceEBillOutpatient", bill(), "ISSUER")
    assert "[AUTH_RIGHT]" in clinic.bad("writeOffEBill", refund(answer), "ISSUER")
    assert clinic.standing(answer).red is None
    clinic.close()


class OldFrontEnd:
    """Knows one receipt."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def __call__(self, who: Caller, method: str, given: Mapping[str, Any]) -> Answered | None:
        self.asked.append((who.appid, method, given["billNo"]))
        known = given["billNo"] == "0000009999"
        return Answered("S0000", {"state": "theirs"}) if known else None

    def beside(self, service: str, outer: tuple[tuple[str, str], ...]) -> OldFrontEnd:
        return self


def test_what_is_not_ours_is_asked_elsewhere_and_signed_by_us(tmp_path: Path):
    old = OldFrontEnd()
    clinic = Clinic(tmp_path, elsewhere=old)

    theirs = clinic.good(
        "getEBillStatesByBillInfo", {"billBatchCode": "42060125", "billNo": "0000009999"}
    )
    ours = clinic.good("getEBillStatesByBillInfo", named(clinic.issue()))

    assert {"state": "theirs"} == theirs
    assert "1" == ours["state"]
    assert "[RCP_UNKNOWN]" in clinic.bad(
        "getEBillStatesByBillInfo", {"billBatchCode": "42060125", "billNo": "0000009998"}
    )
    assert [(APPID, "getEBillStatesByBillInfo", f"000000999{n}") for n in (9, 8)] == old.asked
    clinic.close()


def test_a_fault_of_ours_is_told_by_a_reference_and_names_nobody(tmp_path: Path):
    clinic = Clinic(tmp_path)
    answer = clinic.issue()
    clinic.ctx.units["H001"] = None  # type: ignore[index]  # broken on purpose

    text = clinic.bad("getEBillStatesByBillInfo", named(answer))

    assert "[INTERNAL]" in text
    assert "Traceback" not in text
    assert KEY not in text
    assert "medical.failed" in clinic.counter.notes.said
    clinic.close()


def test_a_message_is_kept_once_for_later(clinic: Clinic):
    from fep.store.messages import waiting_q

    answer = clinic.issue()
    fields = {**named(answer), "noticeList": [
        {"noticeType": "1201", "noticeValue": "13800000000"},
        {"noticeType": "1202", "noticeValue": "a@example.org"},
    ]}  # fmt: skip
    for _ in range(2):
        assert "操作成功" == clinic.good("sendBillNotice", fields)

    waiting = clinic.room.store.read(waiting_q)

    assert [("sms", "13800000000"), ("email", "a@example.org")] == [
        (one.way, one.address) for one in waiting
    ]
    assert "noticeType" in clinic.bad(
        "sendBillNotice",
        {**named(answer), "noticeList": [{"noticeType": "9", "noticeValue": "1"}]},
    )
