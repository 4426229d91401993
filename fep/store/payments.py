"""Payments: the intent before its first byte, every step after it, and people's words.

Rules: every change of state goes through `fep.domain.payment.decide`; one payment of a terminal
is under way at a time; what moved money, what is unknown and what people say is journalled,
without card numbers. Times are integer ms since the epoch, taken from the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from fep.domain.calendar import local
from fep.domain.faults import Refused, refuse
from fep.domain.money import format_fen
from fep.domain.payment import (
    OPEN,
    PAYMENT_WORDS,
    IllegalStep,
    Op,
    Order,
    PaymentState,
    PayReply,
    Step,
    Way,
    decide,
    step_of,
)
from fep.store.schema_payments import payment as _P
from fep.store.tx import Tx

_ONE = select(_P).where(_P.c.id == bindparam("payment"))  # what every step asks, composed once
_OPEN = tuple(sorted(state.value for state in OPEN))
_MOVED = frozenset({PaymentState.APPROVED, PaymentState.UNKNOWN})
FAULT_OF = {
    PaymentState.DECLINED: "POS_DECLINED",
    PaymentState.CANCELLED: "POS_CANCELLED",
    PaymentState.NOT_SENT: "POS_NOT_SENT",
    PaymentState.UNKNOWN: "POS_UNKNOWN",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for. `of_key` is the key of the payment to void or refund.

    `another`: a further payment like one that stands for the same event is meant as such.
    """

    unit: str
    key: str
    op: Op
    way: Way
    terminal: str
    amount_fen: int
    receipt_key: str
    caller: str
    operator: str
    of_key: str = ""
    another: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """One financial command and what is known of it. Amounts in fen, times in ms."""

    id: int
    unit: str
    key: str
    op: Op
    way: Way
    terminal: str
    serial: str
    amount_fen: int
    of_id: int
    receipt_key: str
    caller: str
    operator: str
    state: PaymentState
    acked: bool
    fault: str
    host_code: str
    text: str
    pan: str
    batch: str
    trace: str
    ref: str
    auth: str
    host_at: str
    created_at: int
    sent_at: int
    ended_at: int
    updated_at: int
    inquiries: int
    settled_id: int


# steps
def create_txn(tx: Tx, wish: Wish) -> tuple[Payment, bool]:
    """Store an intent; answers the payment and whether it is new.

    Raises Refused: POS_KEY for a key with other content; POS_FIRST, POS_PAID for an event whose
    payer may have been charged already; POS_NONE, POS_STATE, POS_SETTLED, POS_AMOUNT for an
    original that cannot be given back.
    """
    found = by_key_q(tx.conn, wish.unit, wish.key)
    if found is not None:
        if not _same(tx.conn, found, wish):
            raise refuse("POS_KEY", key=wish.key)
        return found, False
    of_id = 0
    if wish.op is not Op.PAY:
        of_id = _original(tx.conn, wish)
    elif wish.receipt_key:
        _unpaid(tx.conn, wish)
    id_ = tx.next_id("payment")
    made = Payment(
        id_, wish.unit, wish.key, wish.op, wish.way, wish.terminal, serial_of(id_, tx.now_ms),
        wish.amount_fen, of_id, wish.receipt_key, wish.caller, wish.operator,
        PaymentState.CREATED, False, "", "", "", "", "", "", "", "", "", tx.now_ms, 0, 0,
        tx.now_ms, 0, 0,
    )  # fmt: skip
    columns = {name: getattr(made, name) for name in Payment.__slots__}
    plain = {"op": made.op.value, "way": made.way.value, "state": made.state.value}
    tx.conn.execute(insert(_P).values(**{**columns, **plain}))
    return made, True


def send_txn(tx: Tx, id_: int, batch: str = "") -> Payment:
    """Note that the first byte may leave now, into the terminal's open batch.

    Raises Refused POS_STATE: it was cancelled meanwhile; POS_SETTLED: the payment to void is of
    a batch that was closed meanwhile.
    """
    found = _need(tx.conn, id_)
    if found.state is not PaymentState.CREATED:
        raise _unfit(found)
    if found.op is Op.VOID and _need(tx.conn, found.of_id).settled_id:
        raise refuse("POS_SETTLED", payment=found.of_id)
    return step_txn(tx, found, Step.SEND, sent_at=tx.now_ms, batch=batch)


def drop_txn(tx: Tx, id_: int, fault_code: str) -> Payment:
    """Give up a payment that has not left; one that has stays as it is."""
    found = _need(tx.conn, id_)
    if found.state is not PaymentState.CREATED:
        return found
    return step_txn(tx, found, Step.NOT_SENT, fault=fault_code)


