"""Supervision signatures as they came from the platform, and those that did not verify.

A bad one is kept like a good one; its fact stands in the detail of its upload, in the
journal, and in a count that only a person's word takes back.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, select

from fep.domain.life_delivery import RECEIPT_OPS
from fep.store.fencing import meta_q, put_meta
from fep.store.schema import supervision, upload
from fep.store.tx import Tx

BAD: Final = "supervision-bad"
_KEPT: Final = "supervision_bad/"  # in meta, one a destination


class Doubted(msgspec.Struct, frozen=True):
    """Receipts whose supervision signature did not verify, since a person last looked."""

    count: int = 0
    last: str = ""  # CODE-NUMBER


def doubted_q(conn: Connection, dest: str) -> Doubted:
    """Return how many bad signatures wait for a person's look."""
    told = meta_q(conn, f"{_KEPT}{dest}")
    return msgspec.json.decode(told, type=Doubted) if told else Doubted()


def add_doubts_txn(tx: Tx, dest: str, count: int, last: str) -> None:
    """Count further bad signatures; their own journal records were written beside."""
    told = Doubted(doubted_q(tx.conn, dest).count + count, last)
    put_meta(tx, f"{_KEPT}{dest}", msgspec.json.encode(told).decode())


def clear_doubts_txn(tx: Tx, dest: str) -> Doubted:
    """Forget the count on a person's word; returns what it was."""
    was = doubted_q(tx.conn, dest)
    put_meta(tx, f"{_KEPT}{dest}", "")
    return was


def marked(detail: str, doubt: str) -> str:
    """Return the detail of an upload with the fact that its signature is bad."""
    return f"{BAD}: {doubt} {detail}".strip() if doubt else detail


def doubt_q(conn: Connection, receipt_id: int) -> str:
    """Return why a receipt's supervision signature is bad, empty while nothing is."""
    column = upload.c
    details = conn.execute(
        select(column.detail).where(column.receipt_id == receipt_id, column.op.in_(RECEIPT_OPS))
    ).scalars()
    return next((detail for detail in details if detail.startswith(BAD)), "")


def supervised_at_q(conn: Connection, receipt_id: int) -> int:
    """Return when finance signed (ms), 0 while it has not, or not so that it verifies."""
    column = supervision.c
    at = conn.execute(select(column.signed_at).where(column.receipt_id == receipt_id)).scalar()
    return 0 if not at or doubt_q(conn, receipt_id) else int(at)
