"""Deliveries without batches: the daemon calls the platform itself.

A delivery that is about to leave is `sent` with a record number of its own, in one
transaction; a restart finds it so and asks the platform before anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, func, select, update

from fep.store.link import OUT, RECEIPTS, DueRow, Head, due_q, head_q, put_head, sent_q
from fep.store.schema import upload
from fep.store.tx import Tx

PAGE_ROWS: Final = 50
_SENT: Final = (
    "UPDATE upload SET state = 'sent', rec_seq = ?, batch_seq = ?, updated_at = ?"
    " WHERE id = ? AND state = 'due'"
)


def take_txn(tx: Tx, dest: str, limit: int) -> list[DueRow]:
    """Mark the oldest due deliveries as leaving; returns them with their record numbers."""
    rows = due_q(tx.conn, dest, 0, limit)
    if not rows:
        return []
    head = head_q(tx.conn, dest, RECEIPTS, OUT) or Head()
    seq = head.seq + 1
    numbered = [replace(row, rec_seq=head.rec_seq + 1 + n) for n, row in enumerate(rows)]
    tx.cursor.executemany(_SENT, [(row.rec_seq, seq, tx.now_ms, row.upload_id) for row in numbered])
    put_head(tx, dest, RECEIPTS, OUT, replace(head, seq=seq, rec_seq=numbered[-1].rec_seq))
    tx.journal("link.leaving", f"{dest}/{seq}", {
        "first_rec": numbered[0].rec_seq, "n_rec": len(numbered),
    })  # fmt: skip
    return numbered


def doubt_txn(tx: Tx, dest: str, rec_seq: int, why: str) -> None:
    """Write down that no answer came; the delivery stays `sent`."""
    tx.conn.execute(
        update(upload)
        .where(upload.c.dest == dest, upload.c.rec_seq == rec_seq, upload.c.state == "sent",
               upload.c.batch_seq > 0)
        .values(detail=f"in doubt: {why}"[:500], updated_at=tx.now_ms)
    )  # fmt: skip
    tx.journal("link.doubt", f"{dest}/{rec_seq}", {"why": why[:200]})


def doubtful_q(conn: Connection, dest: str) -> list[DueRow]:
    """Return what had left when we were stopped or killed, oldest first."""
    seqs: Sequence[int] = conn.execute(
        select(upload.c.rec_seq)
        .where(upload.c.dest == dest, upload.c.state == "sent", upload.c.state != "applied")
        .order_by(upload.c.id)
    ).scalars().all()  # fmt: skip
    rows: list[DueRow] = []
    for start in range(0, len(seqs), PAGE_ROWS):
        rows += sent_q(conn, dest, seqs[start : start + PAGE_ROWS])
    return sorted(rows, key=lambda row: row.rec_seq)


def sent_count_q(conn: Connection, dest: str) -> int:
    """Return how many deliveries have left and have no answer."""
    return int(
        conn.execute(
            select(func.count()).select_from(upload)
            .where(upload.c.dest == dest, upload.c.state == "sent", upload.c.state != "applied")
        ).scalar_one()
    )  # fmt: skip