def tie_txn(tx: Tx, id_: int, receipt_key: str, reason: str, who: str) -> Payment:
    """Say for which event the money is. Raises Refused POS_NONE, POS_STATE."""
    found = _need(tx.conn, id_)
    if found.op is not Op.PAY or found.state is not PaymentState.APPROVED:
        raise _unfit(found)
    tx.conn.execute(
        update(_P)
        .where(or_(_P.c.id == id_, _P.c.of_id == id_))
        .values(receipt_key=receipt_key, updated_at=tx.now_ms)
    )
    tx.journal("payment.tied", str(id_), {
        "receipt_key": receipt_key, "before": found.receipt_key, "reason": reason[:200],
        "who": who,
    })  # fmt: skip
    return _need(tx.conn, id_)


def ack_txn(tx: Tx, id_: int) -> Payment:
    """Note that the terminal took the command; a late word changes nothing."""
    found = _need(tx.conn, id_)
    if found.state is not PaymentState.SENT:
        return found
    return step_txn(tx, found, Step.ACK, acked=True)


def reply_txn(tx: Tx, id_: int, reply: PayReply, *, inquired: bool = False) -> Payment:
    """Store what an exchange proves of a payment that has not ended; else nothing changes."""
    found = _need(tx.conn, id_)
    if found.state not in (*OPEN, PaymentState.UNKNOWN):
        return found
    record = reply.record
    known = {
        name: getattr(record, name)
        for name in ("pan", "batch", "trace", "ref", "auth", "host_code")
        if getattr(record, name)
    }
    if record.at:
        known["host_at"] = record.at
    if record.text:
        known["text"] = record.text[:100]
    try:
        return step_txn(tx, found, step_of(reply.verdict), fault=reply.fault,
                     inquiries=found.inquiries + inquired, **known)  # fmt: skip
    except IllegalStep as error:
        raise _unfit(found) from error


def recover_txn(tx: Tx) -> tuple[Payment, ...]:
    """Take back every payment that was open when the daemon ended; at start only."""
    rows = tx.conn.execute(select(_P).where(_P.c.state.in_(_OPEN)).order_by(_P.c.id)).all()
    return tuple(step_txn(tx, payment_of(row), Step.RESTART) for row in rows)


def say_txn(tx: Tx, id_: int, charged: bool, reason: str, who: str,
            approved: Sequence[str]) -> Payment:  # fmt: skip
    """Take the word of two people on an unknown payment.

    Raises Refused: POS_NONE, POS_STATE, POS_ONE_PERSON.
    """
    names = tuple(dict.fromkeys(" ".join(name.split())[:40] for name in approved if name.strip()))
    if len({name.casefold() for name in names}) < 2:
        raise refuse("POS_ONE_PERSON")
    found = _need(tx.conn, id_)
    try:
        step = Step.SAY_CHARGED if charged else Step.SAY_NOT_CHARGED
        after = step_txn(tx, found, step, text=reason[:100])
    except IllegalStep as error:
        raise _unfit(found) from error
    tx.journal("payment.said", str(id_), {
        "charged": charged, "reason": reason[:200], "who": who, "approved": list(names),
    })  # fmt: skip
    return after


# queries
def payment_q(conn: Connection, id_: int) -> Payment | None:
    """Return one payment."""
    row = conn.execute(_ONE, {"payment": id_}).first()
    return None if row is None else payment_of(row)


def by_key_q(conn: Connection, unit: str, key: str) -> Payment | None:
    """Return the payment of a key."""
    row = conn.execute(select(_P).where(_P.c.unit == unit, _P.c.key == key)).first()
    return None if row is None else payment_of(row)


def back_count_q(conn: Connection, id_: int) -> int:
    """Return how often a payment was to be given back, whatever came of it."""
    query = select(func.count()).select_from(_P).where(_P.c.of_id == id_)
    return int(conn.execute(query).scalar_one())


def left_q(conn: Connection, first: Payment) -> int:
    """Return what was not given back of a payment, in fen.

    What is under way or unknown counts as given back: never twice.
    """
    return first.amount_fen - _given(conn, first.id)


def order_q(conn: Connection, id_: int, code: str = "") -> Order:
    """Return the command of a payment. Raises Refused POS_NONE."""
    found = _need(conn, id_)
    first = payment_q(conn, found.of_id) if found.of_id else None
    return Order(
        found.id, found.op, found.way, found.serial, found.amount_fen, found.operator, code,
        first.trace if first else "", first.ref if first else "",
        f"{local(first.created_at):%Y%m%d}" if first else "",
    )  # fmt: skip


