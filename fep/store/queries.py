"""Read functions over receipts for technician and accountant. Query-only, every path indexed.

They serve the running daemon and, with the daemon stopped, the command line itself. Each
answers with frozen values; a scan that no index bounds has a row limit of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from fep.domain.life_delivery import RECEIPT_OPS
from fep.domain.receipt import Receipt
from fep.store.receipts import as_receipt, by_number_q, receipts
from fep.store.schema import (
    burn,
    certificate,
    event,
    number_block,
    print_attempt,
    print_job,
    receipt,
    supervision,
    upload,
)

MAX_ROWS = 1000
# A search by payer looks at no more than this many receipts, newest first.
SCAN_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Range:
    """What a list shows: units, business dates, state; `before` is the cursor (an id)."""

    units: tuple[str, ...] = ()
    from_on: str = ""
    to_on: str = ""
    state: str = ""
    before: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A receipt in a list, with what became of delivery and paper."""

    receipt: Receipt
    upload: str
    prints: str


def list_q(conn: Connection, asked: Range) -> list[Listed]:
    """Return receipts of the range, newest first."""
    narrowed = receipts().order_by(receipt.c.id.desc()).limit(min(asked.limit, MAX_ROWS))
    for condition in _conditions(asked):
        narrowed = narrowed.where(condition)
    return _with_effects(conn, narrowed)


def _conditions(asked: Range) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.units:
        found.append(receipt.c.unit.in_(asked.units))
    if asked.from_on:
        found.append(receipt.c.issued_on >= asked.from_on)
    if asked.to_on:
        found.append(receipt.c.issued_on <= asked.to_on)
    if asked.state:
        found.append(receipt.c.state == asked.state)
    if asked.before:
        found.append(receipt.c.id < asked.before)
    return found


def find_q(conn: Connection, text: str, units: Sequence[str], limit: int) -> list[Listed]:
    """Return receipts by event key, number, code-number or beginning of the payer's name.

    Key and number run on an index; a name is looked for in the newest SCAN_ROWS only.
    """
    limit = min(limit, MAX_ROWS)
    by_key = event.c.key == text
    key_match = and_(event.c.unit.in_(units), by_key) if units else by_key
    matches: list[ColumnElement[bool]] = [key_match]
    code, dash, number = text.rpartition("-")
    if dash and len(number) == 10:
        matches.append(and_(receipt.c.code == code, receipt.c.number == number))
    elif text.isascii() and text.isdigit():
        codes = conn.execute(select(number_block.c.code).distinct()).scalars().all()
        matches.append(and_(receipt.c.code.in_(codes), receipt.c.number == text.zfill(10)))
    for match in matches:
        found = _with_effects(conn, receipts().where(match).limit(limit))
        if found:
            return found
    newest = conn.execute(select(func.max(receipt.c.id))).scalar() or 0
    by_name = (
        receipts()
        .where(receipt.c.id > newest - SCAN_ROWS)
        .where(receipt.c.payer.startswith(text, autoescape=True))
        .order_by(receipt.c.id.desc())
        .limit(limit)
    )
    return _with_effects(conn, by_name)


def _with_effects(conn: Connection, narrowed: Select[tuple[object, ...]]) -> list[Listed]:
    found = [as_receipt(row) for row in conn.execute(narrowed)]
    ids = [entry.id for entry in found]
    uploads: dict[int, str] = dict(
        conn.execute(
            select(upload.c.receipt_id, upload.c.state)
            .where(upload.c.receipt_id.in_(ids), upload.c.op.in_(RECEIPT_OPS))
            .order_by(upload.c.id)
        ).all()
    )
    prints: dict[int, str] = dict(
        conn.execute(
            select(print_job.c.receipt_id, print_job.c.state)
            .where(print_job.c.receipt_id.in_(ids))
            .order_by(print_job.c.id)
        ).all()
    )
    return [Listed(entry, uploads.get(entry.id, ""), prints.get(entry.id, "")) for entry in found]


