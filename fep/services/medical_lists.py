"""Lists and sums of the medical dialect: what a kiosk still has to print, what a day came to.

Rules: a list is of one unit and of a bounded time; sums are signed, a red receipt counts in
them with its negative amount, so that total less refunds is what was issued. Long queries run
off the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from fep.domain.calendar import to_ms
from fep.domain.faults import refuse
from fep.domain.kind import Unit
from fep.domain.money import format_fen
from fep.services.callers import Caller
from fep.services.his_context import HisContext
from fep.services.medical_door import Call, DoorMethod
from fep.services.medical_words import Words, moment, number
from fep.store import medical
from fep.store.medical import Bill, Span
from fep.wire.dialects import medical_methods as tables
from fep.wire.dialects.medical_codes import KINDS
from fep.wire.dialects.medical_values import dashed

DAYS_MAX, CARD_DAYS_MAX, PRINTED_DAYS_MAX = 92, 400, 8
T = TypeVar("T")
_PATIENT = ("patientId", "idCardNo")  # a card's type differs between window and kiosk
RED, NORMAL, PAPER, RED_PAPER = "2", "1", "3", "4"
_TYPES = ("", NORMAL, RED, PAPER, RED_PAPER)


@dataclass(frozen=True, slots=True)
class _Sum:
    """A method of the daily check: by business or issue day, of reds only or of all."""

    day: str
    reds: bool = False
    place: bool = False  # busType and placeCode must be given


_SUMS = {
    "checkTotalData": _Sum("busDate"),
    "checkDataByPlace": _Sum("busDate", place=True),
    "checkWriteOffData": _Sum("busDate", reds=True),
    "checkTotalDataByIvcDate": _Sum("ivcDate"),
    "checkDataPlaceByIvcDate": _Sum("ivcDate", place=True),
    "checkWriteOffDataByIvcDate": _Sum("ivcDate", reds=True),
}


class Lists:
    """The methods that answer with many receipts."""

    def __init__(self, ctx: HisContext, words: Words) -> None:
        self._ctx = ctx
        self._words = words

    def methods(self) -> dict[str, DoorMethod]:
        """Return the table of these methods."""
        sums = {
            name: DoorMethod(
                "query",
                tables.BUS_DAY if wanted.day == "busDate" else tables.IVC_DAY,
                partial(self.sums, wanted),
            )
            for name, wanted in _SUMS.items()
        }
        return {
            **sums,
            "getEBillUnPrintList": DoorMethod("query", tables.BY_CARD, self.of_card),
            "getNotPrintList": DoorMethod("query", tables.BY_CARD, self.not_printed),
            "getEBillPrintList": DoorMethod("query", tables.BY_CARD, self.printed),
            "getBillByBusDate": DoorMethod(
                "query", tables.BY_TIME, partial(self.by_time, medical.by_business_q)
            ),
            "getBillByIvcDate": DoorMethod(
                "query", tables.BY_TIME, partial(self.by_time, medical.by_issue_q)
            ),
        }

    # what is still to be printed
    async def of_card(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillUnPrintList`: receipts of one card that are not on paper."""
        if not call["cardNo"]:
            raise refuse("REQ_FIELD_MISSING", field="cardNo")
        return await self._unprinted(caller, call, flagged=False)

    async def not_printed(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getNotPrintList`: the same, of any card, and whether there is a detail list."""
        return await self._unprinted(caller, call, flagged=True)

    async def _unprinted(self, caller: Caller, call: Call, *, flagged: bool) -> dict[str, Any]:
        unit = self._words.unit(caller)
        bills = await self._of_cards(caller, call, unit, CARD_DAYS_MAX)
        open_ = [
            bill for bill in bills if not bill.sheet and bill.amount_fen > 0 and not bill.red_id
        ]
        page = _page(open_, call)
        calls = await self._ctx.long(medical.calls_q, unit.code, [bill.key for bill in page])
        rows = []
        for bill in page:
            said = calls.get(bill.key, {})
            row = {
                "busDate": bill.bus_at or moment(bill.issued_at),
                "busNo": bill.bus_no or bill.key,
                "billName": self._words.name(bill),
                "billBatchCode": bill.code,
                "billNo": bill.number,
                "random": bill.check_code,
                "totalAmt": format_fen(bill.amount_fen),
                "payer": bill.payer,
                "sex": said.get("sex", ""),
                "idCardNo": said.get("idCardNo", ""),
                "ivcDateTime": moment(bill.issued_at),
                "remark": said.get("remark", ""),
            }
            rows.append({**row, "listFlag": int(bool(said.get("listDetail")))} if flagged else row)
        return {"total": len(open_), "pageNo": call["pageNo"], "billList": rows}

    async def printed(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getEBillPrintList`: receipts that are on paper, of a week at most."""
        unit = self._words.unit(caller)
        bills = await self._of_cards(caller, call, unit, PRINTED_DAYS_MAX)
        found = [bill for bill in bills if bill.sheet]
        rows = []
        for bill in _page(found, call):
            code, _, sheet = bill.sheet.partition("-")
            rows.append({
                "busDate": bill.bus_at or moment(bill.issued_at),
                "placeCode": bill.place or bill.point,
                "billName": self._words.name(bill),
                "billBatchCode": code,
                "billNo": sheet,
                "relatedBillBatchCode": bill.code,
                "relatedBillNo": bill.number,
                "ivcDateTime": moment(bill.issued_at),
            })  # fmt: skip
        return {"total": len(found), "pageNo": call["pageNo"], "billList": rows}

    async def _of_cards(self, caller: Caller, call: Call, unit: Unit, days: int) -> list[Bill]:
        span = _span(call["busBgnDate"], call["busEndDate"], days)
        if call["cardNo"]:
            bills = self._ctx.store.read(medical.by_card_q, unit.code, call["cardNo"], span)
        else:
            span = _span(call["busBgnDate"], call["busEndDate"], min(days, DAYS_MAX))
            bills = await self._ctx.long(medical.by_business_q, unit.code, span)
        bills = self._narrowed(caller, unit, call, bills)
        named = {name: call[name] for name in _PATIENT if call[name]}
        if named:
            sure = bool(call["cardNo"])
            bills = await self._ctx.long(medical.of_patient_q, unit.code, bills, named, sure)
        return bills

    # everything of a time
    async def by_time(
        self, query: Callable[..., list[Bill]], caller: Caller, call: Call
    ) -> dict[str, Any]:
        """`getBillByBusDate`, `getBillByIvcDate`: receipts, or with dataType 3, 4 their sheets."""
        unit = self._words.unit(caller)
        span = _span(call["busBgnDate"], call["busEndDate"], DAYS_MAX)
        bills: list[Bill] = await self._ctx.long(query, unit.code, span)
        bills = self._narrowed(caller, unit, call, bills)
        wanted = call["dataType"]
        if wanted not in _TYPES:  # 5, blank sheets, are no receipts
            raise refuse("REQ_FIELD_VALUE", field="dataType", value=wanted,
                         allowed=" ".join(_TYPES).strip())  # fmt: skip
        if wanted in (PAPER, RED_PAPER):
            bills = [b for b in bills if b.sheet and (b.amount_fen < 0) == (wanted == RED_PAPER)]
        elif wanted:
            bills = [b for b in bills if (b.amount_fen < 0) == (wanted == RED)]
        page = _page(bills, call)
        others = [bill.red_id or bill.blue_id for bill in page]
        names = self._ctx.store.read(medical.names_q, [other for other in others if other])
        rows = [
            self._listed(caller, unit, wanted, bill, names.get(other, ("", "")))
            for bill, other in zip(page, others, strict=True)
        ]
        return {"total": len(bills), "pageNo": call["pageNo"], "billList": rows}

    def _listed(self, caller: Caller, unit: Unit, wanted: str, bill: Bill,
                other: tuple[str, str]) -> dict[str, Any]:  # fmt: skip
        names = (bill.code, bill.number, *other)
        kind = RED if bill.amount_fen < 0 else NORMAL
        if wanted in (PAPER, RED_PAPER):
            code, _, sheet = bill.sheet.partition("-")
            names, kind = (code, sheet, bill.code, bill.number), wanted
        return {
            "busDate": bill.bus_at or moment(bill.issued_at),
            "busNo": bill.bus_no or bill.key,
            "busType": _bus_type(caller, unit, bill),
            "placeCode": bill.place or bill.point,
            "billName": self._words.name(bill),
            "billBatchCode": names[0],
            "billNo": names[1],
            "random": bill.check_code,
            "totalAmt": format_fen(bill.amount_fen),
            "ivcDateTime": moment(bill.issued_at),
            "dataType": kind,
            "state": "3" if bill.red_id else "1",
            "relateBillBatchCode": names[2],
            "relateBillNo": names[3],
        }

    def _narrowed(
        self, caller: Caller, unit: Unit, call: Call, bills: Iterable[Bill]
    ) -> list[Bill]:
        """Return the bills of a busType and a placeCode, where these are given."""
        bus_type, place = call["busType"], call["placeCode"]
        if bus_type:
            bills = [bill for bill in bills if _bus_type(caller, unit, bill) == bus_type]
        if place:
            point = self._words.point(caller, place, unit)
            bills = [
                bill for bill in bills
                if (bill.place == place if bill.place else bill.point == point)
            ]  # fmt: skip
        return list(bills)

    # sums of a day
    async def sums(self, wanted: _Sum, caller: Caller, call: Call) -> dict[str, Any]:
        """`check…`: count and amount of a day, and the ranges of numbers behind them."""
        unit, day = self._words.unit(caller), call[wanted.day]
        for name in ("busType", "placeCode"):
            if wanted.place and not call[name]:
                raise refuse("REQ_FIELD_MISSING", field=name)
        span = _span(f"{day}000000000", f"{day}235959999", 1)
        query = medical.by_business_q if wanted.day == "busDate" else medical.by_issue_q
        bills: list[Bill] = await self._ctx.long(query, unit.code, span)
        bills = self._narrowed(caller, unit, call, bills)
        if wanted.reds:
            bills = [bill for bill in bills if bill.amount_fen < 0]
        runs = self._runs(caller, unit, bills)
        page = _page(runs, call)
        return {
            wanted.day: dashed(day),
            "copyNum": len(runs),
            "totalAmt": number(sum(run.amount_fen for run in page)),
            "totalNum": sum(run.count for run in page),
            "allTotalAmt": number(sum(run.amount_fen for run in runs)),
            "allTotalNum": sum(run.count for run in runs),
            "billNoList": [] if call["isReturnList"] == "0" else [run.told() for run in page],
        }

    def _runs(self, caller: Caller, unit: Unit, bills: list[Bill]) -> list[_Run]:
        """Return bills as ranges of consecutive numbers of one busType and place."""
        runs: list[_Run] = []
        named = [((_bus_type(caller, unit, b), b.place or b.point, b.code), b) for b in bills]
        for (bus_type, place, code), bill in sorted(named, key=lambda n: (n[0], n[1].number)):
            last = runs[-1] if runs else None
            if (
                last is not None
                and (last.bus_type, last.place, last.code) == (bus_type, place, code)
                and int(last.last) + 1 == int(bill.number)
            ):
                last.last = bill.number
                last.count += 1
                last.amount_fen += bill.amount_fen
            else:
                runs.append(_Run(bus_type, place, self._words.name(bill), code, bill.number,
                                 bill.number, 1, bill.amount_fen))  # fmt: skip
        return runs


@dataclass(slots=True)
class _Run:
    """Consecutive numbers of one busType, place and code."""

    bus_type: str
    place: str
    name: str
    code: str
    first: str
    last: str
    count: int
    amount_fen: int

    def told(self) -> dict[str, Any]:
        """Return a row of billNoList."""
        return {
            "busType": self.bus_type, "placeCode": self.place, "billName": self.name,
            "billBatchCode": self.code, "bgnNo": self.first, "endNo": self.last,
            "copyNum": self.count, "totalAmt": number(self.amount_fen),
        }  # fmt: skip


def _bus_type(caller: Caller, unit: Unit, bill: Bill) -> str:
    """Return the busType that was said, or the one that stands for the kind."""
    if bill.bus_type:
        return bill.bus_type
    for table in (caller.codes.kinds, KINDS):
        for code, kind in table.items():
            if kind == bill.kind and kind in unit.kinds:
                return code
    return ""


def _page(rows: list[T], call: Call) -> list[T]:
    """Return a page of at most 200 rows; pages count from 1."""
    size = min(call["pageSize"] or tables.PAGE_MAX, tables.PAGE_MAX)
    first = (max(call["pageNo"], 1) - 1) * size
    return rows[first : first + size]


def _span(first: str, last: str, days_max: int) -> Span:
    """Return a time of lists. Raises Refused HIS_RANGE."""
    try:
        begin, end = (
            datetime.strptime(f"{text[:14]}+0800", "%Y%m%d%H%M%S%z") for text in (first, last)
        )
    except ValueError:
        raise refuse("HIS_RANGE", first=first, last=last, days=days_max) from None
    if begin > end or (end - begin).days > days_max:
        raise refuse("HIS_RANGE", first=first, last=last, days=days_max)
    return Span(first, last, to_ms(begin), to_ms(end) + 999, f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}")
