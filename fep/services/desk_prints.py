"""Desk methods over slips that wait for a printer, and the check that tells of them.

A slip may wait for a reason no printer shows: a character no font has, a group without a
printer. Nobody would miss it but the payer.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fep.domain.calendar import iso
from fep.domain.faults import bare
from fep.domain.faults_desk import desk_refuse
from fep.services.desk_checks import Check, State, known_fault
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.desk_stock import LISTED_MAX, Limited
from fep.store import queries_prints as prints

# A slip comes out within seconds; what waits longer is told.
WAITS_MS = 120_000


class CancelParams(Params):
    """print.cancel: this slip is not wanted any more."""

    job: int
    reason: str


async def list_waiting(ctx: DeskContext, asked: Limited) -> dict[str, Any]:
    """Return the slips that wait for a printer, with what keeps them."""
    rows = await ctx.read(prints.waiting_q, max(1, min(asked.limit, LISTED_MAX)))
    return {"waiting": [{**asdict(row), "ref": row.ref} for row in rows]}


async def cancel(ctx: DeskContext, asked: CancelParams) -> dict[str, Any]:
    """Give up a slip that was not printed; the receipt stays what it is."""
    reason = stated(asked.reason)
    ctx.writer("printers cancel")
    if ctx.spool is None:
        raise desk_refuse("CTL_ABSENT", what="devices/")
    job = await ctx.spool.cancel(asked.job, reason, ctx.peer)
    return {"job": job.id, "state": job.state.value}


def checks_of(held: prints.Held | None) -> list[Check]:
    """Tell of slips that wait too long, and what keeps the oldest."""
    if held is None:
        return []
    said, why, why_en, since = known_fault(held.reason), "", "", iso(held.since)
    if said is not None:
        zh, en = (bare(text) for text in (said.zh, said.en))
        why = f"，{held.reason} {zh}，{said.action_zh}"
        why_en = f", {held.reason} {en}. {said.action_en}"
    return [Check("PRINT_WAITS", State.WARN,
                  f"{held.count} 张小票没有打出，最早 {since} {held.group}{why}",
                  f"{held.count} slips are not printed, the first {since} {held.group}{why_en}",
                  "fepctl printers jobs")]  # fmt: skip


METHODS: dict[str, Method] = {
    "prints.waiting": Method("admin", Limited, list_waiting),
    "print.cancel": Method("admin", CancelParams, cancel, changes=True),
}
