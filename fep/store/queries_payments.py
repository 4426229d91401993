"""Lists of payments, as people and the daemon's start ask for them. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from fep.domain.payment import OPEN, Op, PaymentState
from fep.domain.receipt import ReceiptState
from fep.store import schema
from fep.store.payments import Payment, payment_from, payment_of
from fep.store.schema_payments import payment as _P

LOOKED_BACK = 20_000
"""Newest payments that are looked through for money without a receipt."""
_OPEN = tuple(sorted(state.value for state in OPEN))


def unknown_q(conn: Connection, terminal: str = "", limit: int = 100) -> tuple[Payment, ...]:
    """Return the oldest unknown payments, of one terminal or of all."""
    wanted = [_P.c.state == PaymentState.UNKNOWN.value]
    if terminal:
        wanted.append(_P.c.terminal == terminal)
    rows = conn.execute(select(_P).where(*wanted).order_by(_P.c.id).limit(limit))
    return tuple(payment_of(row) for row in rows)


def open_count_q(conn: Connection, terminal: str) -> int:
    """Return how many payments of a terminal have not ended; unknown ones do not count."""
    query = (
        select(func.count()).select_from(_P).where(_P.c.state.in_(_OPEN), _P.c.terminal == terminal)
    )
    return int(conn.execute(query).scalar_one())


def list_q(conn: Connection, state: str = "", terminal: str = "", limit: int = 100,
           receipt_key: str = "") -> tuple[Payment, ...]:  # fmt: skip
    """Return payments, newest first; empty texts mean any."""
    wanted = []
    if receipt_key:
        wanted.append(_P.c.receipt_key == receipt_key)
    if state:
        wanted.append(_P.c.state == state)
    if terminal:
        wanted.append(_P.c.terminal == terminal)
    rows = conn.execute(select(_P).where(*wanted).order_by(_P.c.id.desc()).limit(limit))
    return tuple(payment_of(row) for row in rows)


def of_event_q(conn: Connection, unit: str, receipt_key: str,
               limit: int = 100) -> tuple[Payment, ...]:  # fmt: skip
    """Return what was paid and given back for an event, oldest first."""
    rows = conn.execute(
        select(_P)
        .where(_P.c.unit == unit, _P.c.receipt_key == receipt_key)
        .order_by(_P.c.id)
        .limit(limit)
    )
    return tuple(payment_of(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Loose:
    """Money taken for which no receipt stands. `left_fen`: what was not given back of it;
    `why`: `untied` (no event was named), `none` (no receipt yet) or `reversed`."""

    payment: Payment
    left_fen: int
    why: str


def without_receipt_q(conn: Connection, limit: int = 100) -> tuple[Loose, ...]:
    """Return money taken without a receipt that stands: charged, but no receipt; or the receipt
    was reversed and the money is still here. Oldest first, of the newest LOOKED_BACK payments.
    """
    given, has, stands = _given(), _has(stands=False), _has(stands=True)
    rows = conn.execute(
        select(_P, given.label("given"), has.label("has"))
        .where(_loose(given, stands))
        .order_by(_P.c.id)
        .limit(limit)
    )
    found = []
    for row in rows:
        members = dict(row._mapping)
        left = members["amount_fen"] - members.pop("given")
        has_one = members.pop("has")
        why = "reversed" if has_one else "none"
        found.append(Loose(payment_from(members), left, why if row.receipt_key else "untied"))
    return tuple(found)


def loose_count_q(conn: Connection, before_ms: int) -> int:
    """Return for how many payments of named events, ended before a moment, no receipt stands."""
    query = (
        select(func.count())
        .select_from(_P)
        .where(_loose(_given(), _has(stands=True)), _P.c.receipt_key != "",
               _P.c.ended_at < before_ms)
    )  # fmt: skip
    return int(conn.execute(query).scalar_one())


def _loose(given: ColumnElement[int], stands: ColumnElement[bool]) -> ColumnElement[bool]:
    newest = select(func.coalesce(func.max(_P.c.id), 0)).scalar_subquery()
    return and_(
        _P.c.id > newest - LOOKED_BACK, _P.c.state == PaymentState.APPROVED.value,
        _P.c.op == Op.PAY.value, _P.c.amount_fen > given, or_(_P.c.receipt_key == "", ~stands),
    )  # fmt: skip


def _given() -> ColumnElement[int]:
    back = _P.alias()
    return (
        select(func.coalesce(func.sum(back.c.amount_fen), 0))
        .where(back.c.of_id == _P.c.id, back.c.state == PaymentState.APPROVED.value)
        .scalar_subquery()
    )


def _has(*, stands: bool) -> ColumnElement[bool]:
    """Return whether the event of a payment has a receipt, and one that was not reversed."""
    event, receipt, reversal = schema.event, schema.receipt, schema.reversal
    wanted = [event.c.unit == _P.c.unit, event.c.key == _P.c.receipt_key,
              receipt.c.state != ReceiptState.BURNED.value]  # fmt: skip
    if stands:
        wanted.append(
            ~select(reversal.c.red_id)
            .where(reversal.c.blue_id == receipt.c.id, reversal.c.state == "live")
            .exists()
        )
    return (
        select(receipt.c.id)
        .join(event, event.c.id == receipt.c.event_id)
        .where(*wanted)
        .exists()
    )  # fmt: skip
