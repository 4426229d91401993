"""Desk methods that take receipts of a former front-end in: looked at, staged, then live at once.

The command line reads the file; a slice is small enough for one transaction beside the
cashiers'. Nothing is seen before the last step, and nothing is left when it does not come.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fep.domain.faults import refuse
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.store import imports
from fep.store.imports import OldReceipt

SLICE_MAX = 2000


class RowParams(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One receipt of the file."""

    unit: str
    code: str
    number: str
    key: str
    check_code: str
    payer: str
    amount_fen: int
    issued_at: int
    state: str
    more: dict[str, str]


Rows = Annotated[list[RowParams], Meta(max_length=SLICE_MAX)]


class CheckParams(Params):
    """imports.check: would these be new?"""

    rows: Rows


class BeginParams(Params):
    """imports.begin: SM3 of the file, hex."""

    file_sm3: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class PutParams(Params):
    """imports.put: a slice of the file."""

    id: int
    rows: Rows


class LiveParams(Params):
    """imports.live: how many receipts and fen were put in all, and why."""

    id: int
    count: int
    amount_fen: int
    reason: str


async def check(ctx: DeskContext, asked: CheckParams) -> dict[str, Any]:
    """Say how many are new, and which are in the way."""
    fresh, conflicts = await ctx.read(imports.sorted_q, _rows(ctx, asked.rows))
    return {"new": len(fresh), "conflicts": conflicts}


async def begin(ctx: DeskContext, asked: BeginParams) -> dict[str, Any]:
    """Open a staging import, and clear away what others left."""
    store = ctx.writer("receipts import")
    opened = await store.do("imports.begin", imports.begin_txn, asked.file_sm3)
    while await store.do("imports.sweep", imports.sweep_txn):
        continue
    return {"id": opened}


async def put(ctx: DeskContext, asked: PutParams) -> dict[str, Any]:
    """Stage a slice."""
    rows = _rows(ctx, asked.rows)
    store = ctx.writer("receipts import")
    return dict(await store.do("imports.put", imports.put_txn, asked.id, rows))


async def live(ctx: DeskContext, asked: LiveParams) -> dict[str, Any]:
    """Let the whole file be found, in one transaction."""
    reason, store = stated(asked.reason), ctx.writer("receipts import")
    count = await store.do("imports.live", imports.live_txn, asked.id, asked.count,
                           asked.amount_fen, reason, ctx.peer)  # fmt: skip
    if ctx.people is not None and ctx.people.former is not None:
        ctx.people.former.any = True
    return {"id": asked.id, "count": count}


async def list_imports(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return the files that were taken in."""
    return {"imports": await ctx.read(imports.imports_q)}


class FindParams(Params):
    """imports.find: code-number, number or event key."""

    text: str
    unmask: int = 0


async def find(ctx: DeskContext, asked: FindParams) -> dict[str, Any]:
    """Return imported receipts; payers are masked."""
    shown = ctx.unmasked(asked.unmask)
    found = [asdict(one) for one in await ctx.read(imports.find_q, asked.text, imports.FOUND_MAX)]
    for one in found:
        one["more"] = dict(one["more"])
        if not shown:
            one["payer"] = one["payer"][:1] + "*" * max(len(one["payer"]) - 1, 0)
    return {"receipts": found}


def _rows(ctx: DeskContext, rows: list[RowParams]) -> list[OldReceipt]:
    for row in rows:
        if row.unit not in ctx.units:
            raise refuse("CFG_UNIT", unit=row.unit)
    return [
        OldReceipt(row.unit, row.code, row.number, row.key, row.check_code, row.payer,
                   row.amount_fen, row.issued_at, row.state,
                   tuple((name, text) for name, text in row.more.items() if text))
        for row in rows
    ]  # fmt: skip


METHODS: dict[str, Method] = {
    "imports.check": Method("admin", CheckParams, check),
    "imports.begin": Method("admin", BeginParams, begin, changes=True),
    "imports.put": Method("admin", PutParams, put, changes=True),
    "imports.live": Method("admin", LiveParams, live, changes=True),
    "imports.list": Method("admin", None, list_imports),
    "imports.find": Method("admin", FindParams, find),
}
