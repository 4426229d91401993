"""What a platform answers over channel 3 (record RECON), kept until it is read.

An answer comes in parts, each a record of its own; a part seen again changes nothing. What
nobody asked for is kept as little as what nobody came to read: see KEPT_MS.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from fep.store.schema_reconcile import recon_answer
from fep.store.tx import Tx
from fep.wire.fpb_ack import Result
from fep.wire.fpb_record import Record

OP: Final = "RECON"
PARTS_MAX: Final = 1000
KEPT_MS: Final = 7 * 86_400_000


def answer_txn(tx: Tx, dest: str, record: Record) -> Result:
    """Keep one part of an answer; REJECT for what has not its shape."""
    body = record.body
    ask, part, parts = body.get("ask"), body.get("part"), body.get("parts")
    shaped = (
        isinstance(ask, str) and 0 < len(ask) <= 60
        and type(part) is int and type(parts) is int and 1 <= part <= parts <= PARTS_MAX
    )  # fmt: skip
    if not shaped:
        return Result(record.rec_seq, "REJECT", "shape", "ask, part or parts")
    c = recon_answer.c
    tx.conn.execute(delete(recon_answer).where(c.at < tx.now_ms - KEPT_MS))
    where = (c.dest == dest, c.ask == ask, c.part == part)
    if tx.conn.execute(select(c.part).where(*where)).first() is not None:
        return Result(record.rec_seq, "DUP")
    text = json.dumps(body, ensure_ascii=False)
    tx.conn.execute(
        insert(recon_answer).values(
            dest=dest, ask=ask, part=part, parts=parts, body=text, at=tx.now_ms
        )
    )
    return Result(record.rec_seq, "OK")


def answer_q(conn: Connection, dest: str, ask: str) -> list[dict[str, Any]] | None:
    """Return the parts of an answer in order, None while one is missing."""
    c = recon_answer.c
    rows = conn.execute(
        select(c.parts, c.body).where(c.dest == dest, c.ask == ask).order_by(c.part)
    ).all()
    if not rows or len(rows) < rows[0].parts:
        return None
    return [json.loads(row.body) for row in rows]


def read_txn(tx: Tx, dest: str, ask: str) -> None:
    """Forget an answer that was read."""
    c = recon_answer.c
    tx.conn.execute(delete(recon_answer).where(c.dest == dest, c.ask == ask))
