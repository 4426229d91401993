"""What an answer may weigh and how lists are paged: limits of the columns clients keep it in."""

from __future__ import annotations

import base64
import io
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from fep.render.qr_small import PNG_MAX_BYTES, small_png
from fep.wire.dialects import medical_methods
from fep.wire.dialects.medical_codes import Codes
from tests.unit.medical.clinic import Clinic, bill, caller, named, refund

MONTH = {"busBgnDate": "20261101000000000", "busEndDate": "20261130235959999"}


def _read(png: bytes) -> tuple[Image.Image, str]:
    picture = Image.open(io.BytesIO(png))
    (found,) = zxingcpp.read_barcodes(picture.convert("L"))
    return picture, found.text


def _module_px(picture: Image.Image) -> int:
    """The narrowest run of dark or light on any row: the width of a module."""
    side, dots = picture.size[0], picture.convert("L").tobytes()
    runs = []
    for row in range(side):
        line = dots[row * side : (row + 1) * side]
        cuts = [0] + [x for x in range(1, side) if line[x] != line[x - 1]] + [side]
        runs += [after - before for before, after in pairwise(cuts)]
    return min(runs)


def test_a_list_that_names_a_patient_holds_nobody_else(clinic: Clinic):
    """A kiosk that asks by patient or by identity number shows what comes to whoever stands
    there."""
    clinic.issue("A", patientId="P1", idCardNo="42010619800101123x", cardNo="C1")
    clinic.issue("B", patientId="P2", idCardNo="420106198001015678", cardNo="C2")
    clinic.issue("C", patientId="", idCardNo="", cardNo="C1")

    def listed(method: str, **asked: str) -> list[str]:
        rows = clinic.good(method, {**MONTH, **asked})["billList"]
        return [row["busNo"] for row in rows]

    assert ["A"] == listed("getNotPrintList", patientId="P1")
    assert ["B"] == listed("getNotPrintList", idCardNo="420106198001015678")
    assert [] == listed("getNotPrintList", patientId="P1", idCardNo="420106198001015678")
    assert [] == listed("getNotPrintList", patientId="nobody")
    assert ["A", "C"] == listed("getEBillUnPrintList", cardNo="C1", idCardNo="42010619800101123X")
    assert ["C"] == listed("getEBillUnPrintList", cardNo="C1", patientId="P2")
    assert ["A", "B", "C"] == listed("getNotPrintList")


def test_lists_tell_of_the_sheet_that_is_in_the_payers_hands(clinic: Clinic):
    answer = clinic.issue()
    turn = {**named(answer), "pBillBatchCode": "042126", "busDateTime": "20261121094000000",
            "placeCode": "001", "operator": "王芳"}  # fmt: skip
    week = {"busBgnDate": "20261120", "busEndDate": "20261122", "cardNo": "C100200"}

    def listed() -> tuple[list[str], int]:
        on_paper = clinic.good("getEBillPrintList", week)["billList"]
        open_ = clinic.good("getEBillUnPrintList", week)["total"]
        return [row["billNo"] for row in on_paper], open_

    clinic.good("turnPaper", {**turn, "pBillNo": "1"})
    clinic.good("reTurnPaper", {**turn, "pBillNo": "2"})
    again = listed()
    void = {"unit": "H001", "point": "001", "first": "042126-00000002", "reason": "污损"}
    clinic.room.done(clinic.ctx.paper.void(clinic.callers[0], void))

    assert (["00000002"], 0) == again
    assert ([], 1) == listed()


def test_a_list_of_what_is_no_receipt_is_refused_and_holds_no_receipts(clinic: Clinic):
    clinic.issue()

    for wanted in ("5", "9", "x"):
        for method in ("getBillByBusDate", "getBillByIvcDate"):
            assert "dataType" in clinic.bad(method, {**MONTH, "dataType": wanted})
    assert 1 == clinic.good("getBillByIvcDate", {**MONTH, "dataType": 1})["total"]


def test_a_day_that_does_not_exist_takes_no_money(clinic: Clinic):
    """The daily check of no day would ever show it."""
    for when in ("20260231080000000", "20261121250000000"):
        assert "busDateTime" in clinic.bad("invoiceEBillOutpatient", bill(busDateTime=when))
    assert clinic.by_key("B1") is None


def test_the_qr_code_is_one_bit_small_and_reads_as_the_receipts_page(clinic: Clinic):
    answer = clinic.issue()
    png = base64.b64decode(answer["billQRCode"])
    picture, text = _read(png)

    assert "1" == picture.mode
    assert len(png) <= PNG_MAX_BYTES
    assert 500 >= len(answer["billQRCode"])
    assert 4 <= _module_px(picture)
    assert answer["pictureUrl"] == text


