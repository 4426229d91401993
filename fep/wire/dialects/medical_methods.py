"""Field tables of the methods of the medical dialect that do not issue: all three versions and
what came later are one table each. A method that is not here is not offered."""

from __future__ import annotations

from fep.wire.dialects.medical_table import Field, needed, texts

PAGE_MAX = 200

_BILL = (*needed("billBatchCode"), *needed("billNo", 20))
_BUS_AT = Field("busDateTime", shape="moment")
_PAGES = (
    Field("pageNo", shape="count", default=1),
    Field("pageSize", shape="count", default=PAGE_MAX),
)
_REASON, _REASON_SHEET = Field("reason", 200, need=True), Field("reason", 250, need=True)
_SHEET = (*needed("pBillBatchCode"), *needed("pBillNo"))

TEST = texts("testValue")
# reversal and paper
WRITE_OFF = (*_BILL, _REASON, *texts("operator"), _BUS_AT, *needed("placeCode"))
WRITE_OFF_TO_PAPER = (*WRITE_OFF, *_SHEET)
NEXT_SHEET = (*needed("placeCode"), *texts("pBillBatchCode"))
TURN = (*_BILL, *_SHEET, _BUS_AT, *needed("placeCode"), *texts("operator"))
VOID_SHEET = (*_SHEET, *needed("placeCode"), *texts("author"), _REASON_SHEET, _BUS_AT)
VOID_BLANKS = (
    *needed("pBillBatchCode"), *needed("pBillNoStart pBillNoEnd", 20), *needed("placeCode"),
    *texts("author"), _REASON_SHEET, _BUS_AT,
)  # fmt: skip
# one bill
BY_BUS_NO = (*needed("busNo"), _BUS_AT)
BILL = (*_BILL, *texts("random", 20))
PICTURE = (*BILL, *texts("channelMode", 10), *texts("isReturnPic", 5))
NOTICE = (
    *BILL,
    Field("noticeList", shape="list", need=True, rows_max=20, rows=(
        Field("noticeType", 10, need=True), Field("noticeValue", 100, need=True),
    )),
)  # fmt: skip
BATCH = (*needed("batchNo", 60), Field("eBillList", shape="list", need=True))
BATCH_STATE = needed("batchNo", 60)
# lists
_TIME = (
    Field("busBgnDate", shape="moment", need=True),
    Field("busEndDate", shape="until", need=True),
)
BY_CARD = (
    *_TIME, *texts("busType", 20), *texts("cardType", 10), *texts("cardNo idCardNo patientId"),
    *texts("placeCode"), *_PAGES,
)  # fmt: skip
BY_TIME = (*_TIME, *texts("placeCode"), *texts("dataType", 5), *texts("busType", 20), *_PAGES)
# sums of a day: the twins by issue time name the day differently
_SUM = (*texts("busType", 20), *texts("placeCode"), *texts("isReturnList", 5), *_PAGES)
BUS_DAY = (Field("busDate", shape="day", need=True), *_SUM)
IVC_DAY = (Field("ivcDate", shape="day", need=True), *_SUM)
# numbers
VALID = (*texts("placeCode"), *texts("billCode billBatchCode"))
