"""Desk methods over fep-bridges: which are registered and connected, what they lend, their keys.

A key is made here, because it is the daemon's machine that keeps it; it never leaves over the
desk, only as a file that a person carries to the PC.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from fep.domain.faults import fault, fill, refuse
from fep.env import RealEntropy
from fep.services.desk_checks import Check, State
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.settings_bridge import BridgePc

KEY_BYTES = 32


class KeyParams(Params):
    """bridges.key: a new key for a registered bridge; the old one ends at once."""

    bridge: str
    reason: str


async def list_bridges(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return every registered bridge, what it lends, and what is wrong with it."""
    if ctx.bridges is not None:
        rows = [msgspec.to_builtins(row) for row in ctx.bridges.health()]
    else:
        pcs = ctx.settings.bridge.pcs if ctx.settings is not None else ()
        rows = [_stopped(pc) for pc in pcs]
    return {"bridges": [{**row, **_sentences(row)} for row in rows]}


async def new_key(ctx: DeskContext, asked: KeyParams) -> dict[str, Any]:
    """Make a new key for a bridge; its PC connects again once it has it."""
    reason = stated(asked.reason)
    store = ctx.writer("bridges key")
    assert ctx.settings is not None
    pc = next((pc for pc in ctx.settings.bridge.pcs if pc.id == asked.bridge), None)
    if pc is None:
        raise refuse("BRG_UNKNOWN", bridge=asked.bridge[:40])
    path = ctx.settings.root / pc.key_file
    await store.do("bridges.key", _noted_txn, pc.id, reason, ctx.peer)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(RealEntropy().token(KEY_BYTES).hex() + "\n")
    except OSError as error:
        raise refuse("BRG_KEY", bridge=pc.id, why=error.strerror or "OS") from error
    if ctx.bridges is not None:
        ctx.bridges.new_key(pc.id)
    return {"bridge": pc.id, "key_file": str(path)}


def checks_of(ctx: DeskContext) -> list[Check]:
    """Tell of every registered bridge."""
    if ctx.bridges is None:
        return []
    return [_check(row) for row in ctx.bridges.health()]


def _check(row: Any) -> Check:
    named = f"{row.id} {row.name}".strip()
    if not row.fault:
        return Check("BRIDGE", State.OK, f"桥 {named} 已连接，{row.host}",
                     f"bridge {named} is connected, {row.host}")  # fmt: skip
    said = fault(row.fault)
    details: dict[str, object] = {"bridge": row.id, "why": row.why}
    zh = f"{row.fault} {fill(said.zh, details)}，{fill(said.action_zh, details)}"
    en = f"{row.fault} {fill(said.en, details)}. {fill(said.action_en, details)}"
    return Check("BRIDGE", State.WARN, zh, en, "fepctl bridges list")


def _stopped(pc: BridgePc) -> dict[str, Any]:
    return {"id": pc.id, "name": pc.name, "state": "stopped", "fault": "", "why": "",
            "address": "", "host": "", "system": "", "version": "", "entries": 0,
            "ports": []}  # fmt: skip


def _sentences(row: dict[str, Any]) -> dict[str, str]:
    if not row["fault"]:
        return {"zh": "", "en": ""}
    said, details = fault(row["fault"]), {"bridge": row["id"], "why": row["why"]}
    return {
        "zh": f"{fill(said.zh, details)}，{fill(said.action_zh, details)}",
        "en": f"{fill(said.en, details)}. {fill(said.action_en, details)}",
    }


def _noted_txn(tx: Any, bridge: str, reason: str, peer: str) -> None:
    tx.journal("bridge.key", bridge, {"who": peer, "reason": reason})


METHODS: dict[str, Method] = {
    "bridges.list": Method("admin", None, list_bridges),
    "bridges.key": Method("admin", KeyParams, new_key, changes=True),
}