def test_what_the_province_wants_in_the_code_goes_before_the_page():
    short = "http://cz.example.gov.cn/v?42060126,0000000001,a1B2c3"

    assert short == _read(small_png((short, "https://page")))[1]
    assert "https://page" == _read(small_png(("x" * 200, "https://page")))[1]
    assert b"" == small_png(("x" * 200, ""))


def test_every_code_that_is_answered_fits_whatever_it_says():
    for length in range(1, 130):
        png = small_png(("https://p.example.org/r/" + "aB3" * length)[: length + 10] for _ in "x")
        assert len(png) <= PNG_MAX_BYTES
        if png:
            assert 4 <= _module_px(Image.open(io.BytesIO(png)))


def test_the_code_of_any_receipt_is_read_back_though_its_mask_is_always_the_same():
    for number in range(150):
        page = f"https://p.example.org/r/{sha256(str(number).encode()).hexdigest()[:22]}"
        plain = f"42060126,{number:010d},{number * 7919 % 16**6:06x},20261121,{number}.50"
        assert [page, plain] == [_read(small_png((content,)))[1] for content in (page, plain)]


def test_addresses_have_at_most_sixty_characters(tmp_path: Path):
    def url_of(receipt: Any) -> str:
        return f"https://{'long.' * int(receipt.number)}example.org/r/{receipt.id:016d}"

    clinic = Clinic(tmp_path, caller(codes=Codes(net_base="https://net.example.org")),
                    url_of=url_of)  # fmt: skip
    urls = [clinic.issue(f"B{place}") for place in range(6)]

    assert all(len(one["pictureUrl"]) <= 60 for one in urls)
    assert urls[0]["pictureUrl"]
    assert "" == urls[-1]["pictureUrl"]
    assert "https://net.example.org/r/0000000000000001" == urls[0]["pictureNetUrl"]
    assert all(one["billQRCode"] for one in urls)
    clinic.close()


def test_without_a_page_the_code_says_what_the_receipt_is(tmp_path: Path):
    clinic = Clinic(tmp_path, url_of=lambda _receipt: "")
    answer = clinic.issue()

    text = _read(base64.b64decode(answer["billQRCode"]))[1]

    assert f"42060126,0000000001,{answer['random']},20261121,126.50" == text
    assert ("", "") == (answer["pictureUrl"], answer["pictureNetUrl"])
    clinic.close()


