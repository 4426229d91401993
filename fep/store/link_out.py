"""Outbound batches in the store: made, written, answered.

A batch, its uploads and the head of the channel change in one transaction before the file
exists, so a crash writes the same bytes again. Bytes are dropped when every record of the
batch has its answer. An answer once stored is never replaced by another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update

from fep.domain.life_delivery import RECEIPT_OPS
from fep.store.link import OUT, RECEIPTS, Head, head_q, put_head
from fep.store.schema import link_batch, upload
from fep.store.supervision import add_doubts_txn, marked
from fep.store.tx import Tx

ANSWERS_MAX: Final = 256  # per transaction, so that a group stays short
FREED_MAX: Final = 8

_SENT = (
    "UPDATE upload SET state = 'sent', rec_seq = ?, batch_seq = ?, updated_at = ?"
    " WHERE id = ? AND state = 'due'"
)
_ANSWERED = (
    "UPDATE upload SET state = ?, result = ?, detail = ?, updated_at = ?"
    " WHERE id = ? AND state = 'sent'"
)
_SUPERVISED = (
    "INSERT OR IGNORE INTO supervision (receipt_id, signed_at, cert_serial, der)"
    " VALUES (?, ?, ?, ?)"
)
_ASKED = (
    "SELECT u.rec_seq, u.id, u.receipt_id, u.op, u.revision, coalesce(r.code, ''),"
    " coalesce(r.number, ''), max(coalesce(r.amount_fen, 0), 0) FROM upload u"
    " LEFT JOIN receipt r ON r.id = u.receipt_id"
    " WHERE u.dest = ? AND u.state = 'sent' AND u.batch_seq > 0 AND u.rec_seq IN ({marks})"
)
_ADD_BATCH = (
    "INSERT INTO link_batch (id, dest, channel, epoch, seq, kind, first_rec, n_rec, sm3, bytes,"
    " state, tries, created_at, written_at, next_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'made', 0, ?, 0, 0)"
)
_WRITTEN = (
    "UPDATE link_batch SET state = 'written', tries = ?, written_at = ?, next_at = ?"
    " WHERE id = ? AND state <> 'acked'"
)
# What makes an index partial is said in full, or the planner does not see that it serves.
_OLDEST = (
    "SELECT rec_seq FROM upload WHERE dest = ? AND state = 'sent' AND state <> 'applied'"
    " ORDER BY id LIMIT 1"
)
_ANSWERED_BATCHES = (
    "SELECT id, seq FROM link_batch WHERE dest = ? AND channel = ? AND epoch = ?"
    " AND state <> 'acked' AND first_rec + n_rec - 1 <= ? ORDER BY seq LIMIT ?"
)
_FREE = "UPDATE link_batch SET state = 'acked', bytes = NULL, next_at = 0 WHERE id = ?"
FINAL: Final = {"OK": "applied", "DUP": "applied", "REJECT": "rejected", "CONFLICT": "conflict"}


@dataclass(frozen=True, slots=True)
class Made:
    """A batch ready to be stored; `head` is the channel after it."""

    kind: int
    first_rec: int
    uploads: tuple[int, ...]
    content: bytes
    head: Head
    channel: int = RECEIPTS


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform says of one record; supervision is (signed_at, serial, der).

    `doubt` says why that signature is not good; it is kept nevertheless.
    """

    rec_seq: int
    result: str
    detail: str
    supervision: tuple[int, str, bytes] | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a set of answers changed: counts of newly final records; `receipts` are those of
    them that carried a receipt for the first time, `amount_fen` the sum of the blue ones;
    `doubted` have a supervision signature that is not good."""

    applied: int = 0
    rejected: int = 0
    conflicts: int = 0
    receipts: int = 0
    amount_fen: int = 0
    doubted: int = 0
    doubted_ref: str = ""  # the last of them

    @property
    def count(self) -> int:
        """Return how many records became final."""
        return self.applied + self.rejected + self.conflicts

    def plus(self, other: Answered) -> Answered:
        """Return the sum of two."""
        return Answered(
            self.applied + other.applied,
            self.rejected + other.rejected,
            self.conflicts + other.conflicts,
            self.receipts + other.receipts,
            self.amount_fen + other.amount_fen,
            self.doubted + other.doubted,
            other.doubted_ref or self.doubted_ref,
        )


def send_txn(tx: Tx, dest: str, made: Made) -> int:
    """Store a batch with its uploads and the new head; returns the batch id."""
    batch_id = add_batch_txn(tx, dest, made)
    cursor = tx.cursor
    cursor.executemany(
        _SENT,
        [
            (made.first_rec + place, made.head.seq, tx.now_ms, upload_id)
            for place, upload_id in enumerate(made.uploads)
        ],
    )
    assert cursor.rowcount == len(made.uploads), (cursor.rowcount, len(made.uploads))
    return batch_id


def add_batch_txn(tx: Tx, dest: str, made: Made) -> int:
    """Store a batch of any channel and the head it moves; returns the batch id."""
    head, channel = made.head, made.channel
    before = head_q(tx.conn, dest, channel, OUT) or Head(epoch=head.epoch)
    # Two batches with one predecessor would fork the chain for good.
    assert head.seq == before.seq + 1, (head.seq, before.seq)
    assert made.first_rec == before.rec_seq + 1, (made.first_rec, before.rec_seq)
    batch_id = tx.next_id("link_batch")
    tx.cursor.execute(
        _ADD_BATCH,
        (batch_id, dest, channel, head.epoch, head.seq, int(made.kind), made.first_rec,
         len(made.uploads), head.batch_sm3, made.content, tx.now_ms),
    )  # fmt: skip
    put_head(tx, dest, channel, OUT, head)
    tx.journal("link.sent", f"{dest}/{head.epoch}/{channel}/{head.seq}", {
        "first_rec": made.first_rec, "n_rec": len(made.uploads), "sm3": head.batch_sm3.hex(),
        "tail": head.rec_hash.hex(),
    })  # fmt: skip
    return batch_id


def written_txn(tx: Tx, batch_id: int, tries: int, next_at: int) -> None:
    """Note a writing of the file; `next_at` (ms) is for people, timers are monotonic."""
    tx.cursor.execute(_WRITTEN, (tries, tx.now_ms, next_at, batch_id))


def bytes_q(conn: Connection, batch_id: int) -> bytes | None:
    """Return the file of a batch, None when it was answered and dropped."""
    found = conn.execute(
        select(link_batch.c.bytes).where(link_batch.c.id == batch_id)
    ).scalar()  # fmt: skip
    return None if found is None else bytes(found)


def unsendable_txn(tx: Tx, upload_id: int, ref: str, why: str) -> None:
    """Take a receipt that fits no batch out of the way; a person must look (I6)."""
    tx.conn.execute(
        update(upload)
        .where(upload.c.id == upload_id, upload.c.state == "due")
        .values(state="rejected", result="UNSENDABLE", detail=why, updated_at=tx.now_ms)
    )
    tx.journal("link.unsendable", ref, {"upload": upload_id, "why": why})


def answers_txn(tx: Tx, dest: str, answers: tuple[Answer, ...]) -> Answered:
    """Store up to ANSWERS_MAX answers; those of records already final change nothing."""
    assert len(answers) <= ANSWERS_MAX, len(answers)
    if not answers:
        return Answered()
    seqs = [answer.rec_seq for answer in answers]
    padded = seqs + [seqs[-1]] * (ANSWERS_MAX - len(seqs))
    marks = ",".join("?" * ANSWERS_MAX)
    tx.cursor.execute(_ASKED.format(marks=marks), (dest, *padded))
    asked = {row[0]: row[1:] for row in tx.cursor.fetchall()}
    finals: list[tuple[object, ...]] = []
    supervised: list[tuple[object, ...]] = []
    counts = dict.fromkeys(FINAL, 0)
    amount_fen = receipts = doubted = 0
    doubted_ref = ""
    for answer in answers:
        row = asked.pop(answer.rec_seq, None)
        if row is None:
            continue
        upload_id, receipt_id, op, repeat, code, number, fen = row
        state = FINAL[answer.result]
        finals.append(
            (state, answer.result, marked(answer.detail, answer.doubt), tx.now_ms, upload_id)
        )
        counts[answer.result] += 1
        if op in RECEIPT_OPS and not repeat:
            receipts += 1
            amount_fen += fen
        if state == "applied" and op in RECEIPT_OPS and answer.supervision is not None:
            supervised.append((receipt_id, *answer.supervision))
        if answer.doubt:
            doubted, doubted_ref = doubted + 1, f"{code}-{number}"
            tx.journal("link.supervision_bad", doubted_ref, {
                "rec_seq": answer.rec_seq, "why": answer.doubt,
            })  # fmt: skip
        if state != "applied":
            tx.journal(f"link.{state}", f"{code}-{number}", {
                "detail": answer.detail, "op": op, "rec_seq": answer.rec_seq,
                "result": answer.result,
            })  # fmt: skip
    if finals:
        tx.cursor.executemany(_ANSWERED, finals)
        assert tx.cursor.rowcount == len(finals), (tx.cursor.rowcount, len(finals))
        tx.journal("link.applied", dest, {
            "conflict": counts["CONFLICT"], "dup": counts["DUP"], "first_rec": min(seqs),
            "last_rec": max(seqs), "ok": counts["OK"], "reject": counts["REJECT"],
        })  # fmt: skip
    if supervised:
        tx.cursor.executemany(_SUPERVISED, supervised)
    if doubted:
        add_doubts_txn(tx, dest, doubted, doubted_ref)
    return Answered(
        counts["OK"] + counts["DUP"], counts["REJECT"], counts["CONFLICT"], receipts, amount_fen,
        doubted, doubted_ref,
    )  # fmt: skip


def free_txn(tx: Tx, dest: str, epoch: int, applied_upto: int) -> tuple[int, ...]:
    """Drop the bytes of answered batches, at most FREED_MAX; returns their seqs.

    A batch is answered when the platform applied past it and all its results are here.
    """
    oldest = tx.cursor.execute(_OLDEST, (dest,)).fetchone()
    upto = applied_upto if oldest is None else min(applied_upto, oldest[0] - 1)
    return free_batches_txn(tx, dest, RECEIPTS, epoch, upto)


def free_batches_txn(tx: Tx, dest: str, channel: int, epoch: int, upto: int) -> tuple[int, ...]:
    """Drop the bytes of batches of a channel that end at `upto` or before."""
    where = (dest, channel, epoch, upto, FREED_MAX)
    rows = tx.cursor.execute(_ANSWERED_BATCHES, where).fetchall()
    seqs = tuple(seq for _, seq in rows)
    if rows:
        tx.cursor.executemany(_FREE, [(batch_id,) for batch_id, _ in rows])
        tx.journal("link.freed", dest, {"epoch": epoch, "seqs": list(seqs)})
    return seqs
