"""Desk methods over the callers: who they are, what changed, a key sealed for its file.

The command line writes the files, because the daemon may not (its sandbox keeps the site
read-only); the daemon reads them again, and journals who changed what and why.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from fep.domain.faults import refuse
from fep.env import RealEntropy
from fep.services.caller_keys import checked_key, key_case
from fep.services.desk_checks import Check, State
from fep.services.desk_context import DeskContext, Method, Params, stated

if TYPE_CHECKING:
    from fep.services.people import People
    from fep.store.tx import Tx

OPS = Literal["added", "changed", "rotated", "disabled", "enabled", "reloaded"]
TOLD = ("rights", "units", "points", "addresses", "enabled", "auth", "upstream", "rate_per_s",
        "max_amount")  # fmt: skip


class SealParams(Params):
    """callers.seal: a key to be kept in a file, for one caller only."""

    appid: str
    key: str


class ReloadParams(Params):
    """callers.reload: which caller a person changed, how and why; none is all of them."""

    op: OPS
    reason: str
    appid: str = ""


async def list_callers(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return every caller with what it may do, without its key."""
    return {"callers": people_of(ctx).told()}


async def seal(ctx: DeskContext, asked: SealParams) -> dict[str, Any]:
    """Return a key as its file keeps it: encrypted under the node's key."""
    text = key_case(ctx.settings).seal(asked.appid, checked_key(asked.key), RealEntropy())
    return {"sealed": text}


async def reload(ctx: DeskContext, asked: ReloadParams) -> dict[str, Any]:
    """Read the callers again and journal the change."""
    reason, people = stated(asked.reason), people_of(ctx)
    changed = asdict(people.reload())
    people.callers.forgive(asked.appid)  # whoever saw to a caller need not wait for its lock-out
    told = {one["appid"]: one for one in people.told()}
    if asked.appid and asked.appid not in told:
        raise refuse("CALLER_UNKNOWN", appid=asked.appid)
    body: dict[str, object] = {"who": ctx.peer, "reason": reason, **changed}
    if asked.appid:
        body["is"] = {name: told[asked.appid][name] for name in TOLD}
    op, ref = f"caller.{asked.op}", asked.appid
    await ctx.writer("callers").do("caller", note_txn, op, ref, body)
    return {**changed, "caller": told.get(asked.appid)}


def checks_of(ctx: DeskContext) -> list[Check]:
    """Return what keeps callers out of a running daemon; nothing when all may come in."""
    if ctx.people is None:  # a stopped site keeps everybody out
        return []
    found = [
        Check("CALLER", State.WARN, f"业务系统 {one['appid']} 未接入：{one['fault']['zh']}",
              f"caller {one['appid']} is left out: {one['fault']['en']}",
              f"fepctl callers show {one['appid']}")
        for one in people_of(ctx).told() if one["fault"]
    ]  # fmt: skip
    return found + [
        Check("CALLER", State.WARN,
              f"业务系统 {appid} 从 {address} 认证失败过多，暂停接入 {seconds} 秒；请核对其密钥",
              f"caller {appid} is locked out at {address} for {seconds} s: compare its key",
              "fepctl callers reload --reason TEXT")
        for appid, address, seconds in people_of(ctx).callers.locked()
    ]  # fmt: skip


def note_txn(tx: Tx, op: str, ref: str, body: dict[str, object]) -> int:
    """Journal who changed a caller."""
    return tx.journal(op, ref, body)


def people_of(ctx: DeskContext) -> People:
    """Return the callers of the daemon, or those of a stopped site's files."""
    # The command line looks at a stopped site through this module and must not load Twisted.
    from fep.services.people import People

    if isinstance(ctx.people, People):
        return ctx.people
    if ctx.settings is None:  # of a stopped site whose configuration is wrong
        raise refuse("CALLER_FILES", why="fepctl config check")
    return People(ctx.settings, ctx.clock, _Quiet())


class _Quiet:
    def error(self, _name: str, **_facts: object) -> None:
        """Say nothing: what is wrong stands in the answer."""


METHODS: dict[str, Method] = {
    "callers.list": Method("admin", None, list_callers),
    "callers.seal": Method("admin", SealParams, seal),
    "callers.reload": Method("admin", ReloadParams, reload, changes=True),
}
