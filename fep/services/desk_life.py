"""Desk methods over the life of receipts: blocks of sheets, deliveries that were refused.

What a business system may do as well (receipt.reverse, paper.exchange, print.again …) the
command line asks of the window itself.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from fep.domain.faults import refuse
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.desk_receipts import named
from fep.services.desk_stock import Limited
from fep.store import deliveries, life, queries_sheets
from fep.store.sheets import SheetGrant, import_txn

LISTED_MAX = 500


class SheetsParams(Params):
    """paper.import: a range of paper sheets for one point, with the approval that allows it."""

    unit: str
    point: str
    code: str
    first: str
    last: str
    approval: str
    reason: str


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
    if asked.unit not in ctx.units:
        raise refuse("CFG_UNIT", unit=asked.unit)
    if asked.point not in {point.code for point in ctx.settings.units[asked.unit].points}:
        raise refuse("CFG_POINT", unit=asked.unit, point=asked.point)
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
    sheets = await ctx.read(queries_sheets.of_receipt_q, found.receipt.unit, code, number)
    marks = [asdict(mark) for mark in found.marks]
    return {"name": asked.name, "life": found.told(), "sheets": sheets, "marks": marks}


METHODS: dict[str, Method] = {
    "paper.import": Method("admin", SheetsParams, import_sheets, changes=True),
    "paper.blocks": Method("admin", None, list_blocks),
    "receipts.rejected": Method("admin", Limited, list_refused),
    "receipts.accept": Method("admin", RefusedParams, accept_refused, changes=True),
    "receipts.retry": Method("admin", RefusedParams, retry_refused, changes=True),
    "receipts.life": Method("admin", NamedParams, show_life),
}
