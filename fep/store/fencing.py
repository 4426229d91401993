"""The store's side of the witness: who it is, and what lifting a fence burns.

Identity stands in `meta`: instance (random, for ever), epoch (raised by every lift). Lifting
burns all open blocks to their ends, with evidence in the journal; no number of theirs comes
back, also when the platform grants the same block once more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, union, update

from fep.domain.numbers import BlockState, number_text
from fep.domain.witness import Span, StoreSide, unknown
from fep.store.link import LETTERS, OUT, RECEIPTS, Head, head_q, put_head, renew_letters_txn
from fep.store.schema import (
    journal,
    link_batch,
    link_head,
    link_state,
    meta,
    number_block,
    print_job,
    upload,
)
from fep.store.tx import Tx

INSTANCE, EPOCH, SEALED_GRANTS = "instance", "epoch", "sealed_grants"


@dataclass(frozen=True, slots=True)
class Lift:
    """Who lifts a fence, and why; `approved` are two different people."""

    cause: str
    reason: str
    who: str
    approved: tuple[str, ...]
    blind: bool  # there is no witness of this store: nobody knows what else was given


@dataclass(frozen=True, slots=True)
class Lifted:
    """What lifting did."""

    epoch: int
    blocks: int
    numbers: int
    prints: int
    uploads: int


def meta_q(conn: Connection, name: str) -> str:
    """Return a value of `meta`, empty when it has none."""
    return conn.execute(select(meta.c.value).where(meta.c.name == name)).scalar() or ""


def put_meta(tx: Tx, name: str, value: str) -> None:
    """Write a value of `meta`; an empty one takes it away."""
    tx.conn.execute(delete(meta).where(meta.c.name == name))
    if value:
        tx.conn.execute(insert(meta).values(name=name, value=value))


def side_q(conn: Connection, seq: int) -> StoreSide:
    """Return what the store says of itself, with its chain hash at `seq`."""
    column = journal.c
    newest = conn.execute(select(column.seq).order_by(column.seq.desc()).limit(1)).scalar()
    there = conn.execute(select(column.hash).where(column.seq == seq)).scalar()
    return StoreSide(
        meta_q(conn, INSTANCE),
        int(meta_q(conn, EPOCH) or 0),
        newest or 0,
        None if there is None else bytes(there),
    )


def spans_q(conn: Connection) -> list[Span]:
    """Return every block but sealed ones; what is not active any more counts as used up."""
    column = number_block.c
    rows = conn.execute(
        select(column.unit, column.code, column.first, column.last, column.next, column.id,
               column.state).where(column.state != BlockState.RESERVE.value)
    )  # fmt: skip
    return [
        Span(
            row.unit, row.code, row.first, row.last,
            row.next if row.state == BlockState.ACTIVE.value else row.last + 1, row.id,
        )
        for row in rows
    ]  # fmt: skip


def named_txn(tx: Tx, instance: str) -> None:
    """Give the store its name: from now on it has a witness."""
    put_meta(tx, INSTANCE, instance)
    put_meta(tx, EPOCH, "1")
    tx.journal("witness.opened", instance, {"epoch": 1})


def lift_txn(tx: Tx, instance: str, lift: Lift, seen: Iterable[Span], epoch: int) -> Lifted:
    """Burn every open block to its end and begin a new epoch.

    `seen` is what the witness knows; blocks it saw and the store does not are burned whole.
    A sealed reserve stays when the witness shows that it was never opened.
    """
    spans = {span.key: span for span in seen}
    blocks, numbers = _burn_open(tx, lift, spans)
    for unit, code, first, last in _strange(tx, spans.values()):
        blocks, numbers = blocks + 1, numbers + last - first + 1
        _burn_strange(tx, lift, unit, code, first, last)
    tx.heads.blocks = {}
    # The newer store may have printed and sent what is due here: paper only on a person's word.
    prints = tx.conn.execute(
        update(print_job)
        .where(print_job.c.state.in_(("due", "streaming")))
        .values(state="uncertain", reason="FENCE", updated_at=tx.now_ms)
    ).rowcount
    uploads = _renew_links(tx, epoch)
    put_meta(tx, INSTANCE, instance)
    put_meta(tx, EPOCH, str(epoch))
    if lift.blind:  # stays until a person opens a block, whatever is lifted in between
        put_meta(tx, SEALED_GRANTS, "1")
    tx.journal("fence.lifted", lift.cause, {
        "approved": list(lift.approved), "blocks": blocks, "epoch": epoch, "numbers": numbers,
        "prints": prints, "reason": lift.reason, "uploads": uploads, "who": lift.who,
    })  # fmt: skip
    return Lifted(epoch, blocks, numbers, prints, uploads)


def _burn_open(tx: Tx, lift: Lift, spans: dict[tuple[str, str, int], Span]) -> tuple[int, int]:
    column = number_block.c
    blocks = numbers = 0
    for row in tx.conn.execute(
        select(column.id, column.unit, column.code, column.first, column.last, column.next,
               column.state)
        .where(column.state.in_((BlockState.ACTIVE.value, BlockState.RESERVE.value)))
        .order_by(column.id)
    ).all():  # fmt: skip
        span = spans.get((row.unit, row.code, row.first))
        if row.state == BlockState.RESERVE.value and span is None and not lift.blind:
            continue
        given_upto = max(row.next, span.next if span else row.next) - 1
        tx.conn.execute(
            update(number_block).where(column.id == row.id).values(state=BlockState.BURNED.value)
        )
        burned(tx, row.unit, row.code, row.next, row.last, lift, given_upto)
        blocks, numbers = blocks + 1, numbers + row.last - row.next + 1
    return blocks, numbers


def burned(tx: Tx, unit: str, code: str, first: int, last: int, lift: Lift,
           given_upto: int) -> None:  # fmt: skip
    """Journal that a range is burned; up to `given_upto` another store may have used it."""
    tx.journal("numbers.burned", f"{code}-{number_text(first)}", {
        "approved": list(lift.approved), "cause": lift.cause, "first": number_text(first),
        "given_upto": number_text(given_upto) if given_upto >= first else "",
        "last": number_text(last), "reason": lift.reason, "unit": unit, "who": lift.who,
    })  # fmt: skip


def _strange(tx: Tx, seen: Iterable[Span]) -> list[tuple[str, str, int, int]]:
    """Return ranges the witness saw and the store does not have."""
    column = number_block.c
    here: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in tx.conn.execute(select(column.code, column.first, column.last)):
        here[row.code].append((row.first, row.last))
    return [
        (span.unit, span.code, first, last)
        for span in seen
        for first, last in unknown(span, here[span.code])
    ]


def _burn_strange(tx: Tx, lift: Lift, unit: str, code: str, first: int, last: int) -> None:
    block_id = tx.next_id("number_block")
    tx.conn.execute(
        insert(number_block).values(
            id=block_id, unit=unit, code=code, first=first, last=last, next=first,
            state=BlockState.BURNED.value, source="witness", evidence=lift.cause,
            granted_at=tx.now_ms, not_after=0,
        )
    )  # fmt: skip
    tx.journal("numbers.granted", f"{code}-{number_text(first)}", {
        "evidence": lift.cause, "first": number_text(first), "last": number_text(last),
        "source": "witness", "unit": unit,
    })  # fmt: skip
    burned(tx, unit, code, first, last, lift, last)


def _renew_links(tx: Tx, epoch: int) -> int:
    """Begin a new epoch of every link: the platform has heard the old one's numbers already.

    The link's epoch is never below the store's, which the witness keeps rising.
    """
    count = 0
    dests = [table.c.dest for table in (link_head, link_state, upload)]
    for (dest,) in tx.conn.execute(union(*(select(column) for column in dests))).all():
        tx.conn.execute(
            delete(link_batch).where(link_batch.c.dest == dest, link_batch.c.state != "acked")
        )
        count += tx.conn.execute(
            update(upload)
            .where(upload.c.dest == dest, upload.c.state == "sent", upload.c.state != "applied")
            .values(state="due", rec_seq=0, batch_seq=0, updated_at=tx.now_ms)
        ).rowcount
        head = head_q(tx.conn, dest, RECEIPTS, OUT) or Head()
        fresh = Head(epoch=max(head.epoch + 1, epoch))
        for channel in (RECEIPTS, *LETTERS):
            put_head(tx, dest, channel, OUT, fresh)
        renew_letters_txn(tx, dest)
        tx.journal("link.renewed", dest, {"epoch": fresh.epoch})
    return count
