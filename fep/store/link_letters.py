"""Letters: what goes to the platform on channels 2 and 3 beside receipts.

A letter is an operation with a body, written once (`letter_txn`), carried like a receipt: in
order per channel, repeated until answered, its answer kept. The same `idem` is written once
for ever. Sending functions mirror those of fep/store/link_out.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from fep.store.link_out import (
    ANSWERS_MAX,
    FINAL,
    Answer,
    Answered,
    Made,
    add_batch_txn,
    free_batches_txn,
)
from fep.store.schema_link import link_letter
from fep.store.tx import Tx
from fep.wire.fpb_record import canonical

BODY_MAX_BYTES = 1 << 20

_SENT = (
    "UPDATE link_letter SET state = 'sent', rec_seq = ?, batch_seq = ?, updated_at = ?"
    " WHERE id = ? AND state = 'due'"
)
_DUE = (  # asked at every turn of the link, so it is not composed anew
    "SELECT id, op, idem, body FROM link_letter WHERE dest = ? AND channel = ?"
    " AND state = 'due' AND state <> 'applied' AND id > ? ORDER BY id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that waits to be sent."""

    upload_id: int
    op: str
    idem: str
    body: str


@dataclass(frozen=True, slots=True)
class LetterFate:
    """What became of a letter: due, sent, applied, rejected or conflict."""

    state: str
    result: str
    detail: str
    updated_at: int


def letter_txn(
    tx: Tx, dest: str, channel: int, op: str, idem: str, body: Mapping[str, object]
) -> bool:
    """Queue a letter; False when one of that `idem` was written before.

    Call `Uplink.wake` after the commit. Raises ValueError for a body over BODY_MAX_BYTES.
    """
    text = canonical(body).decode()
    if len(text) > BODY_MAX_BYTES:
        raise ValueError(f"a letter of {len(text)} characters")
    column = link_letter.c
    known = tx.conn.execute(
        select(column.id).where(
            column.dest == dest, column.channel == channel, column.idem == idem
        )
    ).scalar()  # fmt: skip
    if known is not None:
        return False
    last = tx.conn.execute(select(func.max(column.id))).scalar() or 0
    tx.conn.execute(
        insert(link_letter).values(
            id=last + 1, dest=dest, channel=channel, op=op, idem=idem, body=text, state="due",
            rec_seq=0, batch_seq=0, result="", detail="", created_at=tx.now_ms,
            updated_at=tx.now_ms,
        )
    )  # fmt: skip
    tx.journal("link.letter", f"{dest}/{channel}", {"idem": idem, "op": op})
    return True


def letter_q(conn: Connection, dest: str, channel: int, idem: str) -> LetterFate | None:
    """Return what became of a letter, None when it was never written."""
    column = link_letter.c
    row = conn.execute(
        select(column.state, column.result, column.detail, column.updated_at)
        .where(column.dest == dest, column.channel == channel, column.idem == idem)
    ).first()  # fmt: skip
    return LetterFate(*row) if row else None


def due_letters_q(
    conn: Connection, dest: str, channel: int, after: int, limit: int
) -> list[Letter]:
    """Return due letters in the order they were written, ids above `after`."""
    return [Letter(*row) for row in conn.exec_driver_sql(_DUE, (dest, channel, after, limit))]


def send_letters_txn(tx: Tx, dest: str, made: Made) -> int:
    """Store a batch of letters and the new head; returns the batch id."""
    batch_id = add_batch_txn(tx, dest, made)
    tx.cursor.executemany(
        _SENT,
        [
            (made.first_rec + place, made.head.seq, tx.now_ms, letter_id)
            for place, letter_id in enumerate(made.uploads)
        ],
    )
    assert tx.cursor.rowcount == len(made.uploads), (tx.cursor.rowcount, made.uploads)
    return batch_id


def answer_letters_txn(tx: Tx, dest: str, channel: int, answers: tuple[Answer, ...]) -> Answered:
    """Store up to ANSWERS_MAX answers; those of letters already final change nothing."""
    assert len(answers) <= ANSWERS_MAX, len(answers)
    counts = dict.fromkeys(FINAL, 0)
    column = link_letter.c
    for answer in answers:
        state = FINAL[answer.result]
        done = tx.conn.execute(
            update(link_letter)
            .where(
                column.dest == dest, column.channel == channel, column.state == "sent",
                column.state != "applied", column.rec_seq == answer.rec_seq,
            )
            .values(state=state, result=answer.result, detail=answer.detail,
                    updated_at=tx.now_ms)
        )  # fmt: skip
        if done.rowcount:
            counts[answer.result] += 1
            tx.journal("link.letter_answered", f"{dest}/{channel}/{answer.rec_seq}", {
                "detail": answer.detail, "result": answer.result,
            })  # fmt: skip
    return Answered(counts["OK"] + counts["DUP"], counts["REJECT"], counts["CONFLICT"])


def free_letters_txn(
    tx: Tx, dest: str, channel: int, epoch: int, applied_upto: int
) -> tuple[int, ...]:
    """Drop the bytes of answered batches of letters; returns their seqs."""
    column = link_letter.c
    oldest = tx.conn.execute(
        select(func.min(column.rec_seq)).where(
            column.dest == dest, column.channel == channel, column.state == "sent",
            column.state != "applied",
        )
    ).scalar()  # fmt: skip
    upto = applied_upto if oldest is None else min(applied_upto, oldest - 1)
    return free_batches_txn(tx, dest, channel, epoch, upto)


def unsendable_letter_txn(tx: Tx, letter_id: int, ref: str, why: str) -> None:
    """Take a letter that fits no batch out of the way."""
    column = link_letter.c
    tx.conn.execute(
        update(link_letter)
        .where(column.id == letter_id, column.state == "due")
        .values(state="rejected", result="UNSENDABLE", detail=why, updated_at=tx.now_ms)
    )
    tx.journal("link.unsendable", ref, {"letter": letter_id, "why": why})


def body_of(letter: Letter) -> dict[str, object]:
    """Return the body of a letter."""
    found: dict[str, object] = msgspec.json.decode(letter.body)
    return found
