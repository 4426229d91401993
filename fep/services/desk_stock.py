"""Desk methods over numbers, the queue of events, the link, devices and unknown outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import msgspec

from fep.domain.calendar import local
from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.domain.kind_check import unprepared
from fep.domain.numbers import number_text
from fep.domain.stock import phase
from fep.services.desk_context import (
    DeskContext,
    Method,
    Params,
    Reason,
    SpoolDoor,
    UplinkDoor,
    stated,
)
from fep.services.desk_forms import unknown_forms
from fep.services.desk_kinds import kind_stock
from fep.services.desk_payments import unknown_payments
from fep.store import queries_sheets, requests
from fep.store import queries_stock as stock
from fep.store.numbers import Grant, grant_txn

LISTED_MAX = 500


class Limited(Params):
    """A list with a limit."""

    limit: int = 100


class ImportParams(Params):
    """numbers.import: a range a person brings, with the approval that allows it."""

    unit: str
    code: str
    first: str
    last: str
    approval: str
    reason: str
    reserve: bool = False


class ResolveParams(Params):
    """print.resolve: what the paper of an uncertain job looks like."""

    job: int
    verdict: Literal["printed", "reprint"]
    reason: str


# numbers
async def list_numbers(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return the stock per code and the blocks."""
    stocks = await ctx.read(stock.stock_q, ctx.now_ms())
    blocks = await ctx.read(stock.blocks_q)
    asked = await ctx.read(requests.open_q)
    late = unprepared(kind_stock(ctx.settings, stocks, ctx.now_ms()), ctx.now_ms())
    return {
        "next_year": [asdict(row) for row in late],
        "stock": [asdict(row) for row in stocks],
        "blocks": [
            {
                **asdict(row),
                "state": phase(row.state, row.first, row.next, row.not_after, ctx.now_ms()),
                "first": number_text(row.first),
                "last": number_text(row.last),
                "next": number_text(row.next) if row.left else "",
                "left": row.left,
            }
            for row in blocks
        ],
        "requested": [{**asdict(row), "state": row.state} for row in asked],
    }


async def import_numbers(ctx: DeskContext, asked: ImportParams) -> dict[str, Any]:
    """Take a block in on a person's word; the same block twice is harmless."""
    reason = stated(asked.reason)
    if not asked.approval.strip():
        raise refuse("REQ_FIELD_MISSING", field="approval")
    if asked.unit not in ctx.units:
        raise refuse("CFG_UNIT", unit=asked.unit)
    if not (len(asked.code) == 8 and asked.code.isascii() and asked.code.isdigit()):
        raise refuse(
            "REQ_FIELD_VALUE", field="code", value=asked.code[:20], allowed="8 位数字 / 8 digits"
        )
    known = _codes(ctx, asked.unit)
    if known and asked.code not in known:
        raise desk_refuse("NUM_CODE", unit=asked.unit, code=asked.code,
                          known=" ".join(sorted(known)))  # fmt: skip
    evidence = msgspec.json.encode(
        {"approval": asked.approval.strip()[:200], "reason": reason, "who": ctx.peer}
    ).decode()
    grant = Grant(asked.unit, asked.code, asked.first, asked.last, "person", evidence,
                  sealed=asked.reserve)  # fmt: skip
    new = await ctx.writer("numbers import").do("numbers.import", grant_txn, grant)
    if new:
        ctx.numbers_came()
    count = int(asked.last) - int(asked.first) + 1
    return {"new": new, "unit": asked.unit, "code": asked.code, "first": asked.first,
            "last": asked.last, "count": count}  # fmt: skip


def _codes(ctx: DeskContext, unit: str) -> set[str]:
    """Return the codes a unit can use this year and the next, those of red receipts too."""
    if ctx.settings is None:
        return set()
    year = local(ctx.now_ms()).year
    told = ctx.settings.units[unit]
    found = {code for row in kind_stock(ctx.settings, (), ctx.now_ms()) if row.unit == unit
             for code in (row.code, row.next_code)}  # fmt: skip
    province = ctx.settings.provinces.get(told.province)
    if province is not None and province.red_code != "same":
        found |= {
            province.red_code.format(area2=told.area[:2], yy=f"{turn % 100:02d}")
            for turn in (year, year + 1)
        }
    return found


