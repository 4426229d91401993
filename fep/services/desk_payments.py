"""Desk methods over payments at terminals: lists, one payment, settlement, people's words."""

from __future__ import annotations

from typing import Any

import msgspec

from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.services.desk_checks import Check, State
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.till_telling import told_of, told_of_loose, told_of_settlement
from fep.store import payments, queries_payments, settlements

LISTED_MAX = 500


class ListParams(Params):
    """payments.list: newest first; `without_receipt` lists money taken without a receipt."""

    state: str = ""
    terminal: str = ""
    without_receipt: bool = False
    limit: int = 100


class OneParams(Params):
    """payments.show: one payment by its number."""

    payment: int


class AskParams(Params):
    """payments.inquire: ask the terminal for an unknown payment now."""

    payment: int
    reason: str


class SettleParams(Params):
    """payments.settle: which terminal, and why now."""

    terminal: str
    reason: str


class SayParams(Params):
    """payments.say: whether an unknown payment was charged, and the two people who say so."""

    payment: int
    charged: bool
    reason: str
    approve: tuple[str, ...]


async def list_payments(ctx: DeskContext, asked: ListParams) -> dict[str, Any]:
    """Return payments, newest first, or money taken for which there is no receipt."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    if asked.without_receipt:
        loose = await ctx.read(queries_payments.without_receipt_q, limit)
        return {"payments": [told_of_loose(row) for row in loose]}
    rows = await ctx.read(queries_payments.list_q, asked.state, asked.terminal, limit)
    return {"payments": [told_of(row) for row in rows]}


async def show_payment(ctx: DeskContext, asked: OneParams) -> dict[str, Any]:
    """Return one payment."""
    row = await ctx.read(payments.payment_q, asked.payment)
    if row is None:
        raise refuse("POS_NONE")
    return {"payment": told_of(row)}


async def list_terminals(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return the terminals with their state, and the newest settlements."""
    settled = await ctx.read(settlements.settlements_q, 20)
    terminals = [] if ctx.till is None else ctx.till.terminals()
    return {
        "terminals": [msgspec.to_builtins(terminal) for terminal in terminals],
        "settlements": [told_of_settlement(row) for row in settled],
    }


async def inquire_payment(ctx: DeskContext, asked: AskParams) -> dict[str, Any]:
    """Ask the terminal for an unknown payment once more."""
    reason = stated(asked.reason)
    store = ctx.writer("payments inquire")
    await store.do("payments.inquire", _noted_txn, "payment.asked", str(asked.payment), reason,
                   ctx.peer)  # fmt: skip
    return {"payment": told_of(await _till(ctx).ask_again(asked.payment))}


async def settle_terminal(ctx: DeskContext, asked: SettleParams) -> dict[str, Any]:
    """Close the batch of a terminal and compare its totals with ours."""
    reason = stated(asked.reason)
    store = ctx.writer("payments settle")
    await store.do("payments.settle", _noted_txn, "payment.settling", asked.terminal[:40],
                   reason, ctx.peer)  # fmt: skip
    done = await _till(ctx).settle_terminal(asked.terminal)
    return {"settlement": told_of_settlement(done)}


async def say_payment(ctx: DeskContext, asked: SayParams) -> dict[str, Any]:
    """Close an unknown payment on the word of two people."""
    reason = stated(asked.reason)
    store = ctx.writer("resolve payment")
    row = await store.do("payments.say", payments.say_txn, asked.payment, asked.charged, reason,
                         ctx.peer, asked.approve)  # fmt: skip
    return {"payment": told_of(row)}


async def unknown_payments(ctx: DeskContext, limit: int) -> list[dict[str, Any]]:
    """Return the payments of which nobody knows whether money was taken."""
    rows = await ctx.read(queries_payments.unknown_q, "", limit)
    if not ctx.live:
        # What was under way when the daemon ended is inquired at its next start.
        for state in ("sent", "acked"):
            rows += await ctx.read(queries_payments.list_q, state, "", limit)
    return [told_of(row) for row in rows]


def checks_of(unknown: int) -> list[Check]:
    """Warn of payments of which nobody knows whether money was taken."""
    if not unknown:
        return []
    zh = f"支付结果未知 {unknown} 笔，请勿重复刷卡"
    en = f"{unknown} unknown payments: do not charge again"
    return [Check("PAYMENTS", State.WARN, zh, en, "fepctl resolve")]


def _till(ctx: DeskContext) -> Any:
    if ctx.till is None:
        raise desk_refuse("CTL_ABSENT", what="devices/")
    return ctx.till


def _noted_txn(tx: Any, op: str, ref: str, reason: str, peer: str) -> None:
    tx.journal(op, ref, {"who": peer, "reason": reason})


METHODS: dict[str, Method] = {
    "payments.list": Method("admin", ListParams, list_payments),
    "payments.show": Method("admin", OneParams, show_payment),
    "payments.terminals": Method("admin", None, list_terminals),
    "payments.inquire": Method("admin", AskParams, inquire_payment, changes=True),
    "payments.settle": Method("admin", SettleParams, settle_terminal, changes=True),
    "payments.say": Method("admin", SayParams, say_payment, changes=True),
}
