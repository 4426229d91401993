"""Lists of payments and settlements, as people and the daemon's start ask for them. Reads only."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from fep.domain.payment import OPEN, Op, PaymentState
from fep.store import schema
from fep.store.payments import Payment, Settlement, payment_of
from fep.store.schema_payments import payment as _P
from fep.store.schema_payments import settlement as _SETTLEMENT

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


def list_q(conn: Connection, state: str = "", terminal: str = "",
           limit: int = 100) -> tuple[Payment, ...]:  # fmt: skip
    """Return payments, newest first."""
    wanted = []
    if state:
        wanted.append(_P.c.state == state)
    if terminal:
        wanted.append(_P.c.terminal == terminal)
    rows = conn.execute(select(_P).where(*wanted).order_by(_P.c.id.desc()).limit(limit))
    return tuple(payment_of(row) for row in rows)


def without_receipt_q(conn: Connection, limit: int = 100) -> tuple[Payment, ...]:
    """Return money taken for an event that has no receipt: charged, but no receipt.

    A payment given back in full is not among them.
    """
    back = _P.alias()
    given = (
        select(func.coalesce(func.sum(back.c.amount_fen), 0))
        .where(back.c.of_id == _P.c.id, back.c.state == PaymentState.APPROVED.value)
        .scalar_subquery()
    )
    event, receipt = schema.event, schema.receipt
    has = (
        select(receipt.c.id)
        .join(event, event.c.id == receipt.c.event_id)
        .where(event.c.unit == _P.c.unit, event.c.key == _P.c.receipt_key)
        .exists()
    )
    rows = conn.execute(
        select(_P)
        .where(
            _P.c.state == PaymentState.APPROVED.value, _P.c.op == Op.PAY.value,
            _P.c.amount_fen > given, or_(_P.c.receipt_key == "", ~has),
        )
        .order_by(_P.c.id)
        .limit(limit)
    )  # fmt: skip
    return tuple(payment_of(row) for row in rows)


def settlements_q(conn: Connection, limit: int = 100) -> tuple[Settlement, ...]:
    """Return settlements, newest first."""
    rows = conn.execute(select(_SETTLEMENT).order_by(_SETTLEMENT.c.id.desc()).limit(limit))
    return tuple(Settlement(**dict(row._mapping)) for row in rows)
