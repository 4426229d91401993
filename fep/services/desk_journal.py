"""Desk methods over the journal: verify and export in slices, and grants to see names.

The caller walks the chain: each call follows one slice and gives back where it stopped, so
that a journal of any length never holds the daemon up.
"""

from __future__ import annotations

from typing import Any

from fep.domain.faults_desk import desk_refuse
from fep.domain.journal import GENESIS
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.store import queries_journal as chain

EXPORT_ROWS = 500


class WalkParams(Params):
    """journal.verify: where the last slice stopped; `hash` is hex, empty at the start."""

    after: int = 0
    hash: str = ""
    limit: int = chain.SLICE_ROWS


class SliceParams(Params):
    """journal.export: records above `after`."""

    after: int = 0
    limit: int = EXPORT_ROWS


class UnmaskParams(Params):
    """system.unmask: why, and by which verb."""

    reason: str
    verb: str = ""


async def verify(ctx: DeskContext, asked: WalkParams) -> dict[str, Any]:
    """Follow one slice of the chain."""
    previous = GENESIS
    if asked.after > 0:
        try:
            previous = bytes.fromhex(asked.hash)
        except ValueError as error:
            raise desk_refuse("JRN_START", seq=asked.after) from error
    walk = await ctx.read(chain.walk_q, max(asked.after, 0), previous, max(asked.limit, 1))
    return {
        "last": walk.last, "hash": walk.hash.hex(), "count": walk.count,
        "broken_at": walk.broken_at, "why": walk.why, "done": walk.done,
    }  # fmt: skip


async def export(ctx: DeskContext, asked: SliceParams) -> dict[str, Any]:
    """Return one slice: hash in hex and literal line of each record."""
    limit = max(1, min(asked.limit, EXPORT_ROWS))
    records = await ctx.read(chain.slice_q, max(asked.after, 0), limit)
    return {
        "records": [
            {"seq": record.seq, "hash": record.hash.hex(), "line": record.line.decode()}
            for record in records
        ],
        "done": len(records) < limit,
    }


async def unmask(ctx: DeskContext, asked: UnmaskParams) -> dict[str, Any]:
    """Journal why personal fields are to be seen; answers the grant that allows it."""
    reason = stated(asked.reason)
    store = ctx.writer("--unmask")
    assert ctx.grants is not None
    seq = await store.do("unmask", _unmask_txn, reason, asked.verb[:60], ctx.peer)
    ctx.grants.add(seq)
    return {"grant": seq}


def _unmask_txn(tx: Any, reason: str, verb: str, peer: str) -> int:
    return int(tx.journal("system.unmasked", verb, {"who": peer, "reason": reason}))


METHODS: dict[str, Method] = {
    "journal.verify": Method("admin", WalkParams, verify),
    "journal.export": Method("admin", SliceParams, export),
    "system.unmask": Method("admin", UnmaskParams, unmask, changes=True),
}
