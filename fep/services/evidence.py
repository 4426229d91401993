"""Desk methods for an inspector: rows of a period in slices, and the signature on the index.

The command line writes the folder; what it has written is named by an index that the node
signs here, and that is journalled. A checkpoint is signed first, so that the journal's end is
covered.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fep.crypto import sm3
from fep.domain.faults_desk import desk_refuse
from fep.services.desk_context import DeskContext, Method, Params, SealDoor, stated
from fep.store import evidence
from fep.store.checkpoints import checkpoint_txn

INDEX_MAX = 200_000


class PeriodParams(Params):
    """evidence.begin: milliseconds since the epoch, `until` excluded."""

    since: int
    until: int


class PartParams(PeriodParams):
    """evidence.part: which part, above which cursor."""

    part: str
    after: int = 0


class SignParams(Params):
    """evidence.sign: the text of the index, and why it was written."""

    index: str
    reason: str


def _seal(ctx: DeskContext) -> SealDoor:
    if ctx.seal is None:
        raise desk_refuse("CTL_ABSENT", what="node.key")
    return ctx.seal


async def begin(ctx: DeskContext, asked: PeriodParams) -> dict[str, Any]:
    """Sign a checkpoint and return which journal records the period holds."""
    seal = _seal(ctx)
    await ctx.writer("evidence").do(
        "checkpoint", checkpoint_txn, seal.certificate.serial_hex, seal.sign
    )
    period = evidence.Period(asked.since, asked.until)
    stretch = await ctx.read(evidence.stretch_q, period)
    return {
        "node": ctx.settings.node.id, "now": ctx.now_ms(), "parts": list(evidence.PARTS),
        "certificate": seal.certificate.der.hex(), "journal": asdict(stretch),
    }  # fmt: skip


async def part(ctx: DeskContext, asked: PartParams) -> dict[str, Any]:
    """Return one slice of a part."""
    if asked.part not in evidence.PARTS:
        raise desk_refuse("CTL_USAGE", why=asked.part[:40])
    period = evidence.Period(asked.since, asked.until)
    rows = await ctx.read(evidence.part_q, asked.part, period, asked.after)
    return asdict(rows)


async def sign(ctx: DeskContext, asked: SignParams) -> dict[str, Any]:
    """Sign the index of a folder and journal that it was written."""
    reason = stated(asked.reason)
    raw = asked.index.encode()
    if len(raw) > INDEX_MAX:
        raise desk_refuse("CTL_USAGE", why=f"index > {INDEX_MAX}")
    signature = _seal(ctx).sign(raw)
    digest = sm3.digest(raw).hex()
    await ctx.writer("evidence").do("evidence", _written_txn, digest, reason, ctx.peer)
    return {"signature": signature.hex(), "sm3": digest}


def _written_txn(tx: Any, digest: str, reason: str, who: str) -> None:
    tx.journal("evidence.written", digest, {"reason": reason, "who": who})


METHODS: dict[str, Method] = {
    "evidence.begin": Method("admin", PeriodParams, begin, changes=True),
    "evidence.part": Method("admin", PartParams, part),
    "evidence.sign": Method("admin", SignParams, sign, changes=True),
}
