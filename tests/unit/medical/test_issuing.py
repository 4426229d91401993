"""One key is one receipt, through any door; what may not be issued is refused at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from fep.wire.dialects.medical_codes import Codes
from tests.unit.medical.clinic import APPID, OUT, Clinic, bill, caller, named

ISSUE = "invoiceEBillOutpatient"


def _request(clinic: Clinic, fields: Any, method: str = ISSUE) -> Deferred[Any]:
    body = json.dumps(clinic.envelope(fields)).encode()
    return Deferred.fromCoroutine(clinic.medical.door(clinic.post(method, body)))


def test_the_same_call_again_is_the_same_answer(clinic: Clinic):
    first = clinic.issue()
    clinic.tick(5)

    assert first == clinic.issue(remark="再打一次", author="别人")


def test_the_same_call_at_once_is_one_receipt(clinic: Clinic):
    answers = clinic.asked([_request(clinic, bill()) for _ in range(5)])

    assert 1 == len({json.dumps(clinic.opened(answer)[1]) for answer in answers})
    assert "0000000001" == clinic.opened(answers[0])[1]["billNo"]
    assert "0000000002" == clinic.issue("B2")["billNo"]


def test_a_repeat_is_answered_with_the_business_time_it_had(clinic: Clinic):
    clinic.issue()

    assert "20261121093011123" == clinic.issue(busDateTime="20261121235959000")["billBusDate"]


def test_the_same_key_with_other_content_names_the_bill_that_exists(clinic: Clinic):
    clinic.issue()
    changed = bill(payer="别人")

    text = clinic.bad(ISSUE, changed)

    assert "42060126-0000000001" in text
    assert "B1" in text


def test_the_same_key_through_the_socket_is_the_same_receipt(clinic: Clinic):
    answer = clinic.issue("DOOR-1")
    params = {
        "unit": "H001", "point": "001", "kind": "outpatient", "key": "DOOR-1",
        "payer": {"name": "欧阳䶮", "code": "420106198001011234"}, "total": "126.50",
        "items": [{"code": "90607", "name": "西药费", "amount": "100.00"},
                  {"code": "90601", "name": "诊察费", "amount": "26.50"}],
        "channels": [{"code": "05", "amount": "76.50"}, {"code": "11", "amount": "50.00"}],
    }  # fmt: skip

    told = clinic.room.done(clinic.window.issue(caller(), params))

    assert told["repeated"]
    assert answer["billNo"] == told["receipt"]["number"]


def test_the_same_key_after_the_socket_is_the_same_receipt(clinic: Clinic):
    params = {
        "unit": "H001", "point": "001", "kind": "outpatient", "key": "DOOR-2",
        "payer": {"name": "欧阳䶮", "code": "420106198001011234"}, "total": "126.50",
        "items": [{"code": "90607", "name": "西药费", "amount": "100.00"},
                  {"code": "90601", "name": "诊察费", "amount": "26.50"}],
        "channels": [{"code": "05", "amount": "76.50"}, {"code": "11", "amount": "50.00"}],
    }  # fmt: skip
    told = clinic.room.done(clinic.window.issue(caller(), params))

    answer = clinic.issue("DOOR-2")

    assert told["receipt"]["number"] == answer["billNo"]
    assert "DOOR-2" == clinic.good("getEBillByBusNo", {"busNo": "DOOR-2"})["busNo"]
    detail = clinic.good("getBillDetail", named(answer))
    assert "西药费" == detail["chargeDetail"][0]["chargeName"]
    month = {"busBgnDate": "20261101", "busEndDate": "20261130", "cardNo": "C100200"}
    assert 1 == clinic.good("getEBillUnPrintList", month)["total"]
    assert answer == clinic.issue("DOOR-2", busDateTime="20261121235959000")


def test_billBusDate_busNo_and_pictureNetUrl_are_always_there(clinic: Clinic):  # field names
    for answer in (clinic.issue(), clinic.issue("B2", busDateTime="20261120")):
        assert {"billBusDate", "busNo", "pictureNetUrl", "pictureUrl"} <= set(answer)
        assert None not in answer.values()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"busNo": ""}, "REQ_FIELD_MISSING"),
        ({"payer": None}, "REQ_FIELD_MISSING"),
        ({"busDateTime": "昨天"}, "REQ_FIELD_VALUE"),
        ({"busDateTime": "20261399000000000"}, "REQ_FIELD_VALUE"),
        ({"totalAmt": "0"}, "EVT_TOTAL"),
        ({"totalAmt": "-1"}, "EVT_TOTAL"),
        ({"totalAmt": "126.49"}, "EVT_ITEMS_SUM"),
        ({"payChannelDetail": [{"payChannelCode": "1", "payChannelValue": 1}]},
         "EVT_CHANNELS_SUM"),
        ({"chargeDetail": []}, "REQ_FIELD_MISSING"),
        ({"payer": "x" * 101}, "REQ_FIELD_LENGTH"),
        ({"payer": "a\x1bb"}, "REQ_FIELD_TEXT"),
        ({"listDetail": [{"name": "x", "chargeCode": "没有"}]}, "REQ_FIELD_VALUE"),
        ({"listDetail": "{"}, "REQ_PARSE"),
        ({"listDetail": 7}, "REQ_FIELD_TYPE"),
        ({"busType": "07"}, "HIS_KIND"),
        ({"placeCode": "999"}, "HIS_POINT"),
    ],
)  # fmt: skip
def test_what_may_not_be_issued_is_refused_with_a_code_and_leaves_nothing(
    quiet_clinic: Clinic, changes: dict[str, Any], code: str
):
    fields = bill(busNo="BAD", **{k: v for k, v in changes.items() if k != "busNo"})
    if "busNo" in changes:
        fields["busNo"] = changes["busNo"]

    assert f"[{code}]" in quiet_clinic.bad(ISSUE, fields)
    assert quiet_clinic.by_key("BAD") is None


def test_a_refused_text_names_no_patient(clinic: Clinic):
    text = clinic.bad(ISSUE, bill(totalAmt="1"))

    assert "欧阳" not in text
    assert "欧阳" not in "".join(clinic.counter.notes.said)


def test_no_numbers_is_told_in_the_words_clients_know(clinic: Clinic):
    text = clinic.bad("invoiceEBillCommon", bill(busType="10", busNo="D1"))

    assert "无可用票据" in text


def test_a_call_that_cannot_be_signed_is_refused_at_its_deadline_and_never_queued(clinic: Clinic):
    clinic.counter.signer.at_once = False
    waiting = _request(clinic, bill())
    found: list[Any] = []
    waiting.addCallback(found.append)
    clinic.counter.wait(5)

    result, text = clinic.opened(found[0])
    assert result.startswith("E")
    assert "SIG_TIMEOUT" in text
    assert clinic.by_key("B1") is None
    clinic.counter.signer.at_once = True
    assert "0000000002" == clinic.issue()["billNo"]


def test_a_bill_that_was_refused_may_come_again_changed(clinic: Clinic):
    clinic.counter.signer.refuses = True
    clinic.bad(ISSUE, bill())
    assert "未开票" in clinic.bad("getEBillByBusNo", {"busNo": "B1"})
    clinic.counter.signer.refuses = False

    answer = clinic.issue(payer="改过", placeCode="002")

    assert "002" == clinic.good("getBillDetail", named(answer))["placeCode"]


def test_own_codes_of_a_his_are_mapped(tmp_path: Path):
    codes = Codes(
        points={"0812": "002"}, kinds={"OPD": "outpatient"}, channels={"YBK": "11"},
        items={"YLMZ11": "90611"},
    )  # fmt: skip
    clinic = Clinic(tmp_path, caller(codes=codes))
    charge = {"sortNo": 1, "chargeCode": "YLMZ11", "chargeName": "挂号费", "std": 10, "number": 1,
              "amt": 10, "selfAmt": 10}  # fmt: skip
    answer = clinic.issue(
        "M1", busType="OPD", placeCode="M0812", totalAmt=10, chargeDetail=[charge],
        listDetail=[{"chargeCode": "YLMZ11", "name": "挂号费", "amt": 10}],
        payChannelDetail=[{"payChannelCode": "YBK", "payChannelValue": 10}],
    )  # fmt: skip

    receipt = clinic.by_key("M1")
    detail = clinic.good("getBillDetail", named(answer))

    assert ("002", "outpatient") == (receipt.point, receipt.kind)
    assert ("OPD", "M0812") == (detail["busType"], detail["placeCode"])
    assert "90611" == detail["chargeDetail"][0]["chargeCode"]
    assert [{"payChannelCode": "11", "payChannelValue": "10.00"}] == detail["payChannelDetail"]
    clinic.close()


def test_an_encounter_code_of_a_his_stands_for_the_method_it_came_with(clinic: Clinic):
    clinic.issue("E1", busType="00")
    clinic.good("invEBillHospitalized", bill(busNo="E2", busType="00", hospitalNo="1", visitNo="1"))

    assert ["outpatient", "inpatient"] == [clinic.by_key(key).kind for key in ("E1", "E2")]


@pytest.mark.parametrize(
    ("rule", "first", "second", "key"),
    [
        ("before:_", "J77_1", "J77_2", "J77"),
        ("after:-", "20261121093011123-K9", "20261121093011999-K9", "K9"),
        ("field:balancedNumber", "638679000000000001", "638679000000000002", "JS-5"),
        ("content", "638679000000000001", "638679000000000002", ""),
    ],
)
def test_a_his_whose_bus_no_changes_at_each_attempt_gets_one_receipt(
    tmp_path: Path, rule: str, first: str, second: str, key: str
):
    clinic = Clinic(tmp_path, caller(codes=Codes(key_rule=rule)))

    one = clinic.issue(first, balancedNumber="JS-5")
    two = clinic.issue(second, balancedNumber="JS-5")

    assert one["billNo"] == two["billNo"]
    assert second == two["busNo"]
    if key:
        assert one["billNo"] == clinic.by_key(key).number
    for bus_no in (first, second):
        assert one["billNo"] == clinic.good("getEBillByBusNo", {"busNo": bus_no})["billNo"]
    # The HIS knows its bill by the last one: a list that told of the first would have it
    # written off as a stranger.
    span = {"busBgnDate": "20261121", "busEndDate": "20261121"}
    (row,) = clinic.good("getBillByBusDate", span)["billList"]
    assert second == row["busNo"]
    clinic.close()


def test_a_batch_is_taken_once_and_issues_by_itself(clinic: Clinic):
    rows = [bill(busNo=f"BT{place}") for place in range(3)] + [bill(busNo="BT9", totalAmt=1)]
    for _ in range(2):
        assert "操作成功" == clinic.good(
            "batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": rows}
        )
    clinic.tick(1)

    told = clinic.good("getBatchInvoiceEBill", {"batchNo": "N1"})

    assert [1, 1, 1, 2] == [row["status"] for row in told["eBillList"]]
    assert 3 == len({row["billNo"] for row in told["eBillList"] if row["status"] == 1})
    assert "20261121093011123" == clinic.good("getEBillByBusNo", {"busNo": "BT0"})["billBusDate"]
    assert "没有此业务单" in clinic.bad("getBatchInvoiceEBill", {"batchNo": "N2"})


@pytest.mark.parametrize(
    "others",
    [
        [bill(busNo="X")],
        [bill(busNo="BT0"), bill(busNo="X")],
        [bill(busNo="BT0", payer="别人"), bill(busNo="BT1", totalAmt=1)],
        [bill(busNo="BT0"), bill(busNo="BT1")],
    ],
    ids=["other bills", "one other", "other content", "one mended"],
)
def test_other_bills_under_the_name_of_a_batch_are_never_acknowledged(
    clinic: Clinic, others: list[dict[str, Any]]
):
    """An acknowledgement would be of bills that nobody issues."""
    rows = [bill(busNo="BT0"), bill(busNo="BT1", totalAmt=1)]
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": rows})
    clinic.tick(1)

    asked = {"batchNo": "N1", "eBillList": others}

    assert "[BATCH_CONFLICT]" in clinic.bad("batchInvoiceEBillOutpatient", asked)
    assert "操作成功" == clinic.good(
        "batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": rows}
    )
    assert clinic.by_key("X") is None


def test_the_name_of_a_batch_is_each_callers_own(tmp_path: Path):
    """Two systems of one hospital both name their batches by the day."""
    clinic = Clinic(tmp_path, caller(), caller("LIS"))
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "1121", "eBillList": [bill()]})
    rows = [bill(busNo="L1"), bill(busNo="L2")]
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "1121", "eBillList": rows}, "LIS")
    clinic.tick(1)

    told = [
        [row["busNo"] for row in clinic.good("getBatchInvoiceEBill", {"batchNo": "1121"}, appid)[
            "eBillList"
        ]]
        for appid in (APPID, "LIS")
    ]  # fmt: skip
    clinic.close()

    assert [["B1"], ["L1", "L2"]] == told


def test_every_bill_of_a_batch_is_told_of_also_one_that_is_none(clinic: Clinic):
    rows = [bill(busNo="BT0"), None, "text"]
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": rows})
    clinic.tick(1)

    told = clinic.good("getBatchInvoiceEBill", {"batchNo": "N1"})

    assert [1, 2, 2] == [row["status"] for row in told["eBillList"]]
    assert "20261121093011123" == told["eBillList"][0]["billBusDate"]


def test_a_batch_waits_for_numbers_where_a_single_call_is_refused(clinic: Clinic):
    clinic.counter.signer.refuses = True
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": [bill()]})
    clinic.tick(1)
    assert [0] == [
        row["status"] for row in clinic.good("getBatchInvoiceEBill", {"batchNo": "N1"})["eBillList"]
    ]
    clinic.counter.signer.refuses = False
    clinic.counter.wait(4)

    told = clinic.good("getBatchInvoiceEBill", {"batchNo": "N1"})["eBillList"]

    assert [1] == [row["status"] for row in told]


def test_more_than_two_hundred_bills_are_no_batch(clinic: Clinic):
    rows = [{"busNo": str(place)} for place in range(201)]

    assert "200" in clinic.bad("batchInvoiceEBillOutpatient", {"batchNo": "N", "eBillList": rows})


def test_the_books_hold_together_after_a_day_at_this_door(tmp_path: Path):
    clinic = Clinic(tmp_path, caller(), caller("NEIGHBOUR", "H002"))
    answers = [clinic.issue(f"D{place}") for place in range(5)]
    clinic.call("invoiceEBillOutpatient", bill(busNo="N1"), "NEIGHBOUR")
    clinic.good("writeOffEBill", {
        **named(answers[0]), "reason": "退", "operator": "甲", "placeCode": "001",
        "busDateTime": "20261121120000000",
    })  # fmt: skip
    assert APPID == clinic.callers[0].appid

    assert [] == clinic.counter.violations()


def test_a_number_that_is_not_signed_yet_is_told_to_nobody(clinic: Clinic):
    """A HIS that lost its line asks by busNo at once; the number may still be burned."""
    clinic.counter.signer.at_once = False
    told: list[Any] = []
    _request(clinic, bill()).addCallback(told.append)
    clinic.tick(0.1)

    by_bus_no = clinic.call("getEBillByBusNo", {"busNo": "B1"})
    state = clinic.call("getEBillStatesByBillInfo", {"billBatchCode": OUT, "billNo": "0000000001"})
    clinic.counter.signer.at_once = True
    clinic.counter.signer.answer(0)
    clinic.tick(0.1)

    assert ("E2002", "E2001") == (by_bus_no[0], state[0])
    assert "[HIS_PENDING]" in by_bus_no[1]
    assert "0000000001" == clinic.opened(told[0])[1]["billNo"]
    assert "0000000001" == clinic.good("getEBillByBusNo", {"busNo": "B1"})["billNo"]


def test_a_batch_keeps_a_call_under_way_from_being_given_up(clinic: Clinic):
    """The batch was acknowledged: its bill may not be burned by the deadline of the call."""
    clinic.counter.signer.at_once = False
    told: list[Any] = []
    _request(clinic, bill()).addCallback(told.append)
    clinic.tick(0.1)
    clinic.good("batchInvoiceEBillOutpatient", {"batchNo": "N1", "eBillList": [bill()]})
    clinic.counter.wait(5)

    clinic.counter.signer.at_once = True
    clinic.counter.signer.answer(0)
    clinic.counter.wait(3)

    (row,) = clinic.good("getBatchInvoiceEBill", {"batchNo": "N1"})["eBillList"]
    assert (1, "0000000001") == (row["status"], row["billNo"])
    assert clinic.opened(told[0])[0].startswith("E")


def test_more_receipts_than_a_sum_may_hold_are_refused_never_cut_off(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    from fep.store import medical

    monkeypatch.setattr(medical, "ROWS_MAX", 2)
    for key in ("A", "B", "C"):
        clinic.issue(key)

    assert "[HIS_MANY]" in clinic.bad("checkTotalData", {"busDate": "2026-11-21"})