def serial_of(id_: int, now_ms: int) -> str:
    """Return the serial that stands in the terminal's record: local time and id, 20 digits.

    The time keeps it apart from those that a restored store gave before.
    """
    return f"{local(now_ms):%y%m%d%H%M%S}{id_ % 100_000_000:08d}"


def _same(conn: Connection, found: Payment, wish: Wish) -> bool:
    first = payment_q(conn, found.of_id) if found.of_id else None
    told = (found.op, found.way, found.terminal, found.amount_fen, found.receipt_key)
    asked = (wish.op, wish.way, wish.terminal, wish.amount_fen, wish.receipt_key)
    return told == asked and (first.key if first else "") == wish.of_key


def _original(conn: Connection, wish: Wish) -> int:
    """Return the id of the payment to give back. Raises Refused POS_NONE, _STATE, _AMOUNT."""
    first = by_key_q(conn, wish.unit, wish.of_key)
    if first is None or first.op is not Op.PAY:
        raise refuse("POS_NONE")
    if first.state is not PaymentState.APPROVED or first.terminal != wish.terminal:
        raise _unfit(first)
    if wish.op is Op.VOID and first.settled_id:
        raise refuse("POS_SETTLED", payment=first.id)
    left = left_q(conn, first)
    if wish.amount_fen > left or (wish.op is Op.VOID and wish.amount_fen != first.amount_fen):
        raise refuse("POS_AMOUNT", amount=format_fen(wish.amount_fen), left=format_fen(left))
    return first.id


def _given(conn: Connection, id_: int) -> int:
    """Return what was given back of a payment, or may have been, in fen."""
    counts = (*_OPEN, PaymentState.APPROVED.value, PaymentState.UNKNOWN.value)
    query = select(func.coalesce(func.sum(_P.c.amount_fen), 0)).where(
        and_(_P.c.of_id == id_, _P.c.state.in_(counts))
    )
    return int(conn.execute(query).scalar_one())


def _unpaid(conn: Connection, wish: Wish) -> None:
    """Refuse to charge for an event whose payer was charged, or may have been.

    A second press under a new key is the usual way to charge twice. Raises POS_FIRST, POS_PAID.
    """
    rows = conn.execute(
        select(_P)
        .where(_P.c.unit == wish.unit, _P.c.receipt_key == wish.receipt_key,
               _P.c.op == Op.PAY.value)
        .order_by(_P.c.id)
    )  # fmt: skip
    for row in map(payment_of, rows):
        if row.state in (*OPEN, PaymentState.UNKNOWN):
            raise refuse("POS_FIRST", receipt_key=wish.receipt_key, payment=row.id)
        same = row.state is PaymentState.APPROVED and row.amount_fen == wish.amount_fen
        if same and not wish.another and not _given(conn, row.id):
            raise refuse("POS_PAID", receipt_key=wish.receipt_key, payment=row.id,
                         amount=format_fen(row.amount_fen))  # fmt: skip


def step_txn(tx: Tx, found: Payment, step: Step, **values: object) -> Payment:
    """Take a payment one step on, with what is known besides. Raises IllegalStep."""
    state, _effects = decide(found.state, step, acked=found.acked)
    fault = values.pop("fault", "") or FAULT_OF.get(state, "")
    if state not in (*OPEN, PaymentState.UNKNOWN):
        values["ended_at"] = tx.now_ms
    tx.conn.execute(
        update(_P)
        .where(_P.c.id == found.id)
        .values(state=state.value, fault=fault, updated_at=tx.now_ms, **values)
    )
    after = _need(tx.conn, found.id)
    if state in _MOVED and state is not found.state:
        tx.journal(f"payment.{state.value}", str(found.id), _body(after))
    return after


def _body(row: Payment) -> dict[str, object]:
    return {
        "unit": row.unit, "key": row.key, "op": row.op.value, "terminal": row.terminal,
        "serial": row.serial, "amount": format_fen(row.amount_fen), "fault": row.fault,
        "ref": row.ref, "of": row.of_id,
    }  # fmt: skip


def _unfit(row: Payment) -> Refused:
    return refuse("POS_STATE", payment=row.id, state=row.state.value,
                  state_zh=PAYMENT_WORDS[row.state])  # fmt: skip


def _need(conn: Connection, id_: int) -> Payment:
    found = payment_q(conn, id_)
    if found is None:
        raise refuse("POS_NONE")
    return found


def payment_of(row: Row[tuple[object, ...]]) -> Payment:
    """Return a row as a payment."""
    return payment_from(dict(row._mapping))


def payment_from(values: Mapping[str, Any]) -> Payment:
    """Return the columns of a row as a payment."""
    return Payment(**{
        **values, "op": Op(values["op"]), "way": Way(values["way"]),
        "state": PaymentState(values["state"]),
    })  # fmt: skip
