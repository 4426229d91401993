"""Desk method behind `fepctl his trace`: what a caller sends and gets, masked."""

from __future__ import annotations

from typing import Any

from fep.domain.faults import refuse
from fep.services.desk_callers import note_txn, people_of
from fep.services.desk_context import DeskContext, Method, Params


class LookParams(Params):
    """his.trace: whose calls, and from which entry on; 0 begins."""

    appid: str
    since: int = 0


async def look(ctx: DeskContext, asked: LookParams) -> dict[str, Any]:
    """Return what a caller sent and got since the last look; the first look is journalled."""
    people = people_of(ctx)
    if asked.appid not in {one["appid"] for one in people.told()}:
        raise refuse("CALLER_UNKNOWN", appid=asked.appid)
    told = people.callers.trace.look(asked.appid, asked.since)
    if not asked.since and not told["entries"]:
        body: dict[str, object] = {"who": ctx.peer}
        await ctx.writer("his trace").do("trace", note_txn, "caller.traced", asked.appid, body)
    return told


METHODS: dict[str, Method] = {"his.trace": Method("admin", LookParams, look, changes=True)}
