"""What a channel carries up: receipts (channel 1), or letters (channels 2 and 3).

A cargo knows where its rows come from, how they become a batch, and which transactions keep
them; the Outbox does the rest, the same for all. `build` is called in worker threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from fep.domain.life_delivery import RECEIPT_OPS
from fep.services.uplink_build import Plan, SignatureXml, build, packed_size, sealed_batch
from fep.services.uplink_ends import Ends
from fep.store.link import CONTROL, RECEIPTS, due_q
from fep.store.link_letters import (
    Letter,
    answer_letters_txn,
    body_of,
    due_letters_q,
    free_letters_txn,
    send_letters_txn,
    unsendable_letter_txn,
)
from fep.store.link_out import (
    Answer,
    Answered,
    Made,
    answers_txn,
    free_txn,
    send_txn,
    unsendable_txn,
)
from fep.store.tx import Tx
from fep.wire.fpb import Kind
from fep.wire.fpb_record import record_line

LETTER_BYTES: Final = 400  # what a letter adds beside its body, about


class Cargo(Protocol):
    """One channel's rows; `Any` stands for the row type the cargo itself gives out."""

    channel: int

    def due(self, conn: Connection, dest: str, after: int, limit: int) -> Sequence[Any]:
        """Return rows that wait, `upload_id` above `after`."""

    def size(self, row: Any) -> int:
        """Return about how many bytes a row adds to a batch."""

    def build(self, ends: Ends, plan: Plan) -> Made:
        """Return the batch. Raises RowBroken, Unreadable TOO_BIG (with more than one row)."""

    def send(self, tx: Tx, dest: str, made: Made) -> int:
        """Store the batch; returns its id."""

    def answer(self, tx: Tx, dest: str, answers: tuple[Answer, ...]) -> Answered:
        """Store answers."""

    def free(self, tx: Tx, dest: str, epoch: int, upto: int) -> tuple[int, ...]:
        """Drop answered batches; returns their seqs."""

    def unsendable(self, tx: Tx, row: Any, why: str) -> int:
        """Take a row that fits no batch out of the way; returns fen it counted with, -1 if none."""


class Receipts:
    """Channel 1."""

    channel = RECEIPTS

    def __init__(self, signature_xml: SignatureXml) -> None:
        self._signature_xml = signature_xml

    def due(self, conn: Connection, dest: str, after: int, limit: int) -> Sequence[Any]:
        """Return sealed receipts and acts on paper."""
        return due_q(conn, dest, after, limit)

    def size(self, row: Any) -> int:
        """Return about the packed size of a receipt."""
        return packed_size(row)

    def build(self, ends: Ends, plan: Plan) -> Made:
        """Return a DATA batch."""
        return build(ends, plan, self._signature_xml)

    def send(self, tx: Tx, dest: str, made: Made) -> int:
        """Store batch, uploads and head."""
        return send_txn(tx, dest, made)

    def answer(self, tx: Tx, dest: str, answers: tuple[Answer, ...]) -> Answered:
        """Store answers to receipts."""
        return answers_txn(tx, dest, answers)

    def free(self, tx: Tx, dest: str, epoch: int, upto: int) -> tuple[int, ...]:
        """Drop answered batches."""
        return free_txn(tx, dest, epoch, upto)

    def unsendable(self, tx: Tx, row: Any, why: str) -> int:
        """Take a receipt out of the way; a person must look (I6)."""
        unsendable_txn(tx, row.upload_id, f"{row.code}-{row.number}", why)
        first = row.op in RECEIPT_OPS and not row.repeat
        return max(row.amount_fen, 0) if first else -1


class Letters:
    """Channel 2 (node to platform) or 3."""

    def __init__(self, channel: int) -> None:
        self.channel = channel

    def due(self, conn: Connection, dest: str, after: int, limit: int) -> Sequence[Any]:
        """Return letters."""
        return due_letters_q(conn, dest, self.channel, after, limit)

    def size(self, row: Any) -> int:
        """Return about the size of a letter."""
        return len(row.body) + LETTER_BYTES

    def build(self, ends: Ends, plan: Plan) -> Made:
        """Return a CTRL batch for channel 2, a DATA batch for channel 3."""
        lines, prev = [], plan.head.rec_hash
        for rec_seq, row in enumerate(plan.rows, plan.head.rec_seq + 1):
            assert isinstance(row, Letter), row
            line, prev = record_line(
                rec_seq, row.op, row.idem, plan.now_ms, body_of(row), plan.journal, prev
            )
            lines.append(line)
        kind = Kind.CTRL if self.channel == CONTROL else Kind.DATA
        return sealed_batch(ends, plan, kind, self.channel, lines, prev, 0)

    def send(self, tx: Tx, dest: str, made: Made) -> int:
        """Store batch, letters and head."""
        return send_letters_txn(tx, dest, made)

    def answer(self, tx: Tx, dest: str, answers: tuple[Answer, ...]) -> Answered:
        """Store answers to letters."""
        return answer_letters_txn(tx, dest, self.channel, answers)

    def free(self, tx: Tx, dest: str, epoch: int, upto: int) -> tuple[int, ...]:
        """Drop answered batches."""
        return free_letters_txn(tx, dest, self.channel, epoch, upto)

    def unsendable(self, tx: Tx, row: Any, why: str) -> int:
        """Take a letter out of the way."""
        unsendable_letter_txn(tx, row.upload_id, f"{row.op} {row.idem[:16]}", why)
        return -1
