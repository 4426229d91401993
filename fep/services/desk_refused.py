"""Desk methods over refused deliveries: groups by reason, and one word for a whole group.

`link.rejected` shows the groups, `link.refused` the rows of one; `link.retry` and
`link.accept` act on all of it, in pieces, each journalled with the reason given.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from fep.domain.faults import refuse
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.store import refusals

PIECES_MAX: Final = 1000
LISTED_MAX: Final = 500


class GroupParams(Params):
    """A group by its reason, and why it is dealt with so."""

    group: str
    reason: str


class RowsParams(Params):
    """The rows of a group after an id."""

    group: str
    limit: int = 100
    after: int = 0


async def list_groups(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return the groups, and which of them are held for the platform's window."""
    link = ctx.settings.link
    groups = await ctx.read(refusals.groups_q)
    return {
        "groups": [
            {**asdict(group), "held": group.reason == refusals.STALE and bool(link.stale_hours)}
            for group in groups
        ],
        "stale_hours": list(link.stale_hours),
    }


async def list_rows(ctx: DeskContext, asked: RowsParams) -> dict[str, Any]:
    """Return the refusals of one group."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    rows = await ctx.read(refusals.rows_q, asked.group, limit, after_id=asked.after)
    return {"refused": [asdict(row) for row in rows]}


async def accept_group(ctx: DeskContext, asked: GroupParams) -> dict[str, Any]:
    """Close every refusal of a group. Raises Refused DLV_GROUP."""
    store, reason = ctx.writer("link accept"), stated(asked.reason)
    count = 0
    for _ in range(PIECES_MAX):
        done = await store.do(
            "refused.accept", refusals.accept_group_txn, asked.group, reason, ctx.peer
        )
        count += done
        if done < refusals.PIECE:
            break
    return {"closed": _some(count, asked.group)}


async def retry_group(ctx: DeskContext, asked: GroupParams) -> dict[str, Any]:
    """Have every refusal of a group sent again. Raises Refused DLV_GROUP."""
    store, reason = ctx.writer("link retry"), stated(asked.reason)
    before_ms = ctx.now_ms() + 1
    count = 0
    for _ in range(PIECES_MAX):
        done = await store.do(
            "refused.retry", refusals.retry_group_txn, asked.group, reason, ctx.peer, before_ms
        )
        count += done
        if done == 0:
            break
    if ctx.uplink is not None:
        ctx.uplink.wake()
    return {"again": _some(count, asked.group)}


def _some(count: int, group: str) -> int:
    if not count:
        raise refuse("DLV_GROUP", group=group[:40])
    return count


METHODS: dict[str, Method] = {
    "link.rejected": Method("admin", None, list_groups),
    "link.refused": Method("admin", RowsParams, list_rows),
    "link.accept": Method("admin", GroupParams, accept_group, changes=True),
    "link.retry": Method("admin", GroupParams, retry_group, changes=True),
}
