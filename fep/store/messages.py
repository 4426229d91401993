"""Messages in the store: who is to be told of which receipt, by which way.

Nothing sends them yet: they wait, and none is asked for twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, insert, select, update

from fep.domain.receipt import Receipt
from fep.store.schema_messages import message
from fep.store.tx import Tx

WAITING_MAX = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """A wish to tell somebody of a receipt; `way` is sms or email."""

    receipt_id: int
    way: str
    address: str
    state: str
    caller: str
    at: int


def ask_txn(tx: Tx, receipt: Receipt, wishes: Sequence[tuple[str, str]], caller: str) -> int:
    """Keep what is new of (way, address); answers how many were."""
    fresh = 0
    column = message.c
    for way, address in wishes:
        same = and_(column.receipt_id == receipt.id, column.way == way, column.address == address)
        if tx.conn.execute(select(column.id).where(same)).first() is not None:
            continue
        tx.conn.execute(
            insert(message).values(
                id=tx.next_id("message"), receipt_id=receipt.id, way=way, address=address,
                state="waiting", caller=caller, at=tx.now_ms,
            )
        )  # fmt: skip
        fresh += 1
    if fresh:  # the address is a person's: it is in the table, never in the journal
        tx.journal("message.asked", receipt.ref, {"caller": caller, "count": fresh})
    return fresh


def answered_txn(tx: Tx, receipt_id: int, state: str) -> None:
    """Note what the platform says became of the messages about a receipt that wait."""
    column = message.c
    tx.conn.execute(
        update(message)
        .where(and_(column.receipt_id == receipt_id, column.state == "waiting"))
        .values(state=state)
    )


def waiting_q(conn: Connection, after: int = 0, limit: int = WAITING_MAX) -> list[Message]:
    """Return messages that wait, oldest first."""
    column = message.c
    rows = conn.execute(
        select(column.receipt_id, column.way, column.address, column.state, column.caller,
               column.at)
        .where(and_(column.state == "waiting", column.id > after))
        .order_by(column.id).limit(limit)
    )  # fmt: skip
    return [Message(*row) for row in rows]
