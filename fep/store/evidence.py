"""What an inspector is shown of a period: rows without personal data, in slices.

Each part is a query above a cursor, the id in the last row's first column; documents are shown
by their SM3 alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from fep.crypto import sm3
from fep.domain.journal import GENESIS
from fep.store.packed import unpack
from fep.store.schema import (
    burn,
    certificate,
    event,
    journal,
    number_block,
    original,
    receipt,
    signature,
    upload,
)

ROWS = 1000
LATE_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Period:
    """Milliseconds since the epoch, `until_ms` excluded."""

    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Rows:
    """One slice; `after` is the cursor of the next one, None at the end."""

    columns: tuple[str, ...]
    rows: list[list[Any]]
    after: int | None


def part_q(conn: Connection, name: str, period: Period, after: int) -> Rows:
    """Return a slice of a part. Raises KeyError for a part there is not."""
    columns, statement = PARTS[name](period, after)
    found = conn.execute(statement.limit(ROWS)).all()
    rows = [[_plain(value) for value in row] for row in found]
    if "original_sm3" in columns:
        for row, told in zip(found, rows, strict=True):
            told[-1] = sm3.digest(unpack(row[-1])).hex()
    return Rows(columns, rows, found[-1][0] if len(found) == ROWS else None)


def _plain(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


Query = Callable[[Period, int], tuple[tuple[str, ...], Select[Any]]]


def _granted(_period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    """Blocks of all times: what was used in the period may have been granted before it."""
    column = number_block.c
    return (
        ("id", "unit", "code", "first", "last", "next", "state", "source", "evidence",
         "granted_at", "not_after"),
        select(column.id, column.unit, column.code, column.first, column.last, column.next,
               column.state, column.source, column.evidence, column.granted_at,
               column.not_after).where(column.id > after).order_by(column.id),
    )  # fmt: skip


def _used(period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    column = receipt.c
    return (
        ("id", "unit", "kind", "code", "number", "state", "amount_fen", "issued_at"),
        select(column.id, column.unit, column.kind, column.code, column.number, column.state,
               column.amount_fen, column.issued_at)
        .where(column.id > after, _within(column.issued_at, period)).order_by(column.id),
    )  # fmt: skip


def _burned(period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    """Single numbers; ranges stand in the journal as numbers.burned."""
    column = burn.c
    return (
        ("id", "code", "number", "reason", "evidence", "at"),
        select(receipt.c.id, column.code, column.number, column.reason, column.evidence,
               column.at)
        .join(receipt, and_(receipt.c.code == column.code, receipt.c.number == column.number))
        .where(receipt.c.id > after, _within(column.at, period)).order_by(receipt.c.id),
    )  # fmt: skip


def _signatures(period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    return (
        ("id", "code", "number", "cert_serial", "signed_at", "der", "original_sm3"),
        select(receipt.c.id, receipt.c.code, receipt.c.number, certificate.c.serial,
               signature.c.signed_at, signature.c.der, original.c.body)
        .select_from(receipt)
        .join(signature, signature.c.receipt_id == receipt.c.id)
        .join(certificate, certificate.c.id == signature.c.cert_id)
        .join(original, original.c.receipt_id == receipt.c.id)
        .where(receipt.c.id > after, _within(receipt.c.issued_at, period))
        .order_by(receipt.c.id),
    )  # fmt: skip


def _refused(period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    column = event.c
    return (
        ("id", "unit", "caller", "key", "reason", "received_at"),
        select(column.id, column.unit, column.caller, column.key, column.reason,
               column.received_at)
        .where(column.id > after, column.state == "refused",
               _within(column.received_at, period)).order_by(column.id),
    )  # fmt: skip


def _undelivered(period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    """Deliveries the platform refused, answered late, or has not answered."""
    late = upload.c.updated_at - receipt.c.issued_at > LATE_MS
    return (
        ("id", "code", "number", "dest", "op", "state", "result", "detail", "issued_at",
         "updated_at"),
        select(upload.c.id, receipt.c.code, receipt.c.number, upload.c.dest, upload.c.op,
               upload.c.state, upload.c.result, upload.c.detail, receipt.c.issued_at,
               upload.c.updated_at)
        .join(receipt, receipt.c.id == upload.c.receipt_id)
        .where(upload.c.id > after, _within(receipt.c.issued_at, period))
        .where(or_(upload.c.state != "applied", late)).order_by(upload.c.id),
    )  # fmt: skip


def _certificates(_period: Period, after: int) -> tuple[tuple[str, ...], Select[Any]]:
    column = certificate.c
    return (
        ("id", "serial", "subject", "der"),
        select(column.id, column.serial, column.subject, column.der)
        .where(column.id > after).order_by(column.id),
    )  # fmt: skip


def _within(column: Any, period: Period) -> Any:
    return and_(column >= period.since_ms, column < period.until_ms)


PARTS: dict[str, Query] = {
    "granted": _granted,
    "used": _used,
    "burned": _burned,
    "signatures": _signatures,
    "refused": _refused,
    "late": _undelivered,
    "certificates": _certificates,
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records of a period, and the hash of the one before them (hex)."""

    first: int
    last: int
    before: str


def stretch_q(conn: Connection, period: Period) -> Stretch:
    """Return which journal records a period holds; found by halving, times being in order."""
    newest = conn.execute(select(func.max(journal.c.seq))).scalar() or 0
    first = _first_since(conn, newest, period.since_ms)
    last = _first_since(conn, newest, period.until_ms) - 1
    before = conn.execute(select(journal.c.hash).where(journal.c.seq == first - 1)).scalar()
    return Stretch(first, last, (bytes(before) if before is not None else GENESIS).hex())


def _first_since(conn: Connection, newest: int, at_ms: int) -> int:
    low, high = 1, newest + 1
    while low < high:
        middle = (low + high) // 2
        line = conn.execute(select(journal.c.line).where(journal.c.seq == middle)).scalar()
        if line is None or int(json.loads(line)["at"]) < at_ms:
            low = middle + 1
        else:
            high = middle
    return low
