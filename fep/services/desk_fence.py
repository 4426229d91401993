"""Desk methods over fence, clock, the audit of numbers, and blocks that end or open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from fep.domain.calendar import day_of
from fep.domain.faults_desk import desk_refuse
from fep.domain.stock import LOOK_BACK_DAYS, forecast
from fep.services.desk_context import DeskContext, Method, Params, Reason, stated
from fep.store import stock as blocks
from fep.store.audit import AuditWalk
from fep.store.fencing import EPOCH, INSTANCE, meta_q
from fep.store.queries_stock import Stock, stock_q

DAY_MS = 86_400_000
STEP_S = 1.0
FINDINGS_TOLD = 100


class LiftParams(Params):
    """fence.lift: why, and the two people who approve."""

    reason: str
    approve: tuple[str, ...]


class BlockParams(Params):
    """numbers.return and numbers.open_reserve: which block, and why."""

    code: str
    first: str
    reason: str


class AuditParams(Params):
    """numbers.audit: 0 begins one, else the number that the last call gave."""

    audit: int = 0


# fence
async def fence_status(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return whether and why issuing is fenced, and who this store is."""
    fault = ctx.fence.fault if ctx.fence is not None else None
    return {
        "fenced": ctx.issue.fenced if ctx.issue is not None else "",
        "fault": None if fault is None else {"code": fault.code, "zh": fault.zh, "en": fault.en},
        **await ctx.read(_named_q),
        "witness": str(ctx.settings.node.witness) if ctx.settings is not None else "",
    }


def _named_q(conn: Connection) -> dict[str, Any]:
    return {"instance": meta_q(conn, INSTANCE), "epoch": int(meta_q(conn, EPOCH) or 0)}


async def fence_lift(ctx: DeskContext, asked: LiftParams) -> dict[str, Any]:
    """Burn every open block and issue again, on the word of two people."""
    reason = stated(asked.reason)
    if ctx.fence is None:
        raise desk_refuse("CTL_STOPPED", verb="fence lift")
    done = await ctx.fence.lift(reason, ctx.peer, asked.approve)
    return {"lifted": asdict(done)}


# clock
async def clock_status(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return our time beside the platform's, and the steps since the start."""
    now_ms = ctx.now_ms()
    offset = ctx.uplink.offset_ms() if ctx.uplink is not None else None
    watch = ctx.clockwatch
    fault = watch.fault if watch is not None else None
    step = watch.last_step if watch is not None else None
    return {
        "now": now_ms,
        "platform": None if offset is None else now_ms + offset,
        "offset_ms": offset,
        "steps": watch.steps if watch is not None else 0,
        "last_step": None if step is None else {"at": step[0], "ms": step[1]},
        "fault": None if fault is None else {"code": fault.code, "zh": fault.zh, "en": fault.en},
    }


async def clock_confirm(ctx: DeskContext, asked: Reason) -> dict[str, Any]:
    """Take a person's word that the clock is right; issuing goes on."""
    reason = stated(asked.reason)
    if ctx.clockwatch is None:
        raise desk_refuse("CTL_STOPPED", verb="clock confirm")
    return {"confirmed": await ctx.clockwatch.confirm(reason, ctx.peer)}


# numbers
async def return_block(ctx: DeskContext, asked: BlockParams) -> dict[str, Any]:
    """Give the rest of a block back: it gives no number any more."""
    reason = stated(asked.reason)
    store = ctx.writer("numbers return")
    dests = {unit.code: unit.dest for unit in ctx.settings.units.values()}
    ended = await store.do(
        "numbers.return", blocks.return_txn, asked.code, asked.first, reason, ctx.peer, dests
    )
    return {"returned": asdict(ended)}


async def open_reserve(ctx: DeskContext, asked: BlockParams) -> dict[str, Any]:
    """Open a sealed reserve block."""
    reason = stated(asked.reason)
    store = ctx.writer("numbers open-reserve")
    opened = await store.do(
        "numbers.open", blocks.open_reserve_txn, asked.code, asked.first, reason, ctx.peer
    )
    ctx.numbers_came()
    return {"opened": asdict(opened)}


async def audit(ctx: DeskContext, asked: AuditParams) -> dict[str, Any]:
    """Prove that every number is in exactly one state; each call does about a second of it."""
    number = asked.audit
    if number not in ctx.audits:  # one at a time is enough: a new one takes the place of the old
        number = max(ctx.audits, default=0) + 1
        ctx.audits.clear()
        ctx.audits[number] = AuditWalk()
    walk, until_s = ctx.audits[number], ctx.clock.mono() + STEP_S
    while not walk.done and ctx.clock.mono() < until_s:
        await ctx.read(walk.step)
    told: dict[str, Any] = {
        "audit": number, "done": walk.done, "part": walk.part.value,
        "receipts": walk.receipts, "burns": walk.burns, "records": walk.records,
    }  # fmt: skip
    if walk.done:
        told |= await ctx.aside(_verdict, walk)
        ctx.audits[number] = AuditWalk()  # its rows need not be kept
    return told


def _verdict(walk: AuditWalk) -> dict[str, Any]:
    totals = walk.audit.verdict()
    wrong = [key for key, row in totals.items() if row.accounted != row.granted]
    return {
        "good": not walk.audit.found and not wrong,
        "stock": [
            {"unit": unit, "code": code, **asdict(row), "accounted": row.accounted}
            for (unit, code), row in sorted(totals.items())
        ],
        "found": walk.audit.found + len(wrong),
        "findings": [str(each) for each in walk.audit.findings[:FINDINGS_TOLD]]
        + [f"{unit} {code} does not add up" for unit, code in wrong],
        "evidence": [asdict(told) for told in walk.told],
    }


def forecasts_q(conn: Connection, stocks: list[Stock], now_ms: int) -> list[dict[str, Any]]:
    """Return for each stock how many days it lasts at the busiest rate."""
    since_on = day_of(now_ms - LOOK_BACK_DAYS * DAY_MS)
    used = {
        unit: blocks.used_by_day_q(conn, unit, since_on) for unit in {row.unit for row in stocks}
    }
    found = []
    for row in stocks:
        told = forecast(row.left, tuple(used[row.unit].get(row.code, {}).values()))
        found.append({"unit": row.unit, "code": row.code, "busiest": told.busiest,
                      "days": told.days, "low": told.low})  # fmt: skip
    return found


async def forecasts(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return how many days the numbers last."""
    stocks = await ctx.read(stock_q, ctx.now_ms())
    return {"forecast": await ctx.read(forecasts_q, stocks, ctx.now_ms())}


METHODS: dict[str, Method] = {
    "fence.status": Method("admin", None, fence_status),
    "fence.lift": Method("admin", LiftParams, fence_lift, changes=True),
    "clock.status": Method("query", None, clock_status),
    "clock.confirm": Method("admin", Reason, clock_confirm, changes=True),
    "numbers.return": Method("admin", BlockParams, return_block, changes=True),
    "numbers.open_reserve": Method("admin", BlockParams, open_reserve, changes=True),
    "numbers.audit": Method("admin", AuditParams, audit),
    "numbers.forecast": Method("admin", None, forecasts),
}
