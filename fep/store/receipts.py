"""Reading receipts back: by key, by number, the frozen ones, the literal bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select

from fep.domain.receipt import Receipt, ReceiptState
from fep.store.packed import unpack
from fep.store.schema import certificate, event, original, print_job, receipt, signature

_COLUMNS = (
    receipt.c.id, receipt.c.event_id, receipt.c.unit, receipt.c.kind, receipt.c.point,
    receipt.c.code, receipt.c.number, receipt.c.state, receipt.c.amount_fen,
    receipt.c.check_code, receipt.c.payer, receipt.c.issued_at, receipt.c.issued_on,
    event.c.key,
    select(func.min(print_job.c.id)).where(print_job.c.receipt_id == receipt.c.id)
    .scalar_subquery().label("print_job"),
)  # fmt: skip


def receipts() -> Select[tuple[object, ...]]:
    """Return the select that `as_receipt` reads, to be narrowed by the caller."""
    return select(*_COLUMNS).join(event, event.c.id == receipt.c.event_id)


_BY_ID = receipts().where(receipt.c.id == bindparam("receipt_id"))  # composed once


def as_receipt(row: Row[tuple[object, ...]]) -> Receipt:
    """Return a row of `receipts()` as a value."""
    values = row._mapping
    return Receipt(**{**values, "state": ReceiptState(values["state"])})


def by_number_q(conn: Connection, code: str, number: str) -> Receipt | None:
    """Return the receipt of a code and number, burned ones included."""
    row = conn.execute(
        receipts().where(and_(receipt.c.code == code, receipt.c.number == number))
    ).first()
    return as_receipt(row) if row else None


def by_id_q(conn: Connection, receipt_id: int) -> Receipt | None:
    """Return the receipt of an id."""
    row = conn.execute(_BY_ID, {"receipt_id": receipt_id}).first()
    return as_receipt(row) if row else None


def by_key_q(conn: Connection, unit: str, key: str) -> Receipt | None:
    """Return the live receipt of an event key."""
    row = conn.execute(
        receipts().where(
            and_(event.c.unit == unit, event.c.key == key, receipt.c.state != "burned")
        )
    ).first()
    return as_receipt(row) if row else None


def frozen_q(conn: Connection, limit: int, after: int = 0) -> list[Receipt]:
    """Return receipts with an id above `after` that wait for their signature, oldest first."""
    rows = conn.execute(
        receipts()
        .where(and_(receipt.c.state == "frozen", receipt.c.id > after))
        .order_by(receipt.c.id)
        .limit(limit)
    )
    return [as_receipt(row) for row in rows]


def original_q(conn: Connection, receipt_id: int) -> bytes:
    """Return the literal signed bytes. Raises KeyError when there are none."""
    body = conn.execute(select(original.c.body).where(original.c.receipt_id == receipt_id)).scalar()
    if body is None:
        raise KeyError(receipt_id)
    return unpack(body)


@dataclass(frozen=True, slots=True)
class Signed:
    """The unit's signature over an original and the certificate it verifies under."""

    der: bytes
    signed_at: int
    cert_id: int
    cert_der: bytes
    cert_serial: str


def signature_q(conn: Connection, receipt_id: int) -> Signed | None:
    """Return the signature of a sealed receipt."""
    row = conn.execute(
        select(
            signature.c.der, signature.c.signed_at, signature.c.cert_id, certificate.c.der,
            certificate.c.serial,
        )
        .join(certificate, certificate.c.id == signature.c.cert_id)
        .where(signature.c.receipt_id == receipt_id)
    ).first()  # fmt: skip
    return Signed(*row) if row else None


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as stored; `params` are the JSON bytes of the request."""

    id: int
    unit: str
    caller: str
    key: str
    digest: bytes
    state: str
    received_at: int
    reason: str
    params: bytes


_EVENT = (
    event.c.id, event.c.unit, event.c.caller, event.c.key, event.c.digest, event.c.state,
    event.c.received_at, event.c.reason, event.c.body,
)  # fmt: skip

_EVENT_BY_ID = select(*_EVENT).where(event.c.id == bindparam("event_id"))


def _as_event(row: Any) -> EventRow:
    values = dict(row._mapping)
    values["params"] = unpack(values.pop("body"))
    return EventRow(**values)


def event_q(conn: Connection, unit: str, key: str) -> EventRow | None:
    """Return the event of a key."""
    row = conn.execute(
        select(*_EVENT).where(and_(event.c.unit == unit, event.c.key == key))
    ).first()
    return _as_event(row) if row else None


def event_by_id_q(conn: Connection, event_id: int) -> EventRow | None:
    """Return the event of an id."""
    row = conn.execute(_EVENT_BY_ID, {"event_id": event_id}).first()
    return _as_event(row) if row else None


def queued_q(conn: Connection, after: int, limit: int) -> list[EventRow]:
    """Return events that wait to be issued by themselves, oldest first."""
    rows = conn.execute(
        select(*_EVENT)
        .where(and_(event.c.state == "queued", event.c.id > after))
        .order_by(event.c.id)
        .limit(limit)
    )
    return [_as_event(row) for row in rows]


def recent_digests_q(
    conn: Connection, since_ms: int, limit: int
) -> list[tuple[str, bytes, str, int]]:
    """Return (unit, digest, key, received_at) of the newest events, oldest first."""
    rows = conn.execute(
        select(event.c.unit, event.c.digest, event.c.key, event.c.received_at)
        .order_by(event.c.id.desc())
        .limit(limit)
    )
    found = [(u, bytes(d), k, at) for u, d, k, at in rows if at >= since_ms]
    return found[::-1]
