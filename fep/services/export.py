"""Exports of receipts, slice by slice: `receipt.export` for callers, `receipts.csv` for the desk.

Rows are texts; whoever writes the file chooses its encoding and tells what that lacks. Names
are masked unless a reason is given, and that is journalled. Slices are read in a thread.
"""

from __future__ import annotations

from typing import Any

from fep.domain.faults import refuse
from fep.services import schemas_api as shapes
from fep.services.callers import Caller
from fep.services.desk_context import DeskContext, Params
from fep.services.desk_context import Method as DeskMethod
from fep.services.methods import Method
from fep.services.window_find import Aside, is_day
from fep.store import export
from fep.store.find import Query
from fep.store.writer import Store
from fep.wire.fields import Fields


class Exports:
    """Exports for business systems."""

    def __init__(self, store: Store, aside: Aside) -> None:
        self._store = store
        self._aside = aside

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "receipt.export": Method(
                "query", self.export, "receipts of a period as rows, in slices",
                shapes.ExportAsked, shapes.ExportTold,
            )
        }  # fmt: skip

    async def export(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`receipt.export {from, to, unit?, unmask?, cursor?}`: oldest first."""
        fields = Fields(params)
        first, last = fields.text("from", 10, required=True), fields.text("to", 10, required=True)
        unit, reason = fields.text("unit", 40), fields.text("unmask", 200)
        cursor = max(fields.take("cursor", int, 0), 0)
        fields.done()
        if unit:
            caller.scope(unit)
        query = _query(first, last, unit, caller.units)
        if reason:
            who = caller.who or caller.appid
            await self._store.do("unmask", _unmasked_txn, f"{first}/{last}", who, reason)
        return told(await self._aside(_slice_q, query, cursor, bool(reason)))


class CsvParams(Params):
    """receipts.csv: business dates YYYY-MM-DD; `cursor` is that of the slice before."""

    from_on: str
    to_on: str
    unit: str = ""
    cursor: int = 0
    unmask: int = 0


async def csv(ctx: DeskContext, asked: CsvParams) -> dict[str, Any]:
    """Return a slice of the receipts of a period."""
    plain = ctx.unmasked(asked.unmask)
    query = _query(asked.from_on, asked.to_on, asked.unit, frozenset({"*"}))
    return told(await ctx.read(_slice_q, query, max(asked.cursor, 0), plain))


METHODS: dict[str, DeskMethod] = {"receipts.csv": DeskMethod("admin", CsvParams, csv)}


def told(found: export.Slice) -> dict[str, Any]:
    """Return a slice as JSON members; `money` are the columns that are amounts."""
    return {
        "columns": list(export.COLUMNS), "money": list(export.MONEY), "rows": found.rows,
        "cursor": found.cursor,
    }  # fmt: skip


def _query(first: str, last: str, unit: str, units: frozenset[str]) -> Query:
    """Return what a period asks for. Raises Refused EXPORT_PERIOD."""
    if not (is_day(first) and is_day(last) and first <= last):
        raise refuse("EXPORT_PERIOD", first=first, last=last)
    return Query(unit=unit, day_from=first, day_to=last, units=units)


def _slice_q(conn: Any, query: Query, after: int, plain: bool) -> export.Slice:
    return export.slice_q(conn, query, after, plain=plain)


def _unmasked_txn(tx: Any, what: str, who: str, reason: str) -> None:
    tx.journal("system.unmasked", f"receipt.export {what}", {"who": who, "reason": reason})