@dataclass(frozen=True, slots=True)
class Upload:
    """One delivery of a receipt."""

    id: int
    dest: str
    op: str
    state: str
    rec_seq: int
    batch_seq: int
    result: str
    detail: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to print."""

    attempt: int
    device: str
    state: str
    outcome: str
    detail: str
    started_at: int
    ended_at: int


@dataclass(frozen=True, slots=True)
class Print:
    """One print job with its attempts."""

    id: int
    device_group: str
    device: str
    copy: int
    state: str
    reason: str
    created_at: int
    updated_at: int
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the store knows about one receipt but its document."""

    receipt: Receipt
    caller: str
    received_at: int
    uploads: tuple[Upload, ...]
    prints: tuple[Print, ...]
    burned_at: int
    burn_reason: str
    burn_evidence: str


def story_q(conn: Connection, code: str, number: str) -> Story | None:
    """Return the story of a receipt, None when there is none."""
    found = by_number_q(conn, code, number)
    if found is None:
        return None
    asked = conn.execute(
        select(event.c.caller, event.c.received_at).where(event.c.id == found.event_id)
    ).one()
    given_up = conn.execute(
        select(burn.c.at, burn.c.reason, burn.c.evidence).where(
            and_(burn.c.code == code, burn.c.number == number)
        )
    ).first()
    gone = (given_up.at, given_up.reason, given_up.evidence) if given_up else (0, "", "")
    return Story(found, asked.caller, asked.received_at, _uploads(conn, found.id),
                 _prints(conn, found.id), *gone)  # fmt: skip


def _uploads(conn: Connection, receipt_id: int) -> tuple[Upload, ...]:
    column = upload.c
    rows = conn.execute(
        select(column.id, column.dest, column.op, column.state, column.rec_seq,
               column.batch_seq, column.result, column.detail, column.updated_at)
        .where(column.receipt_id == receipt_id).order_by(column.id)
    )  # fmt: skip
    return tuple(Upload(*row) for row in rows)


def _prints(conn: Connection, receipt_id: int) -> tuple[Print, ...]:
    job = print_job.c
    rows = conn.execute(
        select(job.id, job.device_group, job.device, job.copy, job.state, job.reason,
               job.created_at, job.updated_at)
        .where(job.receipt_id == receipt_id).order_by(job.id)
    ).all()  # fmt: skip
    return tuple(Print(*row, attempts_q(conn, row.id)) for row in rows)


def attempts_q(conn: Connection, job_id: int) -> tuple[Attempt, ...]:
    """Return the attempts of a print job, first to last."""
    column = print_attempt.c
    rows = conn.execute(
        select(column.attempt, column.device, column.state, column.outcome, column.detail,
               column.started_at, column.ended_at)
        .where(column.job_id == job_id).order_by(column.attempt)
    )  # fmt: skip
    return tuple(Attempt(*row) for row in rows)


@dataclass(frozen=True, slots=True)
class Supervised:
    """The platform's supervision signature over a receipt."""

    signed_at: int
    cert_serial: str
    der: bytes


def supervision_q(conn: Connection, receipt_id: int) -> Supervised | None:
    """Return the supervision signature, None while the platform has not given it."""
    column = supervision.c
    row = conn.execute(
        select(column.signed_at, column.cert_serial, column.der).where(
            column.receipt_id == receipt_id
        )
    ).first()
    return Supervised(*row) if row else None


def certificate_of_serial_q(conn: Connection, serial: str) -> bytes | None:
    """Return the newest stored certificate (DER) of a serial, in hex of either case."""
    column = certificate.c
    return conn.execute(
        select(column.der)
        .where(or_(column.serial == serial.lower(), column.serial == serial.upper()))
        .order_by(column.id.desc())
    ).scalar()


@dataclass(frozen=True, slots=True)
class Day:
    """What a unit issued on one business day."""

    unit: str
    count: int
    amount_fen: int


def day_q(conn: Connection, units: Sequence[str], issued_on: str) -> list[Day]:
    """Return count and sum of the sealed receipts of a day, one row a unit."""
    found: list[Day] = []
    for unit in units:
        row = conn.execute(
            select(func.count(), func.coalesce(func.sum(receipt.c.amount_fen), 0)).where(
                and_(
                    receipt.c.unit == unit,
                    receipt.c.issued_on == issued_on,
                    receipt.c.state == "sealed",
                )
            )
        ).one()
        found.append(Day(unit, row[0], row[1]))
    return found
