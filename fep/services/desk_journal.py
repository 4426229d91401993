"""Desk methods over the journal: verify and export in slices, and grants to see names.

The caller walks the chain: each call follows one slice and gives back where it stopped, so
that a journal of any length never holds the daemon up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from fep.domain.faults_desk import desk_refuse
from fep.domain.journal import GENESIS
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.store import queries_journal as chain
from fep.store.checkpoints import Checked, check_q

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
    after, limit = max(asked.after, 0), max(asked.limit, 1)
    walk = await ctx.read(chain.walk_q, after, previous, limit)
    checked = await ctx.read(_checkpoints_q, after, walk.count)
    bad = next((each for each in checked if each.why), None)
    if bad is not None and not walk.broken_at:
        walk = replace(walk, last=bad.seq - 1, broken_at=bad.seq, why=bad.why, done=True)
    return {
        "checkpoints": len(checked),
        "last": walk.last, "hash": walk.hash.hex(), "count": walk.count,
        "broken_at": walk.broken_at, "why": walk.why, "done": walk.done,
    }  # fmt: skip


def _checkpoints_q(conn: Connection, after: int, count: int) -> list[Checked]:
    return check_q(conn, chain.slice_q(conn, after, count)) if count else []


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
