"""Reversal and paper at the door: what a second call is told, and what a crash between two
steps leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from fep.domain.life_marks import Mark
from fep.store import life
from fep.wire.dialects.medical_codes import Codes
from tests.unit.medical.clinic import SHEETS, Clinic, caller, named, refund

AGAIN = "已冲销，不能冲销开票"


def _turn(answer: dict[str, str], sheet: str = "00000001", **changes: Any) -> dict[str, Any]:
    return {
        **named(answer), "pBillBatchCode": SHEETS, "pBillNo": sheet, "operator": "甲",
        "busDateTime": "20261121110000000", "placeCode": "001", **changes,
    }  # fmt: skip


def _void(sheet: str = "00000001", **changes: Any) -> dict[str, Any]:
    return {
        "pBillBatchCode": SHEETS, "pBillNo": sheet, "placeCode": "001", "author": "甲",
        "reason": "退费", "busDateTime": "20261121110000000", **changes,
    }  # fmt: skip


def test_sheets_of_a_code_that_nobody_has_are_none(clinic: Clinic):
    asked = {"placeCode": "001", "pBillBatchCode": "3610"}

    assert clinic.bad("getPaperBillNo", asked).startswith("无可用票据")


def test_a_sheet_is_voided_with_a_reason_of_250_characters(clinic: Clinic):
    answer = clinic.issue()
    sheet = {"pBillBatchCode": "042126", "placeCode": "001", "busDateTime": "20261121101112000"}
    clinic.good("turnPaper", {**named(answer), **sheet, "pBillNo": "1", "operator": "王芳"})
    long = {"author": "王芳", "reason": "退" * 250}

    clinic.good("invalidPaper", {**sheet, "pBillNo": "1", **long})
    clinic.good("invalidBlankBillNo", {**sheet, "pBillNoStart": "2", "pBillNoEnd": "2", **long})

    assert "reason" in clinic.bad(
        "invalidBlankBillNo",
        {**sheet, "pBillNoStart": "3", "pBillNoEnd": "3", **long, "reason": "退" * 251},
    )


def test_a_second_reversal_is_told_exactly_what_clients_look_for(clinic: Clinic):
    answer = clinic.issue()
    clinic.good("writeOffEBill", refund(answer))

    assert AGAIN == clinic.bad("writeOffEBill", refund(answer))
    assert AGAIN == clinic.bad("writeOffEBill", refund(answer, reason="另一个原因"))


def test_two_reversals_at_once_are_one_red_receipt(clinic: Clinic):
    answer = clinic.issue()
    body = json.dumps(clinic.envelope(refund(answer))).encode()

    doors = [
        Deferred.fromCoroutine(clinic.medical.door(clinic.post("writeOffEBill", body)))
        for _ in range(3)
    ]
    told = [clinic.opened(one) for one in clinic.asked(doors)]

    assert {"S0000"} == {result for result, _ in told}
    assert {"0000000002"} == {message["eScarletBillNo"] for _, message in told}


def test_a_reversal_through_the_socket_is_known_here(clinic: Clinic):
    answer = clinic.issue()
    clinic.room.done(clinic.ctx.reversals.reverse(caller(), {
        "unit": "H001", "key": "R-9", "code": answer["billBatchCode"],
        "number": answer["billNo"], "reason": "退费",
    }))  # fmt: skip

    assert AGAIN == clinic.bad("writeOffEBill", refund(answer))
    states = clinic.good("getEBillStatesByBillInfo", named(answer))
    assert ("1", "0000000002") == (states["isScarlet"], states["scarletBillNo"])
    assert states["scarletBillBusDate"] == states["scarletCreateTime"]


def test_a_state_query_of_a_red_receipt_is_answered_s0000(clinic: Clinic):
    answer = clinic.issue()
    red = clinic.good("writeOffEBill", refund(answer))
    own = {"billBatchCode": red["eScarletBillBatchCode"], "billNo": red["eScarletBillNo"]}

    for name in (named(answer), own):
        states = clinic.good("getEBillStatesByBillInfo", name)
        assert ("1", red["eScarletBillNo"]) == (states["isScarlet"], states["scarletBillNo"])


def test_a_red_receipt_cannot_be_reversed(clinic: Clinic):
    red = clinic.good("writeOffEBill", refund(clinic.issue()))
    name = {"billBatchCode": red["eScarletBillBatchCode"], "billNo": red["eScarletBillNo"]}

    assert "[LIFE_RED]" in clinic.bad("writeOffEBill", refund(name))


def test_a_reversal_tells_every_field_that_clients_read(clinic: Clinic):
    red = clinic.good("writeOffEBill", refund(clinic.issue()))

    assert ("", "20261121101112000") == (red["pictureNetUrl"], red["billBusDate"])
    assert all(red[name] for name in ("eScarletRandom", "createTime", "billQRCode", "pictureUrl"))


def test_a_reason_is_needed_for_a_reversal(clinic: Clinic):
    assert "reason" in clinic.bad("writeOffEBill", refund(clinic.issue(), reason=""))


def test_an_unknown_bill_is_an_e_code(clinic: Clinic):
    name = {"billBatchCode": "42060126", "billNo": "0000000099"}

    assert "[RCP_UNKNOWN]" in clinic.bad("writeOffEBill", refund(name))
    assert "[RCP_UNKNOWN]" in clinic.bad("getEBillByBusNo", {"busNo": "没有"})
    assert "[RCP_UNKNOWN]" in clinic.bad(
        "getBillDetail", {"billBatchCode": "x" * 50, "billNo": "y"}
    )


def test_a_wrong_check_code_finds_nothing(clinic: Clinic):
    answer = clinic.issue()

    assert "[RCP_UNKNOWN]" in clinic.bad("getBillDetail", {**named(answer), "random": "000000x"})


def test_a_booked_receipt_is_not_reversed_and_its_booking_is_told(clinic: Clinic):
    answer = clinic.issue()
    mark = (*named(answer).values(), Mark.BOOKED, clinic.room.wall_ms, "平台")
    clinic.do("mark", life.mark_txn, *mark)

    assert {"state": "1"} == clinic.good("getEBillAccountStatus", named(answer))
    assert "[LIFE_BOOKED]" in clinic.bad("writeOffEBill", refund(answer))


# paper
def test_turning_twice_is_done_once(clinic: Clinic):
    answer = clinic.issue()

    for _ in range(2):
        assert "操作成功" == clinic.good("turnPaper", _turn(answer))
    assert "00000002" == clinic.good("getPaperBillNo", {"placeCode": "001"})["pBillNo"]


def test_looking_at_the_next_sheet_does_not_take_it(clinic: Clinic):
    looks = [clinic.good("getPaperBillNo", {"placeCode": "001"}) for _ in range(3)]

    assert [{"pBillBatchCode": SHEETS, "pBillNo": "00000001"}] * 3 == looks


def test_no_paper_is_told_in_the_words_clients_know(clinic: Clinic):
    assert "无可用票据" in clinic.bad("getPaperBillNo", {"placeCode": "002"})


def test_a_sheet_out_of_turn_is_refused_with_the_next_one(clinic: Clinic):
    assert "00000001" in clinic.bad("turnPaper", _turn(clinic.issue(), "00000005"))


def test_a_sheet_number_may_have_fewer_or_more_zeros(clinic: Clinic):
    for place, written in enumerate(("1", "0000000002")):
        clinic.good("turnPaper", _turn(clinic.issue(f"B{place}"), written))

    assert "00000003" == clinic.good("getPaperBillNo", {"placeCode": "001"})["pBillNo"]


def test_turning_again_without_a_sheet_sends_the_client_to_turn_paper(clinic: Clinic):
    assert "[PAPER_NOT_EXCHANGED]" in clinic.bad("reTurnPaper", _turn(clinic.issue()))


def test_a_bill_on_paper_is_reversed_by_voiding_its_sheet(clinic: Clinic):
    answer = clinic.issue()
    clinic.good("turnPaper", _turn(answer))
    assert "invalidPaper[LIFE_PAPER]" in clinic.bad("writeOffEBill", refund(answer))

    red = clinic.good("invalidPaper", _void())

    assert "0000000002" == red["eScarletBillNo"]
    assert AGAIN == clinic.bad("invalidPaper", _void())
    assert AGAIN == clinic.bad("writeOffEBill", refund(answer))


def test_a_sheet_that_was_voided_before_a_crash_still_reverses_its_bill(clinic: Clinic):
    answer = clinic.issue()
    clinic.good("turnPaper", _turn(answer))
    clinic.counter.signer.refuses = True
    clinic.bad("invalidPaper", _void())
    assert "" == clinic.standing(answer).sheet
    clinic.counter.signer.refuses = False

    assert "eScarletBillNo" in clinic.good("invalidPaper", _void(reason="换个说法"))


def test_a_sheet_that_another_one_replaced_reverses_nothing(clinic: Clinic):
    answer = clinic.issue()
    clinic.good("turnPaper", _turn(answer))
    clinic.good("reTurnPaper", _turn(answer, "00000002"))

    assert "[PAPER_VOID]" in clinic.bad("invalidPaper", _void("00000001"))
    assert clinic.standing(answer).red is None


def test_a_sheet_of_another_window_is_voided_where_the_refund_is(tmp_path: Path):
    clinic = Clinic(tmp_path, caller(codes=Codes(points={"退费窗": "002"})))
    clinic.good("turnPaper", _turn(clinic.issue()))

    assert "eScarletBillNo" in clinic.good("invalidPaper", _void(placeCode="退费窗"))
    clinic.close()


def test_blank_sheets_are_voided_once_and_a_used_one_never(clinic: Clinic):
    clinic.good("turnPaper", _turn(clinic.issue()))
    blanks = {
        "pBillBatchCode": SHEETS, "pBillNoStart": "00000002", "pBillNoEnd": "00000003",
        "placeCode": "001", "author": "甲", "reason": "卡纸",
        "busDateTime": "20261121110000000",
    }  # fmt: skip

    for _ in range(2):
        assert "操作成功" == clinic.good("invalidBlankBillNo", blanks)
    assert "[PAPER_USED]" in clinic.bad("invalidBlankBillNo", {**blanks, "pBillNoStart": "1"})
    assert "00000004" == clinic.good("getPaperBillNo", {"placeCode": "001"})["pBillNo"]


def test_a_red_paper_that_was_not_taken_before_a_crash_is_taken_by_the_retry(clinic: Clinic):
    answer = clinic.issue()
    clinic.good("turnPaper", _turn(answer))
    fields = {**refund(answer), "pBillBatchCode": SHEETS, "pBillNo": "00000002"}
    clinic.counter.signer.refuses = True
    clinic.bad("writeOffEBillToPaper", fields)
    clinic.counter.signer.refuses = False

    red = clinic.good("writeOffEBillToPaper", fields)

    own = {"billBatchCode": red["eScarletBillBatchCode"], "billNo": red["eScarletBillNo"]}
    assert "00000002" == clinic.good("getEBillStatesByBillInfo", own)["pBillNo"]
    assert AGAIN == clinic.bad("writeOffEBillToPaper", fields)
