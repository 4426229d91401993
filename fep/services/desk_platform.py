"""Desk methods towards the platform itself: numbers asked for by hand, and questions to it.

A question goes the way the receipts go: at once where the daemon speaks the dialect itself,
else as a letter on channel 3 whose answer is looked for later (`link.asked`). Journalled.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.domain.platform import QUESTIONS, Operation, Verdict
from fep.services.desk_context import DeskContext, Method, Params, Reason, stated
from fep.services.direct import Direct
from fep.services.relay_ask import text_of
from fep.services.uplink import Uplink
from fep.store.link import RECONCILIATION
from fep.store.link_letters import letter_q, letter_txn
from fep.store.requests import asked_txn
from fep.store.tx import Tx
from fep.wire.fpb_record import idem

OP: Final = "RECON"
COUNT_MAX: Final = 1_000_000
FIELDS_MAX: Final = 40


class RequestParams(Params):
    """numbers.request: how many numbers of which code, and why."""

    unit: str
    code: str
    count: int
    reason: str


class AskParams(Params):
    """link.ask: an operation of the dialect, the unit it is for, and its fields.

    `whole` has a long member, such as a file, told as it is; a link with batches cannot.
    """

    operation: str
    unit: str
    reason: str
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    whole: bool = False


class AskedParams(Params):
    """link.asked: the name that link.ask gave."""

    unit: str
    ask: str


async def request_numbers(ctx: DeskContext, asked: RequestParams) -> dict[str, Any]:
    """Ask the platform for numbers; nothing happens while an earlier request is open."""
    reason = stated(asked.reason)
    dest = _dest(ctx, asked.unit)
    if not (len(asked.code) == 8 and asked.code.isascii() and asked.code.isdigit()):
        raise refuse("REQ_FIELD_VALUE", field="code", value=asked.code[:20],
                     allowed="8 位数字 / 8 digits")  # fmt: skip
    if not 0 < asked.count <= COUNT_MAX:
        raise refuse("REQ_FIELD_VALUE", field="count", value=str(asked.count)[:20],
                     allowed=f"1..{COUNT_MAX}")  # fmt: skip
    new = await ctx.writer("numbers request").do(
        "numbers.request", asked_txn, asked.unit, asked.code,
        {"count": asked.count, "reason": reason, "who": ctx.peer}, dest,
    )  # fmt: skip
    if new and ctx.uplink is not None:
        ctx.uplink.wake()
    return {"requested": new, "unit": asked.unit, "code": asked.code, "count": asked.count}


async def ask(ctx: DeskContext, asked: AskParams) -> dict[str, Any]:
    """Ask the platform something of its dialect; `state` is sent when the answer comes later."""
    reason, dest = stated(asked.reason), _dest(ctx, asked.unit)
    if asked.operation not in {op.value for op in QUESTIONS}:
        raise refuse("REQ_FIELD_VALUE", field="operation", value=asked.operation[:20],
                     allowed=" ".join(op.value for op in QUESTIONS))  # fmt: skip
    if len(asked.fields) > FIELDS_MAX:
        raise refuse("REQ_FIELD_VALUE", field="fields", value=str(len(asked.fields)),
                     allowed=f"<= {FIELDS_MAX}")  # fmt: skip
    if ctx.uplink is None:
        raise desk_refuse("CTL_ABSENT", what="[link]")
    store, name = ctx.writer("link ask"), f"ask.{ctx.now_ms()}"
    noted = {"operation": asked.operation, "reason": reason, "unit": asked.unit, "who": ctx.peer}
    direct: object = ctx.uplink
    if asked.whole and not isinstance(direct, Direct):
        raise desk_refuse("CTL_ABSENT", what="[link] direct")
    if isinstance(direct, Direct):
        await store.do("link.asked", _note_txn, dest, noted)
        fields = {**asked.fields, "unit": asked.unit}
        reply = await direct.platform.ask(Operation(asked.operation), fields)
        good = reply.verdict is Verdict.OK
        detail = text_of(reply.facts) if good else f"{reply.why} {reply.detail}".strip()
        told = _told(name, "applied" if good else "rejected", reply.verdict.value, detail)
        return {**told, "facts": dict(reply.facts)} if asked.whole else told
    identity = idem("", name, OP, "0")
    body: dict[str, object] = {
        "ask": name, "at": ctx.now_ms(), "fields": asked.fields, "number": name,
        "op": asked.operation, "unit": asked.unit, "what": "ask",
    }  # fmt: skip
    await store.do("link.ask", _post_txn, dest, identity, body, noted)
    ctx.uplink.wake()
    return _told(name, "sent", "", "")


async def asked_before(ctx: DeskContext, asked: AskedParams) -> dict[str, Any]:
    """Return the answer to a question, `state` sent while there is none."""
    identity = idem("", asked.ask, OP, "0")
    fate = await ctx.read(letter_q, _dest(ctx, asked.unit), RECONCILIATION, identity)
    if fate is None:
        raise refuse("REQ_FIELD_VALUE", field="ask", value=asked.ask[:40], allowed="link.ask")
    state = fate.state if fate.state in ("applied", "rejected", "conflict") else "sent"
    return _told(asked.ask, state, fate.result, fate.detail)


def _told(name: str, state: str, result: str, detail: str) -> dict[str, Any]:
    return {"ask": name, "state": state, "result": result, "detail": detail}


def _dest(ctx: DeskContext, unit: str) -> str:
    if ctx.settings is None or unit not in ctx.settings.units:
        raise refuse("CFG_UNIT", unit=unit)
    return str(ctx.settings.units[unit].dest)


def _note_txn(tx: Tx, dest: str, body: dict[str, object]) -> None:
    tx.journal("link.asked", dest, body)


def _post_txn(tx: Tx, dest: str, identity: str, body: dict[str, object],
              noted: dict[str, object]) -> None:  # fmt: skip
    letter_txn(tx, dest, RECONCILIATION, OP, identity, body)
    tx.journal("link.asked", dest, noted)


# our own certificates
class RevokeParams(Params):
    """link.revoke: a certificate's serial in hex, and why."""

    serial: str
    reason: str


async def rotate_key(ctx: DeskContext, asked: Reason) -> dict[str, Any]:
    """Announce the node's next certificate for the link; asked again, how far that is."""
    return await _batches(ctx, "link rotate").rotate(stated(asked.reason), ctx.peer)


async def revoke_key(ctx: DeskContext, asked: RevokeParams) -> dict[str, Any]:
    """Have the platform believe a former certificate of the node no more."""
    uplink = _batches(ctx, "link revoke")
    return await uplink.revoke(asked.serial, stated(asked.reason), ctx.peer)


def _batches(ctx: DeskContext, verb: str) -> Uplink:
    ctx.writer(verb)
    uplink: object = ctx.uplink
    if not isinstance(uplink, Uplink):
        raise desk_refuse("CTL_ABSENT", what="[link]")
    return uplink


METHODS: dict[str, Method] = {
    "numbers.request": Method("admin", RequestParams, request_numbers, changes=True),
    "link.ask": Method("admin", AskParams, ask, changes=True),
    "link.rotate": Method("admin", Reason, rotate_key, changes=True),
    "link.revoke": Method("admin", RevokeParams, revoke_key, changes=True),
    "link.asked": Method("admin", AskedParams, asked_before),
}