# the queue
async def list_queue(ctx: DeskContext, asked: Limited) -> dict[str, Any]:
    """Return events that wait and the newest refused ones."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    waiting = await ctx.read(stock.queued_q, limit)
    refused = await ctx.read(stock.refused_q, limit)
    return {
        "stats": dict(ctx.issue.stats()) if ctx.issue is not None else {},
        "queued": await ctx.read(stock.queued_count_q),
        "frozen": await ctx.read(stock.frozen_count_q),
        "waiting": [asdict(row) for row in waiting],
        "refused": [asdict(row) for row in refused],
    }


# the link
async def link_status(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return every destination: stored state, backlog, and what the running link says."""
    return {"links": link_rows(ctx, await ctx.read(stock.links_q, destinations(ctx)))}


def link_rows(ctx: DeskContext, rows: Sequence[stock.LinkRow]) -> list[dict[str, Any]]:
    """Return the destinations as stored, overlaid with what the running link says of its own.

    The store learns of a state only when it changes; the link knows it now.
    """
    told = [asdict(row) for row in rows]
    if ctx.uplink is None:
        return told
    live = _plain(ctx.uplink.status())
    for row in told:
        if row["dest"] == live["dest"]:
            row |= {name: live[name] for name in ("state", "reason", "since_at", "last_heard_at")}
            row["offline_ms"] = int(live["offline_s"] * 1000)
            row["live"] = live
    return told


def destinations(ctx: DeskContext) -> tuple[str, ...]:
    """Return the destinations the units deliver to."""
    if ctx.settings is None:
        return ()
    return tuple(dict.fromkeys(unit.dest for unit in ctx.settings.units.values()))


async def link_pause(ctx: DeskContext, asked: Reason) -> dict[str, Any]:
    """Stop sending until a person resumes."""
    return {"link": _plain(await _uplink(ctx, "link pause").pause(stated(asked.reason), ctx.peer))}


async def link_resume(ctx: DeskContext, asked: Reason) -> dict[str, Any]:
    """Send again."""
    uplink = _uplink(ctx, "link resume")
    return {"link": _plain(await uplink.resume(stated(asked.reason), ctx.peer))}


def _uplink(ctx: DeskContext, verb: str) -> UplinkDoor:
    ctx.writer(verb)
    if ctx.uplink is None:
        raise desk_refuse("CTL_ABSENT", what="[link]")
    return ctx.uplink


# devices and paper
def configured_devices(ctx: DeskContext) -> list[dict[str, Any]]:
    """Return what configuration says of the devices: all that is known of them at rest."""
    if ctx.settings is None:
        return []
    return [
        {
            "id": device.id,
            "group": device.group,
            "driver": device.driver,
            "profile": device.profile,
            "address": device.transport.address,
            "kind": device.kind,
            "state": "stopped" if device.enabled else "disabled",
            "faults": [],
        }
        for device in ctx.settings.devices
    ]


def _spool(ctx: DeskContext) -> SpoolDoor:
    ctx.writer("devices")
    if ctx.spool is None:
        raise desk_refuse("CTL_ABSENT", what="devices/")
    return ctx.spool


async def list_unknown(ctx: DeskContext, asked: Limited) -> dict[str, Any]:
    """Return every outcome that waits for a person: prints, payments, refused deliveries."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    prints = await ctx.read(stock.prints_q, "uncertain", limit)
    if not ctx.live:
        # What was streaming when the daemon ended is uncertain; its next start will say so.
        prints += await ctx.read(stock.prints_q, "streaming", limit)
    uploads = await ctx.read(queries_sheets.refusals_q, limit)
    return {
        "prints": [{**asdict(row), "ref": row.ref} for row in prints],
        "uploads": [{**asdict(row), "ref": row.name} for row in uploads],
        "payments": await unknown_payments(ctx, limit),
        "forms": await unknown_forms(ctx, limit),
        "frozen": await ctx.read(stock.frozen_count_q),
    }


async def resolve_print(ctx: DeskContext, asked: ResolveParams) -> dict[str, Any]:
    """Close an uncertain print on a person's word; a reprint is a new, marked sheet."""
    reason = stated(asked.reason)
    done = await _spool(ctx).resolve(asked.job, asked.verdict, reason, ctx.peer)
    return {"resolution": _plain(done)}


def _plain(value: Any) -> Any:
    """Return a service's own value as JSON members."""
    return msgspec.to_builtins(value)


METHODS: dict[str, Method] = {
    "numbers.list": Method("admin", None, list_numbers),
    "numbers.import": Method("admin", ImportParams, import_numbers, changes=True),
    "queue.list": Method("admin", Limited, list_queue),
    "link.status": Method("admin", None, link_status),
    "link.pause": Method("admin", Reason, link_pause, changes=True),
    "link.resume": Method("admin", Reason, link_resume, changes=True),
    "resolve.list": Method("admin", Limited, list_unknown),
    "print.resolve": Method("admin", ResolveParams, resolve_print, changes=True),
}