def test_pages_of_lists_count_from_one_and_hold_at_most_two_hundred(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    for place in range(5):
        clinic.issue(f"B{place}", busDateTime=f"2026112109{place:02d}")
    pages = [
        [row["busNo"] for row in clinic.good("getBillByBusDate", {
            **MONTH, "pageNo": page, "pageSize": 2})["billList"]]
        for page in (0, 1, 2, 3, 4)
    ]  # fmt: skip

    assert [["B0", "B1"], ["B0", "B1"], ["B2", "B3"], ["B4"], []] == pages
    every = clinic.good("getBillByBusDate", {**MONTH, "pageSize": 100_000})
    assert (5, 5) == (every["total"], len(every["billList"]))
    assert 200 == medical_methods.PAGE_MAX
    monkeypatch.setattr(medical_methods, "PAGE_MAX", 3)
    for size in (0, 100_000, ""):
        told = clinic.good("getBillByBusDate", {**MONTH, "pageSize": size})
        assert (5, 3) == (told["total"], len(told["billList"]))


def test_a_list_of_too_long_a_time_or_of_none_is_refused(clinic: Clinic):
    years = {"busBgnDate": "20200101", "busEndDate": "20261130"}
    backwards = {"busBgnDate": "20261130", "busEndDate": "20261101"}
    fortnight = {"busBgnDate": "20261101", "busEndDate": "20261115", "cardNo": "C"}

    none = {"busBgnDate": "20260230", "busEndDate": "20260301"}

    for fields in (years, backwards):
        assert "[HIS_RANGE]" in clinic.bad("getBillByBusDate", fields)
    assert "busBgnDate" in clinic.bad("getBillByBusDate", none)
    assert "[HIS_RANGE]" in clinic.bad("getEBillPrintList", fortnight)


def test_a_kiosk_must_name_a_card(clinic: Clinic):
    clinic.issue()

    assert "cardNo" in clinic.bad("getEBillUnPrintList", {**MONTH, "cardNo": ""})
    assert 0 == clinic.good("getEBillUnPrintList", {**MONTH, "cardNo": "C1"})["total"]
    assert 1 == clinic.good("getEBillUnPrintList", {**MONTH, "cardNo": "C100200"})["total"]


def test_what_is_reversed_or_on_paper_is_not_to_be_printed(clinic: Clinic):
    clinic.good("writeOffEBill", refund(clinic.issue()))
    on_paper = clinic.issue("B2")
    clinic.good("turnPaper", {
        **named(on_paper), "pBillBatchCode": "042126", "pBillNo": "1", "placeCode": "001",
        "operator": "甲", "busDateTime": "20261121110000000",
    })  # fmt: skip
    clinic.issue("B3")

    for method in ("getEBillUnPrintList", "getNotPrintList"):
        rows = clinic.good(method, {**MONTH, "cardNo": "C100200"})["billList"]
        assert ["B3"] == [row["busNo"] for row in rows]


def test_lists_tell_sheets_when_these_are_asked_for(clinic: Clinic):
    answer = clinic.issue()
    clinic.issue("B2")
    clinic.good("turnPaper", {
        **named(answer), "pBillBatchCode": "042126", "pBillNo": "1", "placeCode": "001",
        "operator": "甲", "busDateTime": "20261121110000000",
    })  # fmt: skip

    (row,) = clinic.good("getBillByBusDate", {**MONTH, "dataType": "3"})["billList"]

    assert ("042126", "00000001", "3") == (row["billBatchCode"], row["billNo"], row["dataType"])
    assert answer["billNo"] == row["relateBillNo"]
    assert 0 == clinic.good("getBillByBusDate", {**MONTH, "dataType": "4"})["total"]


def test_a_receipt_of_the_business_day_before_counts_on_its_own_business_day(clinic: Clinic):
    clinic.issue("YESTERDAY", busDateTime="20261120235959999")
    red = clinic.good("writeOffEBill", refund(clinic.issue("B2")))
    clinic.issue("B3")

    def total(method: str, **fields: Any) -> tuple[int, float]:
        told = clinic.good(method, {**fields, "isReturnList": "0"})
        return told["allTotalNum"], told["allTotalAmt"]

    assert (1, 126.5) == total("checkTotalData", busDate="2026-11-20")
    assert (3, 126.5) == total("checkTotalData", busDate="20261121")
    assert (1, -126.5) == total("checkWriteOffData", busDate="2026-11-21")
    assert (0, 0.0) == total("checkTotalDataByIvcDate", ivcDate="2026-11-20")
    assert (4, 253.0) == total("checkTotalDataByIvcDate", ivcDate="2026-11-21")
    assert red["eScarletBillNo"]


def test_ranges_of_numbers_add_up_to_the_sums_over_every_page(clinic: Clinic):
    for place in range(6):
        clinic.issue(f"B{place}", placeCode="002" if place in (2, 3) else "001")
    asked = {"busDate": "2026-11-21", "isReturnList": "1", "pageSize": 1}

    pages = [clinic.good("checkTotalData", {**asked, "pageNo": page}) for page in (1, 2, 3)]

    rows = [row for page in pages for row in page["billNoList"]]
    assert [("0000000001", "0000000002"), ("0000000005", "0000000006"),
            ("0000000003", "0000000004")] == [(r["bgnNo"], r["endNo"]) for r in rows]  # fmt: skip
    assert {(3, 759.0, 6)} == {(p["copyNum"], p["allTotalAmt"], p["allTotalNum"]) for p in pages}
    assert 759.0 == sum(page["totalAmt"] for page in pages)


def test_receipts_of_the_socket_stand_in_lists_and_sums(clinic: Clinic):
    params = {
        "unit": "H001", "point": "002", "kind": "inpatient", "key": "SOCKET",
        "payer": {"name": "张三"}, "total": "5.00",
        "items": [{"code": "1", "name": "床位费", "amount": "5.00"}],
    }  # fmt: skip
    clinic.room.done(clinic.window.issue(caller(), params))
    clinic.issue("B1", placeCode="001")

    (row,) = clinic.good("getBillByBusDate", {**MONTH, "busType": "01"})["billList"]
    place = {"busDate": "2026-11-21", "busType": "01", "placeCode": "002"}

    assert ("SOCKET", "01", "002") == (row["busNo"], row["busType"], row["placeCode"])
    assert 1 == clinic.good("checkDataByPlace", place)["allTotalNum"]
    assert 2 == clinic.good("checkTotalData", {"busDate": "2026-11-21"})["allTotalNum"]
    assert "placeCode" in clinic.bad("checkDataByPlace", {**place, "placeCode": ""})


def test_a_bill_without_details_has_no_pages_of_them(clinic: Clinic):
    bare = clinic.issue("B1", listDetail=[])
    many = [{"name": f"项目{n}", "amt": "1"} for n in range(31)]
    long = clinic.issue("B2", listDetail=many)

    assert {"total": 0} == clinic.good("getElectBilllListTotal", named(bare))
    assert {"total": 2} == clinic.good("getElectBilllListTotal", named(long))
    assert bill()["listDetail"]
