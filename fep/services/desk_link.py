"""Desk methods over the link: outlook, history, batches, files by hand, the way of a receipt.

Files by hand: `link.export` gives the open batches as they are, `link.import` takes what
somebody brought as an arrival, which proves itself like every other. Both are journalled.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Any, Final

from fep.crypto import sm3
from fep.domain.calendar import day_of
from fep.domain.faults import Refused, refuse
from fep.domain.link_budget import MS_PER_HOUR
from fep.domain.stock import LOOK_BACK_DAYS
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.desk_fence import DAY_MS, forecasts_q
from fep.services.ferry import Full
from fep.store import queries_link
from fep.store.queries_stock import stock_q
from fep.store.stock import busiest_q
from fep.store.tx import Tx
from fep.wire.fpb import Kind, Reason, Unreadable, read_header
from fep.wire.fpb_name import BatchName, node8
from fep.wire.fpb_text import TEXT_MAX_BYTES, undress

LISTED_MAX: Final = 500
EXPORT_FILES: Final = 2  # at most 4 MiB each, in one answer of at most 16 MiB

UNFIT: Final = {
    Reason.TRUNCATED: "不是批次文件，或没有拷贝完整",
    Reason.BAD_SIGNATURE: "签名不符，不是平台所发或已被改动",
    Reason.VERSION: "版本不同", Reason.TOO_BIG: "太大", Reason.RECEIVER: "不是给本机的",
}  # fmt: skip


class BatchesParams(Params):
    """Which batches."""

    closed: bool = False
    limit: int = 100


class HistoryParams(Params):
    """How much history."""

    limit: int = 50


class ExportParams(Params):
    """Open batches after an id; the reason is asked for with the first page."""

    reason: str
    after: int = 0


class ImportParams(Params):
    """A file somebody brought, base64; `ack` takes answers only."""

    content: str
    reason: str
    ack: bool = False


class WayParams(Params):
    """A receipt."""

    code: str
    number: str


async def outlook(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return how long the backlog, the numbers and the offline quota will last."""
    stocks = await ctx.read(stock_q, ctx.now_ms())
    told = await ctx.read(forecasts_q, stocks, ctx.now_ms())
    days = [row["days"] for row in told if row["days"] is not None]
    empty_s = None
    if ctx.uplink is not None:
        status = ctx.uplink.status()
        if not status.backlog:
            empty_s = 0
        elif status.moving and status.applied_per_s > 0:
            empty_s = round(status.backlog / status.applied_per_s)
    return {
        "empty_in_s": empty_s,
        "numbers_days": min(days, default=None),
        "quota_days": await _quota_days(ctx),
    }


async def _quota_days(ctx: DeskContext) -> float | None:
    """Return for how many days the nearest limit lasts at the busiest rate, None without one."""
    if ctx.budget is None:
        return None
    limits, use = ctx.budget.limits, ctx.budget.use()
    since_on = day_of(ctx.now_ms() - LOOK_BACK_DAYS * DAY_MS)
    count, fen = await ctx.read(busiest_q, since_on)
    parts = (
        (limits.hours and limits.hours * MS_PER_HOUR, use.offline_ms, DAY_MS),
        (limits.count, use.count, count),
        (limits.amount_fen, use.amount_fen, fen),
    )
    days = [max(0, limit - used) / a_day for limit, used, a_day in parts
            if limit is not None and a_day]  # fmt: skip
    return round(min(days), 1) if days else None


async def history(ctx: DeskContext, asked: HistoryParams) -> dict[str, Any]:
    """Return the newest changes of the link."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    return {"history": await ctx.read(queries_link.history_q, limit)}


async def batches(ctx: DeskContext, asked: BatchesParams) -> dict[str, Any]:
    """Return the batches that wait for an answer, or the newest of all."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    rows = await ctx.read(queries_link.batches_q, closed=asked.closed, limit=limit)
    return {"batches": [asdict(row) for row in rows]}


