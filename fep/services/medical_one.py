"""Queries about one receipt, messages, numbers in hand: the medical dialect's small questions.

Rule: a reversed or red receipt is answered like any other; clients had to give up asking when
a platform answered them with an error (facts/his-api 1.5).
"""

from __future__ import annotations

from typing import Any

from fep.domain.faults import refuse
from fep.domain.life_marks import Booking
from fep.domain.receipt import Receipt
from fep.services.callers import Caller
from fep.services.his_context import HisContext
from fep.services.medical_detail import told_detail
from fep.services.medical_door import Call, DoorMethod
from fep.services.medical_words import Words, moment
from fep.services.reversal import any_event_q
from fep.store import medical, messages, queries_sheets, queries_stock, receipts
from fep.store.life import Standing
from fep.wire.dialects import medical_methods as tables
from fep.wire.dialects.medical_codes import NOTICES
from fep.wire.dialects.medical_envelope import DONE

LIST_LINES = 30
"""Lines of a page of the detail list."""
_WAYS = {"1201": "sms", "1202": "email"}


class Ones:
    """The methods about one receipt."""

    def __init__(self, ctx: HisContext, words: Words) -> None:
        self._ctx = ctx
        self._words = words

    def methods(self) -> dict[str, DoorMethod]:
        """Return the table of these methods."""
        return {
            "testServerConnect": DoorMethod("", tables.TEST, self.test),
            "getEBillByBusNo": DoorMethod("query", tables.BY_BUS_NO, self.by_bus_no),
            "getEBillStatesByBillInfo": DoorMethod("query", tables.BILL, self.states),
            "getEBillPicUrl": DoorMethod("query", tables.PICTURE, self.picture_url),
            "getEBillNotifyPic": DoorMethod("query", tables.PICTURE, self.notify_picture),
            "getBillDetail": DoorMethod("query", tables.BILL, self.detail),
            "getEBillAccountStatus": DoorMethod("query", tables.BILL, self.booking),
            "getElectBilllListTotal": DoorMethod("query", tables.BILL, self.list_pages),
            "sendBillNotice": DoorMethod("query", tables.NOTICE, self.notice),
            "getValidBillNo": DoorMethod("query", tables.VALID, self.numbers),
            "getValidBillBatchCode": DoorMethod("query", tables.VALID, self.codes),
        }

    async def test(self, _caller: Caller, _call: Call) -> str:
        """`testServerConnect`."""
        return DONE

    async def by_bus_no(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillByBusNo`: what became of a call whose answer never arrived."""
        unit = self._words.unit(caller)
        read = self._ctx.store.read
        key = read(medical.key_of_q, unit.code, call["busNo"], call["busDateTime"])
        receipt = read(receipts.by_key_q, unit.code, key)
        if receipt is None:
            row = read(receipts.event_q, unit.code, key)
            if row is None:
                raise refuse("RCP_UNKNOWN")
            if row.state == "refused":
                raise refuse("HIS_REFUSED", key=call["busNo"], why=row.reason)
            raise refuse("HIS_PENDING", key=call["busNo"])
        if receipt.state.value != "sealed":
            raise refuse("HIS_PENDING", key=call["busNo"])
        standing = self._words.standing(caller, receipt.code, receipt.number)
        told = self._words.issued(caller, receipt, call["busNo"], self._bus_at(receipt))
        return {**told, **self._scarlet(caller, standing, pictures=True)}

    def _bus_at(self, receipt: Receipt) -> str:
        kept = self._ctx.store.read(medical.kept_q, receipt.unit, receipt.key)
        return kept.bus_at if kept is not None and kept.bus_at else moment(receipt.issued_at)

    def _scarlet(self, caller: Caller, standing: Standing, *, pictures: bool) -> dict[str, str]:
        """Return what is known of the red receipt; a red one is its own."""
        red = standing.receipt if standing.receipt.amount_fen < 0 else standing.red
        if red is not None and red.state.value != "sealed":
            red = None
        urls = self._words.urls(caller, red) if red is not None else {}
        told = {
            "isScarlet": "1" if red is not None else "0",
            "scarletBillBatchCode": red.code if red else "",
            "scarletBillNo": red.number if red else "",
            "scarletRandom": red.check_code if red else "",
            "scarletBillQRCode": self._words.qr(red) if red else "",
            "scarletCreateTime": moment(red.issued_at) if red else "",
            "scarletBillBusDate": self._bus_at(red) if red else "",
        }
        if pictures:
            told["scarletPictureUrl"] = urls.get("pictureUrl", "")
            told["scarletPictureNetUrl"] = urls.get("pictureNetUrl", "")
        return told

    async def states(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillStatesByBillInfo`: reversed or not, on paper or not."""
        standing = self._standing(caller, call)
        receipt = standing.receipt
        sheets = self._ctx.store.read(
            queries_sheets.of_receipt_q, receipt.unit, receipt.code, receipt.number
        )
        used = next((row for row in sheets if row["state"] == "used"), None)
        code, _, number = str(used["sheet"]).partition("-") if used else ("", "", "")
        at = moment(used["at"]) if used else ""
        return {
            "billName": self._words.name(receipt),
            "billBatchCode": receipt.code,
            "billNo": receipt.number,
            "random": receipt.check_code,
            "ivcDateTime": moment(receipt.issued_at),
            "state": "1",
            "isPrtPaper": "1" if used else "0",
            "pBillBatchCode": code,
            "pBillNo": number,
            "pCreateTime": at,
            "pBillBusDate": at,
            **self._scarlet(caller, standing, pictures=False),
        }

    def _standing(self, caller: Caller, call: Call) -> Standing:
        return self._words.standing(caller, call["billBatchCode"], call["billNo"], call["random"])

    async def picture_url(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillPicUrl`: the pages of a receipt, whatever channel it is for."""
        return dict(self._words.urls(caller, self._standing(caller, call).receipt))

    async def notify_picture(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillNotifyPic`: the QR code; a picture of the notice is not drawn."""
        receipt = self._standing(caller, call).receipt
        return {
            "billBatchCode": receipt.code,
            "billNo": receipt.number,
            "random": receipt.check_code,
            "createTime": moment(receipt.issued_at),
            "billQRCode": self._words.qr(receipt),
            "pictureData": "",
        }

    async def detail(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getBillDetail`: everything a kiosk prints."""
        receipt = self._standing(caller, call).receipt
        unit = self._ctx.units[receipt.unit]
        bound = (self._ctx.kinds[receipt.kind], self._ctx.provinces[unit.province])
        event = self._ctx.store.read(any_event_q, receipt, lambda _receipt: bound)
        kept = self._ctx.store.read(medical.kept_q, receipt.unit, receipt.key)
        return told_detail(receipt, event, kept)

    async def booking(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillAccountStatus`: the last thing known; not known is not booked."""
        booking = self._standing(caller, call).booking
        return {"state": "1" if booking is Booking.YES else "0"}

    async def list_pages(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getElectBilllListTotal`: pages of the detail list, 0 without one."""
        detail = await self.detail(caller, call)
        return {"total": -(-len(detail["listDetail"]) // LIST_LINES)}

    async def notice(self, caller: Caller, call: Call) -> str:
        """`sendBillNotice`: keep the wish; nothing sends it yet."""
        receipt = self._standing(caller, call).receipt
        for place, row in enumerate(call["noticeList"]):
            if row["noticeType"] not in NOTICES:
                raise refuse("REQ_FIELD_VALUE", field=f"noticeList[{place}].noticeType",
                             value=row["noticeType"], allowed=" ".join(NOTICES))  # fmt: skip
        wishes = [(_WAYS[row["noticeType"]], row["noticeValue"]) for row in call["noticeList"]]
        await self._ctx.store.do(
            "message.ask", messages.ask_txn, receipt, wishes, caller.who or caller.appid
        )
        return DONE

    # numbers in hand
    async def numbers(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getValidBillNo`: sheets of the point first, then the numbers of electronic receipts."""
        rows = self._in_hand(caller, call)
        return {"count": len(rows), "billNoList": rows}

    async def codes(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getValidBillBatchCode`: the codes of what is in hand."""
        found: dict[str, dict[str, None]] = {}
        for row in self._in_hand(caller, call):
            found.setdefault(row["billCode"], {})[row["billBatchCode"]] = None
        return {
            "billCodeList": [
                {"billCode": bill, "billBatchCodeList": [{"billBatchCode": code} for code in codes]}
                for bill, codes in found.items()
            ]
        }

    def _in_hand(self, caller: Caller, call: Call) -> list[dict[str, str]]:
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit) if call["placeCode"] else ""
        rows = [
            _range(block.code, block.code, block.next, block.last)
            for block in self._ctx.store.read(queries_sheets.blocks_q)
            if block.unit == unit.code and block.next and point in ("", block.point)
        ]
        kinds = self._kinds_by_code(unit.code)
        for stock in self._ctx.store.read(queries_stock.blocks_q):
            if stock.unit == unit.code and stock.state == "active" and stock.left > 0:
                rows.append(_range(kinds.get(stock.code, stock.code), stock.code,
                                   f"{stock.next:010d}", f"{stock.last:010d}"))  # fmt: skip
        wanted = ("billCode", "billBatchCode")
        return [row for row in rows if all(call[name] in ("", row[name]) for name in wanted)]

    def _kinds_by_code(self, unit_code: str) -> dict[str, str]:
        unit, year = self._ctx.units[unit_code], self._ctx.clock.wall().year
        kinds = [self._ctx.kinds[kind] for kind in unit.kinds if kind in self._ctx.kinds]
        return {kind.code(unit.area, at): kind.id for kind in kinds for at in (year, year + 1)}


def _range(bill_code: str, code: str, first: str, last: str) -> dict[str, str]:
    return {"billCode": bill_code, "billBatchCode": code, "billBgnNo": first, "billEndNo": last}
