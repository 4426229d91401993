"""Desk methods over payments at terminals: lists, one payment, settlement, people's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from fep.domain.faults import fill, refuse
from fep.domain.faults_desk import desk_refuse
from fep.domain.money import NotMoney, parse_fen
from fep.services.desk_checks import Check, State, known_fault
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.till_telling import told_of, told_of_loose, told_of_settlement
from fep.store import payments, queries_payments, settlements

LISTED_MAX = 500
RECEIPT_DUE_MS = 10 * 60_000  # so long after the money its receipt may still be on its way


@dataclass(frozen=True, slots=True)
class Money:
    """What one look into the store shows: payments of unknown outcome, money without a receipt,
    and the terminals whose last settlement does not fit our books."""

    unknown: int
    loose: int
    differ: tuple[str, ...]


def look_q(conn: Connection, now_ms: int) -> Money:
    """Read what status and doctor tell of payments."""
    return Money(
        len(queries_payments.unknown_q(conn)),
        queries_payments.loose_count_q(conn, now_ms - RECEIPT_DUE_MS),
        settlements.differ_q(conn),
    )


class ListParams(Params):
    """payments.list: newest first; `without_receipt` lists money taken without a receipt."""

    state: str = ""
    terminal: str = ""
    without_receipt: bool = False
    receipt_key: str = ""
    limit: int = 100


class OneParams(Params):
    """payments.show: one payment by its number."""

    payment: int


class AskParams(Params):
    """payments.inquire: ask the terminal for an unknown payment now."""

    payment: int
    reason: str


class BackParams(Params):
    """payments.back: give a payment back; `amount` empty is all that is left."""

    payment: int
    reason: str
    amount: str = ""


class TieParams(Params):
    """payments.tie: the event that the money of a payment is for."""

    payment: int
    receipt_key: str
    reason: str


class TerminalParams(Params):
    """payments.sign_in: which terminal is to be made ready, and why."""

    terminal: str
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
    rows = await ctx.read(queries_payments.list_q, asked.state, asked.terminal, limit,
                          asked.receipt_key)  # fmt: skip
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


async def reprint_payment(ctx: DeskContext, asked: AskParams) -> dict[str, Any]:
    """Have the terminal print the slip of a payment again."""
    reason = stated(asked.reason)
    store = ctx.writer("payments reprint")
    await store.do("payments.reprint", _noted_txn, "payment.reprint", str(asked.payment), reason,
                   ctx.peer)  # fmt: skip
    return {"payment": told_of(await _till(ctx).print_again(asked.payment))}


async def give_back(ctx: DeskContext, asked: BackParams) -> dict[str, Any]:
    """Give the money of a payment back: a void while its batch is open, else a refund."""
    reason = stated(asked.reason)
    fen = 0
    if asked.amount:
        try:
            fen = parse_fen(asked.amount)
        except NotMoney:
            fen = -1
        if fen <= 0:
            raise refuse("REQ_FIELD_VALUE", field="amount", value=asked.amount[:20],
                         allowed="> 0")  # fmt: skip
    store = ctx.writer("payments back")
    await store.do("payments.back", _noted_txn, "payment.back", str(asked.payment), reason,
                   ctx.peer)  # fmt: skip
    return {"payment": told_of(await _till(ctx).give_back(asked.payment, fen, ctx.peer))}


async def tie_payment(ctx: DeskContext, asked: TieParams) -> dict[str, Any]:
    """Say for which event the money of a payment is."""
    reason = stated(asked.reason)
    key = asked.receipt_key.strip()
    if not 0 < len(key) <= 50:
        raise refuse("REQ_FIELD_LENGTH", field="receipt_key", limit=50)
    store = ctx.writer("payments tie")
    row = await store.do("payments.tie", payments.tie_txn, asked.payment, key, reason, ctx.peer)
    return {"payment": told_of(row)}


async def sign_in(ctx: DeskContext, asked: TerminalParams) -> dict[str, Any]:
    """Make a terminal ready: inquire what is unknown, sign in, settle a full batch."""
    reason = stated(asked.reason)
    store = ctx.writer("payments sign-in")
    await store.do("payments.sign_in", _noted_txn, "payment.sign_in", asked.terminal[:40], reason,
                   ctx.peer)  # fmt: skip
    health = await _till(ctx).sign_in(asked.terminal)
    return {"terminals": [msgspec.to_builtins(health)], "settlements": []}


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
    if ctx.till is not None:
        ctx.till.told(row)
    return {"payment": told_of(row)}


async def unknown_payments(ctx: DeskContext, limit: int) -> list[dict[str, Any]]:
    """Return the payments of which nobody knows whether money was taken."""
    rows = await ctx.read(queries_payments.unknown_q, "", limit)
    if not ctx.live:
        # What was under way when the daemon ended is inquired at its next start.
        for state in ("sent", "acked"):
            rows += await ctx.read(queries_payments.list_q, state, "", limit)
    return [told_of(row) for row in rows]


def checks_of(ctx: DeskContext, seen: Money) -> list[Check]:
    """Tell of money that waits for a person, and of terminals that take none."""
    found: list[Check] = []
    if seen.unknown:
        found.append(_warn("PAYMENTS", f"支付结果未知 {seen.unknown} 笔，请勿重复刷卡",
                           f"{seen.unknown} unknown payments: do not charge again",
                           "fepctl resolve"))  # fmt: skip
    if seen.loose:
        found.append(_warn("CHARGED", f"已收款但没有票据 {seen.loose} 笔",
                           f"{seen.loose} payments taken for which no receipt stands",
                           "fepctl payments list --without-receipt"))  # fmt: skip
    for terminal in seen.differ:
        found.append(_warn("SETTLEMENT", f"终端 {terminal} 最近一次结算与我方不符",
                           f"the last settlement of {terminal} does not fit our books",
                           "fepctl payments terminals"))  # fmt: skip
    terminals = [] if ctx.till is None else ctx.till.terminals()
    found += [check for terminal in terminals for check in _terminal(terminal)]
    if terminals and not found:
        count = len(terminals)
        found.append(Check("PAYMENTS", State.OK, f"{count} 台终端，没有未知的支付",
                           f"{count} terminals, no unknown payment"))  # fmt: skip
    return found


def _warn(code: str, zh: str, en: str, command: str) -> Check:
    return Check(code, State.WARN, zh, en, command)


def _terminal(row: Any) -> list[Check]:
    said = known_fault(row.fault) if row.fault else None
    if said is None and row.state != "recovering":
        return []
    said = said or known_fault("POS_RECOVERING")
    assert said is not None
    words = {"terminal": row.id, "text": ""}
    zh = f"{fill(said.zh, words)}，{fill(said.action_zh, words)}"
    en = f"{fill(said.en, words)}. {fill(said.action_en, words)}"
    command = f"fepctl payments sign-in {row.id} --reason TEXT"
    return [_warn("TERMINAL", zh, en, command)]


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
    "payments.reprint": Method("admin", AskParams, reprint_payment, changes=True),
    "payments.back": Method("admin", BackParams, give_back, changes=True),
    "payments.tie": Method("admin", TieParams, tie_payment, changes=True),
    "payments.sign_in": Method("admin", TerminalParams, sign_in, changes=True),
    "payments.say": Method("admin", SayParams, say_payment, changes=True),
}