async def export(ctx: DeskContext, asked: ExportParams) -> dict[str, Any]:
    """Return open batches as files, to be carried by hand."""
    store = ctx.writer("link export")
    link = ctx.settings.link
    reason = stated(asked.reason)
    rows = await ctx.read(queries_link.content_q, link.dest, asked.after, EXPORT_FILES)
    files = []
    for row, content in rows:
        name = BatchName(
            node8(ctx.settings.node.id), row.epoch, row.channel, row.seq, max(1, row.tries),
            link.ext,
        )  # fmt: skip
        files.append({"id": row.id, "name": name.text(), "sm3": sm3.digest(content).hex(),
                      "content": base64.b64encode(content).decode()})  # fmt: skip
    if files:
        names = [file["name"] for file in files]
        body = {"by": ctx.peer, "names": names, "reason": reason}
        await store.do("link.exported", _note_txn, "link.exported", link.dest, body)
    return {"files": files, "more": len(rows) == EXPORT_FILES}


async def bring(ctx: DeskContext, asked: ImportParams) -> dict[str, Any]:
    """Take a file that somebody brought as an arrival. Raises Refused LINK_FILE."""
    store = ctx.writer("link import")
    reason = stated(asked.reason)
    if ctx.uplink is None:
        raise refuse("LINK_UNKNOWN", dest=ctx.settings.link.dest)
    content = _decoded(asked.content)
    try:
        header = read_header(content)
    except Unreadable as error:
        raise _unfit(error) from error
    if header.receiver != ctx.settings.node.id:
        raise refuse("LINK_FILE", why=f"it is for {header.receiver}",
                     why_zh=f"它是给 {header.receiver} 的")  # fmt: skip
    if asked.ack and header.kind is not Kind.ACK:
        kind = header.kind.name
        raise refuse("LINK_FILE", why=f"it is {kind}, not ACK",
                     why_zh=f"它是 {kind}，不是回执，请用 fepctl link import")  # fmt: skip
    try:
        name = await ctx.uplink.bring(content)
    except Unreadable as error:
        raise _unfit(error) from error
    except (Full, OSError) as error:
        raise refuse("LINK_FILE", why=str(error), why_zh=str(error)) from error
    body = {"by": ctx.peer, "kind": header.kind.name, "name": name, "reason": reason,
            "sm3": sm3.digest(content).hex()}  # fmt: skip
    await store.do("link.imported", _note_txn, "link.imported", ctx.settings.link.dest, body)
    return {"name": name, "kind": header.kind.name, "channel": header.channel, "seq": header.seq}


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refuse("LINK_FILE", why="not base64", why_zh="不是 base64") from error
    if len(raw) > TEXT_MAX_BYTES:
        raise refuse("LINK_FILE", why="too big", why_zh=UNFIT[Reason.TOO_BIG])
    return undress(raw)


def _unfit(error: Unreadable) -> Refused:
    return refuse("LINK_FILE", why=str(error), why_zh=UNFIT.get(error.reason, str(error)))


async def way(ctx: DeskContext, asked: WayParams) -> dict[str, Any]:
    """Return where a receipt is on its way to the platform. Raises Refused RCP_UNKNOWN."""
    found = await ctx.read(queries_link.way_q, asked.code, asked.number)
    if found is None:
        raise refuse("RCP_UNKNOWN", ref=f"{asked.code}-{asked.number}")
    return asdict(found)


def _note_txn(tx: Tx, op: str, ref: str, body: dict[str, object]) -> None:
    tx.journal(op, ref, body)


METHODS: dict[str, Method] = {
    "link.outlook": Method("admin", None, outlook),
    "link.history": Method("admin", HistoryParams, history),
    "link.batches": Method("admin", BatchesParams, batches),
    "link.export": Method("admin", ExportParams, export, changes=True),
    "link.import": Method("admin", ImportParams, bring, changes=True),
    "link.way": Method("admin", WayParams, way),
}
