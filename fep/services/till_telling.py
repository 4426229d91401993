"""Payments and settlements as members of answers, with the sentence that says what to do now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fep.domain.calendar import iso
from fep.domain.faults import fault, fill
from fep.domain.money import format_fen
from fep.domain.payment import OPEN, PaymentState
from fep.store import payments
from fep.store.payments import Payment
from fep.store.queries_payments import Loose
from fep.store.settlements import Settlement

_OF_MONEY = frozenset({"POS_UNKNOWN", "POS_ABSENT", "POS_MISMATCH"})


def told_of(row: Payment, shown: str = "") -> dict[str, Any]:
    """Return a payment as members; the sentence says what to do now.

    `shown`: what the terminal wants the payer to see while it is under way.
    """
    return {
        "id": row.id, "unit": row.unit, "key": row.key, "op": row.op.value,
        "way": row.way.value, "terminal": row.terminal, "serial": row.serial,
        "amount": format_fen(row.amount_fen), "state": row.state.value,
        "receipt_key": row.receipt_key, "operator": row.operator, "caller": row.caller,
        "fault": _fault(row), **_sentences(row), "host_code": row.host_code, "text": row.text,
        "card": row.pan, "batch": row.batch, "trace": row.trace, "ref": row.ref,
        "auth": row.auth, "created_at": iso(row.created_at),
        "ended_at": iso(row.ended_at) if row.ended_at else None,
        "settled": bool(row.settled_id), "shown": shown,
    }  # fmt: skip


def _fault(row: Payment) -> str:
    """Return the code of a payment; what is proved not to have been sent is in doubt no more."""
    proved = row.state is PaymentState.NOT_SENT and row.fault in _OF_MONEY
    return "POS_NOT_SENT" if proved else row.fault


def _sentences(row: Payment) -> Mapping[str, str]:
    """Return what is known of the money and what to do, first the money."""
    code = _fault(row) or payments.FAULT_OF.get(row.state, "")
    if row.state in OPEN:
        code = "POS_UNDER_WAY"
    elif row.state is PaymentState.UNKNOWN and code not in _OF_MONEY:
        # What is wrong with the terminal matters less than what is known of the money.
        code = "POS_UNKNOWN"
    if not code:
        return {"zh": "", "en": ""}
    entry = fault(code)
    details: dict[str, object] = {
        "host_code": row.host_code, "text": row.text, "terminal": row.terminal,
        "payment": row.of_id or row.id,
    }  # fmt: skip
    dry = row.state is PaymentState.NOT_SENT and code != "POS_NOT_SENT"
    return {
        "zh": f"{'没有扣款：' if dry else ''}{fill(entry.zh, details).strip()}。"
              f"{fill(entry.action_zh, details)}",
        "en": f"{'Nothing was charged: ' if dry else ''}{fill(entry.en, details).strip()}. "
              f"{fill(entry.action_en, details)}",
    }  # fmt: skip


def told_of_loose(row: Loose) -> dict[str, Any]:
    """Return money taken without a receipt as members: the payment, what is left, and why."""
    return {**told_of(row.payment), "left": format_fen(row.left_fen), "why": row.why}


def told_of_settlement(row: Settlement) -> dict[str, Any]:
    """Return a settlement as members; what the terminal does not tell is null."""
    theirs = {
        "count": row.count, "amount": format_fen(row.amount_fen), "refunds": row.refunds,
        "refunded": format_fen(row.refunds_fen),
    }  # fmt: skip
    return {
        "id": row.id, "terminal": row.terminal, "batch": row.batch, "at": iso(row.at),
        **(theirs if row.told else dict.fromkeys(theirs)), "our_count": row.our_count,
        "our_amount": format_fen(row.our_amount_fen), "our_refunds": row.our_refunds,
        "our_refunded": format_fen(row.our_refunds_fen), "fits": row.fits,
    }  # fmt: skip
