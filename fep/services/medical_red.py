"""Reversal and paper through the medical dialect.

A reversal has no key in this dialect, so it has the name of its blue receipt: called twice at
once it is one red receipt, called again it is answered with the words that clients look for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fep.domain.faults import Refused, refuse
from fep.domain.kind import Unit
from fep.domain.life import Life
from fep.domain.receipt import Receipt
from fep.services.callers import Caller
from fep.services.his_context import HisContext
from fep.services.medical_door import Call, DoorMethod
from fep.services.medical_words import Words
from fep.store import medical, queries_sheets, receipts, sheets
from fep.store.issuing import Rider
from fep.store.life import Standing, standing_q
from fep.wire.dialects import medical_methods as tables
from fep.wire.dialects.medical_envelope import DONE

AGAIN = "重新换开"
REASON_MAX = 200  # what a red receipt has room for; sheets are voided with up to 250


class Reds:
    """The methods of refunds and paper."""

    def __init__(self, ctx: HisContext, words: Words) -> None:
        self._ctx = ctx
        self._words = words

    def methods(self) -> dict[str, DoorMethod]:
        """Return the table of these methods."""
        return {
            "writeOffEBill": DoorMethod("reverse", tables.WRITE_OFF, self.write_off),
            "writeOffEBillToPaper": DoorMethod(
                "reverse", tables.WRITE_OFF_TO_PAPER, self.write_off_to_paper
            ),
            "getPaperBillNo": DoorMethod("query", tables.NEXT_SHEET, self.next_sheet),
            "turnPaper": DoorMethod("print", tables.TURN, self.turn),
            "reTurnPaper": DoorMethod("print", tables.TURN, self.turn_again),
            "invalidPaper": DoorMethod("reverse", tables.VOID_SHEET, self.void_sheet),
            "invalidBlankBillNo": DoorMethod("print", tables.VOID_BLANKS, self.void_blanks),
        }

    # reversal
    async def write_off(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`writeOffEBill`: reverse a receipt as a whole."""
        standing = self._words.standing(caller, call["billBatchCode"], call["billNo"])
        return await self._reverse(caller, call, standing, who=call["operator"])

    async def _reverse(self, caller: Caller, call: Call, standing: Standing, *, who: str,
                       force: bool = False) -> dict[str, Any]:  # fmt: skip
        blue = standing.receipt
        if standing.life is Life.REVERSED:
            red = standing.red.ref if standing.red is not None else ""
            raise refuse("LIFE_REVERSED", receipt=blue.ref, red=red)
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit)
        key = red_key(blue)
        bus_no, bus_type = self._said(blue)

        def beside(rider: Rider) -> Rider:
            return medical.Said(
                unit.code, key, True, bus_no, bus_type, call["busDateTime"], call["placeCode"],
                "", medical.packed({}), rider,
            )  # fmt: skip

        params = {
            "unit": unit.code, "key": key, "code": blue.code, "number": blue.number,
            "reason": call["reason"][:REASON_MAX], "operator": who, "point": point, "force": force,
            "occurred_at": call["busDateTime"],
        }  # fmt: skip
        done = await self._ctx.reversals.reverse(caller, params, beside)
        told = done["receipt"]
        red_receipt = self._ctx.store.read(
            receipts.by_number_q, str(told["code"]), str(told["number"])
        )
        assert red_receipt is not None, told
        return self._words.scarlet(caller, red_receipt, call["busDateTime"], bus_no)

    def _said(self, blue: Receipt) -> tuple[str, str]:
        """Return busNo and busType of a blue receipt; its key is the busNo of other doors."""
        kept = self._ctx.store.read(medical.kept_q, blue.unit, blue.key)
        return (kept.bus_no, kept.bus_type) if kept is not None else (blue.key, "")

    async def write_off_to_paper(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`writeOffEBillToPaper`: the blue sheet is in somebody's books and stays there; the red
        receipt goes on a sheet of its own."""
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit)
        standing = self._words.standing(caller, call["billBatchCode"], call["billNo"])
        code = call["pBillBatchCode"]
        wanted = self._sheet(unit.code, point, code, call["pBillNo"])
        if standing.life is not Life.REVERSED:
            if wanted != self._ctx.store.read(sheets.next_q, unit.code, point, code):
                raise refuse("PAPER_UNKNOWN", sheet=wanted, unit=unit.code, point=point)
            await self._void_of(
                caller, standing, f"已入账，另开红字纸质票 {wanted}", call["operator"]
            )
            await self._reverse(caller, call, standing, who=call["operator"], force=True)
        red = self._standing_again(standing).red
        assert red is not None, standing.receipt.ref
        held = self._ctx.store.read(standing_q, red).sheet
        if held:
            raise refuse("LIFE_REVERSED", receipt=standing.receipt.ref, red=red.ref)
        await self._ctx.paper.exchange(caller, {
            "unit": unit.code, "point": point, "code": red.code, "number": red.number,
            "sheet": wanted, "operator": call["operator"], "reason": call["reason"][:REASON_MAX],
            "print": _form_wanted(unit, point),
        })  # fmt: skip
        bus_no, _ = self._said(standing.receipt)
        return self._words.scarlet(caller, red, call["busDateTime"], bus_no)

    def _standing_again(self, standing: Standing) -> Standing:
        return self._ctx.store.read(standing_q, standing.receipt)

    async def _void_of(self, caller: Caller, standing: Standing, reason: str, who: str) -> None:
        """Void the sheet of a receipt, where it has one, at the point whose block it is of."""
        if standing.sheet:
            unit = standing.receipt.unit
            told = self._ctx.store.read(queries_sheets.told_q, unit, standing.sheet)
            await self._ctx.paper.void(caller, {
                "unit": unit, "point": told["point"], "first": standing.sheet,
                "reason": reason, "operator": who,
            })  # fmt: skip

    # paper
    async def next_sheet(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`getPaperBillNo`: a look at the next sheet, which stays where it is."""
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit)
        wanted = call["pBillBatchCode"]
        blocks = self._ctx.store.read(queries_sheets.blocks_q)
        if wanted and not any((b.unit, b.code) == (unit.code, wanted) for b in blocks):
            raise refuse("HIS_SHEETS", code=wanted)  # another front-end may have such sheets
        told = self._ctx.paper.next(
            caller, {"unit": unit.code, "point": point, "sheet_code": wanted}
        )
        code, _, number = str(told["sheet"]).partition("-")
        return {"pBillBatchCode": code, "pBillNo": number}

    async def turn(self, caller: Caller, call: Call) -> str:
        """`turnPaper`: bind a receipt to the next sheet, and print it there where the point
        says so; called again it finds that form job."""
        await self._ctx.paper.exchange(caller, self.exchange_of(caller, call))
        return DONE

    async def turn_again(self, caller: Caller, call: Call) -> str:
        """`reTurnPaper`: void the sheet of a receipt and bind it to the next one."""
        asked = {**self.exchange_of(caller, call), "reason": AGAIN}
        await self._ctx.paper.reexchange(caller, asked)
        return DONE

    def exchange_of(self, caller: Caller, call: Call) -> dict[str, Any]:
        """Return what `paper.exchange` takes for a `turnPaper`. Raises Refused RCP_UNKNOWN."""
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit)
        self._words.standing(caller, call["billBatchCode"], call["billNo"])
        return {
            "unit": unit.code, "point": point, "code": call["billBatchCode"],
            "number": call["billNo"], "operator": call["operator"],
            "sheet": self._sheet(unit.code, point, call["pBillBatchCode"], call["pBillNo"]),
            "print": _form_wanted(unit, point),
        }  # fmt: skip

    def _sheet(self, unit: str, point: str, code: str, number: str) -> str:
        """Return the name of a sheet; a HIS may write its number with fewer or more zeros."""
        given = f"{code}-{number}"
        try:
            following = self._ctx.store.read(sheets.next_q, unit, point, code)
        except Refused:
            return given
        width = len(following.partition("-")[2])
        digits = number.lstrip("0")
        if not number.isdigit() or len(digits) > width:
            return given
        return f"{code}-{digits.zfill(width)}"

    async def void_sheet(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`invalidPaper`: void the sheet, then reverse its receipt; each may be repeated."""
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit)
        name = self._sheet(unit.code, point, call["pBillBatchCode"], call["pBillNo"])
        row = self._ctx.store.read(sheets.sheet_q, name)
        receipt = (
            self._ctx.store.read(receipts.by_id_q, row.receipt_id)
            if row is not None and row.receipt_id
            else None
        )
        if receipt is None or receipt.unit != unit.code:
            raise refuse("PAPER_UNKNOWN", sheet=name, unit=unit.code, point=point)
        standing = self._words.standing(caller, receipt.code, receipt.number)
        if standing.life is Life.REVERSED:
            raise refuse("LIFE_REVERSED", receipt=receipt.ref, red="")
        if standing.sheet and standing.sheet != name:
            raise refuse("PAPER_VOID", sheet=name)  # another one took its place
        await self._void_of(caller, standing, call["reason"][:REASON_MAX], call["author"])
        standing = replace(standing, sheet="")
        return await self._reverse(caller, call, standing, who=call["author"])

    async def void_blanks(self, caller: Caller, call: Call) -> str:
        """`invalidBlankBillNo`: void sheets that were never used."""
        unit = self._words.unit(caller)
        point = self._words.point(caller, call["placeCode"], unit)
        first, last = (
            self._sheet(unit.code, point, call["pBillBatchCode"], call[end])
            for end in ("pBillNoStart", "pBillNoEnd")
        )
        self._only_blanks(unit.code, first, last)
        await self._ctx.paper.void(caller, {
            "unit": unit.code, "point": point, "first": first, "last": last,
            "reason": call["reason"][:REASON_MAX], "operator": call["author"],
        })  # fmt: skip
        return DONE

    def _only_blanks(self, unit: str, first: str, last: str) -> None:
        """Refuse a range that holds a used sheet. Raises Refused PAPER_USED."""
        code, _, low = first.rpartition("-")
        high = last.rpartition("-")[2]
        used = self._ctx.store.read(queries_sheets.used_within_q, unit, code, low, high)
        if used:
            raise refuse("PAPER_USED", sheet=used)


def _form_wanted(unit: Unit, point: str) -> bool:
    """Say whether the sheets of a point are printed here, and not by the HIS."""
    return any(one.code == point and one.form_policy == "auto" for one in unit.points)


def red_key(blue: Receipt) -> str:
    """Return the key of the reversal of a receipt that came without one."""
    return f"red-{blue.ref}"
