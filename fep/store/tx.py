"""One transaction as the `*_txn` functions see it: connection, heads and the journal.

Heads are the values the writer keeps in memory so that no statement has to ask for them:
next ids, the journal's head, the open number blocks, the last issue time per code. A copy
belongs to a transaction and becomes true only when it commits.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from fep.crypto import sm3
from fep.domain.journal import GENESIS, line
from fep.domain.numbers import Block, Blocks, BlockState, number_text
from fep.store import (
    schema,
    schema_batches,
    schema_forms,
    schema_messages,
    schema_payments,
    schema_reconcile,
)

INSERT_JOURNAL = "INSERT INTO journal (seq, line, hash) VALUES (?, ?, ?)"
COUNTED = (
    schema.event, schema.receipt, schema.print_job, schema.print_attempt, schema.upload,
    schema.link_batch, schema.number_block, schema.certificate, schema.sheet_block,
    schema.sheet_act, schema_messages.message, schema_batches.batch,
    schema_reconcile.recon_run, schema_reconcile.recon_diff,
    schema_payments.payment, schema_payments.settlement, schema_forms.form_job,
    schema_forms.form_attempt,
)  # fmt: skip


class Fence(Exception):
    """The store contradicts the allocator: stop issuing, never skip (I1)."""


@dataclass(slots=True)
class Heads:
    """What is next. Values are immutable; copying is cheap and is the undo."""

    journal_seq: int = 0
    journal_hash: bytes = GENESIS
    ids: dict[str, int] = field(default_factory=dict)
    blocks: dict[tuple[str, str], Blocks] = field(default_factory=dict)
    issued_ms: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Heads:
        """Return a copy whose changes do not touch this one."""
        return Heads(
            self.journal_seq,
            self.journal_hash,
            dict(self.ids),
            dict(self.blocks),
            dict(self.issued_ms),
        )


class Tx:
    """The running transaction."""

    def __init__(self, conn: Connection, heads: Heads, now_ms: int) -> None:
        self.conn = conn
        self.heads = heads
        self.now_ms = now_ms
        self._journal: list[tuple[int, bytes, bytes]] = []
        raw: Any = conn.connection.dbapi_connection
        self.cursor: sqlite3.Cursor = raw.cursor()

    def next_id(self, table: str) -> int:
        """Return the next id of a table; ids are never used twice."""
        value = self.heads.ids.get(table, 0) + 1
        self.heads.ids[table] = value
        return value

    def journal(self, op: str, ref: str, body: dict[str, object]) -> int:
        """Append a record to the chain; returns its seq."""
        seq = self.heads.journal_seq + 1
        return self.journal_line(line(seq, self.now_ms, op, ref, body))

    def journal_line(self, text: bytes) -> int:
        """Append a record whose canonical line (with the next seq) is ready made."""
        heads = self.heads
        heads.journal_seq += 1
        heads.journal_hash = sm3.digest(heads.journal_hash + text)
        self._journal.append((heads.journal_seq, text, heads.journal_hash))
        return heads.journal_seq

    def flush(self) -> None:
        """Write the journal rows; the writer calls it before it commits."""
        if self._journal:
            self.cursor.executemany(INSERT_JOURNAL, self._journal)
            self._journal = []
        self.cursor.close()


def load_heads(conn: Connection) -> Heads:
    """Read the heads back at start; every query runs on an index."""
    heads = Heads()
    last = conn.execute(
        select(schema.journal.c.seq, schema.journal.c.hash)
        .order_by(schema.journal.c.seq.desc())
        .limit(1)
    ).first()
    if last is not None:
        heads.journal_seq, heads.journal_hash = last.seq, bytes(last.hash)
    for table in COUNTED:
        heads.ids[table.name] = conn.execute(select(func.max(table.c.id))).scalar() or 0
    block = schema.number_block.c
    rows = conn.execute(
        select(
            block.id,
            block.unit,
            block.code,
            block.first,
            block.last,
            block.next,
            block.not_after,
        )
        .where(block.state == BlockState.ACTIVE.value)
        .order_by(block.id)
    )
    for row in rows:
        key = (row.unit, row.code)
        heads.blocks[key] = (*heads.blocks.get(key, ()), Block(*row))
    heads.issued_ms = _last_issued(conn)
    return heads


def _last_issued(conn: Connection) -> dict[str, int]:
    """Return the latest issue time of each code: that of the last number of every block.

    The highest number is not always the newest: a reserve may hold lower ones.
    """
    block = schema.number_block.c
    begun = select(block.code, block.next).where(block.next > block.first)
    found: dict[str, int] = {}
    for code, following in conn.execute(begun).all():
        issued_at = conn.execute(
            select(schema.receipt.c.issued_at).where(
                schema.receipt.c.code == code,
                schema.receipt.c.number == number_text(following - 1),
            )
        ).scalar()
        found[code] = max(found.get(code, 0), issued_at or 0)
    return found
