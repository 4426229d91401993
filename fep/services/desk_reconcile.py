"""Desk methods of the comparison with the platform: run, show, list, repair."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fep.domain.calendar import day_of
from fep.domain.dayclose import day_before, span
from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.desk_day import kind_names
from fep.store import reconcile

if TYPE_CHECKING:
    from fep.services.reconcile import Reconcile

LISTED_MAX = 500


class RunParams(Params):
    """reconcile.run: a date; empty for yesterday."""

    day: str = ""


class ShowParams(Params):
    """reconcile.show: a date; empty for the newest comparison. `gone` adds what agrees again."""

    day: str = ""
    gone: bool = False


class ListParams(Params):
    """reconcile.list."""

    limit: int = 31


class RepairParams(Params):
    """reconcile.repair: the number of a difference, and why."""

    id: int
    reason: str


def _books(ctx: DeskContext, verb: str) -> Reconcile:
    if ctx.accounts is None:
        raise desk_refuse("CTL_STOPPED", verb=verb)
    found: Reconcile = ctx.accounts.reconcile
    return found


def _day(text: str) -> str:
    try:
        first, last = span(text)
    except ValueError as error:
        raise refuse("DAY_NAME", text=text[:40]) from error
    if first != last:
        raise refuse("DAY_NAME", text=text[:40])
    return first


async def run(ctx: DeskContext, asked: RunParams) -> dict[str, Any]:
    """Begin to compare a day; `reconcile.show` tells what came of it."""
    day = _day(asked.day) if asked.day else day_before(day_of(ctx.now_ms()))
    _books(ctx, "reconcile run").begin(day, ctx.peer)
    return {"day": day, "running": True}


async def show(ctx: DeskContext, asked: ShowParams) -> dict[str, Any]:
    """Return the newest comparison (of a day) and its differences."""
    dest = ctx.settings.link.dest
    running = ctx.accounts.reconcile.running if ctx.accounts is not None else ""
    day = _day(asked.day) if asked.day else ""
    found = await ctx.read(reconcile.run_q, dest, day)
    rows = await ctx.read(
        reconcile.differences_q, dest, found.day if found else day, gone=asked.gone
    )
    open_days = await ctx.read(reconcile.open_days_q, dest)
    return {
        "dest": dest, "running": running, "run": asdict(found) if found else None,
        "differences": [{**asdict(row), "name": row.name} for row in rows],
        "open_days": open_days, "kind_names": kind_names(ctx),
    }  # fmt: skip


async def list_runs(ctx: DeskContext, asked: ListParams) -> dict[str, Any]:
    """Return the newest comparisons."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    rows = await ctx.read(reconcile.runs_q, limit)
    return {"runs": [{k: v for k, v in asdict(row).items() if k not in ("here", "there")}
                     for row in rows]}  # fmt: skip


async def repair(ctx: DeskContext, asked: RepairParams) -> dict[str, Any]:
    """Do what is safe about a difference; the next comparison tells whether it helped."""
    reason = stated(asked.reason)
    kept, done = await _books(ctx, "reconcile repair").repair(asked.id, reason, ctx.peer)
    return {"id": kept.id, "name": kept.name, "gap": kept.gap, "repair": done.value}


METHODS: dict[str, Method] = {
    "reconcile.run": Method("admin", RunParams, run, changes=True),
    "reconcile.show": Method("admin", ShowParams, show),
    "reconcile.list": Method("admin", ListParams, list_runs),
    "reconcile.repair": Method("admin", RepairParams, repair, changes=True),
}
