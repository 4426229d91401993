"""Read functions over the link: its history, its batches, the way of one receipt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select

from fep.store.queries import Upload
from fep.store.schema import journal, link_batch, receipt, supervision, upload

HISTORY_SCAN_ROWS: Final = 500_000
PIECE_ROWS: Final = 5_000
HISTORY_OPS: Final = (
    "link.state", "link.paused", "link.resumed", "link.renewed", "link.conflict",
    "link.cert_rotated", "link.cert_revoked", "link.own_cert",
    "link.imported", "link.exported",
)  # fmt: skip
_MARKS: Final = tuple(f'"op":"{op}"'.encode() for op in HISTORY_OPS)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch of ours: made, written (waits for its answer) or acked. Times in ms."""

    id: int
    dest: str
    channel: int
    epoch: int
    seq: int
    first_rec: int
    n_rec: int
    state: str
    tries: int
    bytes: int
    created_at: int
    written_at: int
    next_at: int


@dataclass(frozen=True, slots=True)
class WayRow(Upload):
    """One delivery of a receipt and the batch it went in; `batch_state` empty before."""

    epoch: int
    batch_state: str
    tries: int
    written_at: int


@dataclass(frozen=True, slots=True)
class Way:
    """All deliveries of a receipt, oldest first, and when finance signed it (ms, 0 never)."""

    ref: str
    state: str
    issued_at: int
    supervised_at: int
    rows: tuple[WayRow, ...]


def history_q(conn: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the newest changes of the link out of the journal, newest first."""
    column = journal.c
    top = conn.execute(select(func.max(column.seq))).scalar() or 0
    found: list[dict[str, Any]] = []
    # Piece by piece, so that a long journal is read no further than need be.
    for high in range(top, max(0, top - HISTORY_SCAN_ROWS), -PIECE_ROWS):
        rows = conn.execute(
            select(column.seq, column.line)
            .where(column.seq <= high, column.seq > high - PIECE_ROWS)
            .where(or_(*(func.instr(column.line, mark) > 0 for mark in _MARKS)))
            .order_by(column.seq.desc())
        )
        for row in rows:
            told = json.loads(row.line)
            if told["op"] in HISTORY_OPS:
                found.append({"seq": row.seq, "at": told["at"], "op": told["op"],
                              "ref": told["ref"], "body": told["body"]})  # fmt: skip
            if len(found) >= limit:
                return found
    return found


def batches_q(conn: Connection, *, closed: bool, limit: int) -> list[BatchRow]:
    """Return open batches oldest first, or with `closed` the newest of all."""
    column = link_batch.c
    size = func.coalesce(func.length(column.bytes), 0)
    names = [getattr(column, n) if n != "bytes" else size for n in BatchRow.__slots__]
    found = select(*names).limit(limit)
    found = (
        found.order_by(column.id.desc())
        if closed
        else found.where(column.state != "acked").order_by(column.id)
    )
    return [BatchRow(*row) for row in conn.execute(found)]


def content_q(conn: Connection, dest: str, after: int, limit: int) -> list[tuple[BatchRow, bytes]]:
    """Return open batches of a destination with their files, ids above `after`."""
    column = link_batch.c
    size = func.length(column.bytes)
    names = [getattr(column, n) if n != "bytes" else size for n in BatchRow.__slots__]
    rows = conn.execute(
        select(*names, column.bytes)
        .where(column.dest == dest, column.state != "acked", column.id > after)
        .where(column.bytes.is_not(None))
        .order_by(column.id)
        .limit(limit)
    )
    return [(BatchRow(*row[:-1]), bytes(row[-1])) for row in rows]


def way_q(conn: Connection, code: str, number: str) -> Way | None:
    """Return the way of a receipt, None when there is none of that number."""
    found = conn.execute(
        select(receipt.c.id, receipt.c.state, receipt.c.issued_at)
        .where(receipt.c.code == code, receipt.c.number == number)
    ).first()  # fmt: skip
    if found is None:
        return None
    signed = conn.execute(
        select(supervision.c.signed_at).where(supervision.c.receipt_id == found.id)
    ).scalar()
    column, batch = upload.c, link_batch.c
    names = [
        *(getattr(column, name) for name in Upload.__slots__),
        func.coalesce(batch.epoch, 0), func.coalesce(batch.state, ""),
        func.coalesce(batch.tries, 0), func.coalesce(batch.written_at, 0),
    ]  # fmt: skip
    rows = conn.execute(
        select(*names)
        .select_from(upload.outerjoin(link_batch, and_(
            batch.dest == column.dest, batch.channel == 1, batch.seq == column.batch_seq,
            column.batch_seq > 0, batch.epoch == _epoch(conn, column.dest),
        )))
        .where(column.receipt_id == found.id)
        .order_by(column.id)
    ).all()  # fmt: skip
    way = tuple(WayRow(*row) for row in rows)
    return Way(f"{code}-{number}", found.state, found.issued_at, signed or 0, way)


def _epoch(conn: Connection, dest: Any) -> Any:
    """Return the epoch of the newest batch of that number: an older one was sent anew."""
    inner = link_batch.alias()
    return (
        select(func.max(inner.c.epoch))
        .where(inner.c.dest == dest, inner.c.channel == 1, inner.c.seq == upload.c.batch_seq)
        .scalar_subquery()
    )
