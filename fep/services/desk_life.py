"""Desk methods over the life of receipts: blocks of sheets, deliveries that were refused.

What a business system may do as well (receipt.reverse, paper.exchange, print.again …) the
command line asks of the window itself; what it only looks at, it sees on a stopped site too.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

import msgspec

from fep.domain.faults import refuse
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.desk_receipts import named
from fep.services.desk_stock import Limited
from fep.store import deliveries, life, queries_sheets, sheets
from fep.store.sheets import SheetGrant, import_txn

LISTED_MAX = 500
SHEETS_MAX = 200


class SheetsParams(Params):
    """paper.import: a range of paper sheets for one point, with the approval that allows it."""

    unit: str
    point: str
    code: str
    first: str
    last: str
    approval: str
    reason: str


class PlaceParams(Params):
    """sheets.next: a unit and a point."""

    unit: str
    point: str


class SheetListParams(Params):
    """sheets.list: `after` is the last sheet of the page before."""

    unit: str
    point: str = ""
    state: Literal["", "used", "void"] = ""
    after: str = ""
    limit: int = 50


class SheetParams(Params):
    """sheets.show: a sheet by its name, code-number."""

    unit: str
    sheet: str


class RefusedParams(Params):
    """A refused delivery by the name of its receipt or sheet, and why it is dealt with so."""

    name: str
    reason: str


class NamedParams(Params):
    """A receipt by its name, code-number."""

    name: str


async def import_sheets(ctx: DeskContext, asked: SheetsParams) -> dict[str, Any]:
    """Take a block of paper sheets in; the same block twice is harmless."""
    reason = stated(asked.reason)
    if not asked.approval.strip():
        raise refuse("REQ_FIELD_MISSING", field="approval")
    if not asked.point:
        raise refuse("REQ_FIELD_MISSING", field="point")
    _known(ctx, asked.unit, asked.point)
    evidence = msgspec.json.encode(
        {"approval": asked.approval.strip()[:200], "reason": reason, "who": ctx.peer}
    ).decode()
    grant = SheetGrant(asked.unit, asked.point, asked.code, asked.first, asked.last, evidence)
    new = await ctx.writer("paper import").do("paper.import", import_txn, grant)
    return {
        "new": new, "unit": asked.unit, "point": asked.point, "code": asked.code,
        "first": asked.first, "last": asked.last,
        "count": int(asked.last) - int(asked.first) + 1,
    }  # fmt: skip


async def next_sheet(ctx: DeskContext, asked: PlaceParams) -> dict[str, Any]:
    """Return the sheet a point uses next, and how many are left."""
    _known(ctx, asked.unit, asked.point)
    name = await ctx.read(sheets.next_q, asked.unit, asked.point)
    return {"sheet": name, "left": await ctx.read(queries_sheets.left_q, asked.unit, asked.point)}


async def list_sheets(ctx: DeskContext, asked: SheetListParams) -> dict[str, Any]:
    """Return the sheets that are used or void, by name, ascending."""
    _known(ctx, asked.unit, asked.point)
    limit = max(1, min(asked.limit, SHEETS_MAX))
    return await ctx.read(
        queries_sheets.list_q, asked.unit, asked.point, asked.state, asked.after, limit
    )


async def show_sheet(ctx: DeskContext, asked: SheetParams) -> dict[str, Any]:
    """Return one sheet and its receipt."""
    return {"sheet": await ctx.read(queries_sheets.told_q, asked.unit, asked.sheet)}


def _known(ctx: DeskContext, unit: str, point: str) -> None:
    """Refuse a place that is not configured; a site whose configuration is wrong has none."""
    if ctx.settings is None:
        return
    if unit not in ctx.units:
        raise refuse("CFG_UNIT", unit=unit)
    if point and point not in {each.code for each in ctx.settings.units[unit].points}:
        raise refuse("CFG_POINT", unit=unit, point=point)


async def list_blocks(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return the blocks of sheets with what was used and voided of them."""
    return {"blocks": [asdict(row) for row in await ctx.read(queries_sheets.blocks_q)]}


async def list_refused(ctx: DeskContext, asked: Limited) -> dict[str, Any]:
    """Return deliveries that the platform refused and nobody has dealt with."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    return {"refused": [asdict(row) for row in await ctx.read(queries_sheets.refusals_q, limit)]}


async def accept_refused(ctx: DeskContext, asked: RefusedParams) -> dict[str, Any]:
    """Close a refused delivery: somebody has taken note and will not send it again."""
    store, reason = ctx.writer("receipts accept"), stated(asked.reason)
    done = await store.do("delivery.accept", deliveries.accept_txn, asked.name, reason, ctx.peer)
    return {"closed": [asdict(row) for row in done]}


async def retry_refused(ctx: DeskContext, asked: RefusedParams) -> dict[str, Any]:
    """Send a refused delivery again, as a new record."""
    store, reason = ctx.writer("receipts retry"), stated(asked.reason)
    done = await store.do("delivery.retry", deliveries.retry_txn, asked.name, reason, ctx.peer)
    return {"again": [asdict(row) for row in done]}


async def show_life(ctx: DeskContext, asked: NamedParams) -> dict[str, Any]:
    """Return where a receipt stands, with every mark and every sheet it had."""
    code, number = named(asked.name)
    found = await ctx.read(life.named_q, code, number)
    if found is None:
        raise refuse("RCP_UNKNOWN")
    papers = await ctx.read(queries_sheets.of_receipt_q, found.receipt.unit, code, number)
    marks = [asdict(mark) for mark in found.marks]
    return {"name": asked.name, "life": found.told(), "sheets": papers, "marks": marks}


METHODS: dict[str, Method] = {
    "paper.import": Method("admin", SheetsParams, import_sheets, changes=True),
    "paper.blocks": Method("admin", None, list_blocks),
    "sheets.next": Method("admin", PlaceParams, next_sheet),
    "sheets.list": Method("admin", SheetListParams, list_sheets),
    "sheets.show": Method("admin", SheetParams, show_sheet),
    "receipts.rejected": Method("admin", Limited, list_refused),
    "receipts.accept": Method("admin", RefusedParams, accept_refused, changes=True),
    "receipts.retry": Method("admin", RefusedParams, retry_refused, changes=True),
    "receipts.life": Method("admin", NamedParams, show_life),
}
