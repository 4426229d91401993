"""The link in the store: heads of the logical channels, its state, what is due.

Every change of a head happens in the transaction of the batch that moved it. Outbound
batches: fep/store/link_out.py; inbound: fep/store/link_in.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select, update

from fep.domain.link import LinkState, Standing
from fep.store.schema import link_batch, link_in, link_state, receipt, upload
from fep.store.schema_link import link_letter
from fep.store.tx import Tx

TRANSPORT: Final = 0
RECEIPTS: Final = 1
CONTROL: Final = 2
RECONCILIATION: Final = 3
LETTERS: Final = (CONTROL, RECONCILIATION)  # channels that carry more than receipts
OUT: Final = "out"
IN: Final = "in"
ZERO: Final = bytes(32)

# Stands in the issuing loop's way while it runs, so it is SQL text (facts/issuing-path 4).
_ROW = (
    "SELECT u.id, u.op, u.receipt_id, coalesce(r.unit, a.unit), coalesce(r.kind, ''),"
    " coalesce(a.code, r.code), coalesce(a.number, r.number), coalesce(r.amount_fen, 0),"
    " coalesce(r.check_code, ''), coalesce(r.issued_at, a.at), coalesce(e.key, ''),"
    " coalesce(o.body, x''), coalesce(s.signed_at, 0), coalesce(s.der, x''),"
    " coalesce(c.serial, ''), coalesce(c.der, x''), u.act_id, u.revision, coalesce(a.body, ''),"
    " coalesce(b.code, w.code, ''), coalesce(b.number, w.number, ''),"
    " coalesce(v.reason, w.reason, ''), u.rec_seq"
    " FROM upload u LEFT JOIN sheet_act a ON a.id = u.act_id"
    " LEFT JOIN receipt r ON r.id = u.receipt_id LEFT JOIN event e ON e.id = r.event_id"
    " LEFT JOIN original o ON o.receipt_id = r.id AND u.act_id = 0"
    " LEFT JOIN signature s ON s.receipt_id = r.id LEFT JOIN certificate c ON c.id = s.cert_id"
    " LEFT JOIN reversal v ON v.red_id = r.id LEFT JOIN receipt b ON b.id = v.blue_id"
    " LEFT JOIN old_reversal w ON w.red_id = r.id"
)
# What makes an index partial is said in full, or the planner does not see that it serves.
_DUE = (
    f"{_ROW} WHERE u.dest = ? AND u.state = 'due' AND u.state <> 'applied' AND u.id > ?"
    " ORDER BY u.id LIMIT ?"
)
_SENT = (
    f"{_ROW} WHERE u.dest = ? AND u.state = 'sent' AND u.batch_seq > 0 AND u.rec_seq IN ({{marks}})"
)
_HEAD = (
    "SELECT epoch, seq, rec_seq, batch_sm3, rec_hash FROM link_head"
    " WHERE dest = ? AND channel = ? AND direction = ?"
)
_PUT_HEAD = (
    "INSERT INTO link_head (dest, channel, direction, epoch, seq, rec_seq, batch_sm3, rec_hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dest, channel, direction) DO UPDATE SET"
    " epoch = excluded.epoch, seq = excluded.seq, rec_seq = excluded.rec_seq,"
    " batch_sm3 = excluded.batch_sm3, rec_hash = excluded.rec_hash"
)
_PUT_STATE = (
    "INSERT INTO link_state (dest, state, reason, since_at, last_heard_at, offline_ms,"
    " platform_offset_ms) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dest) DO UPDATE SET"
    " state = excluded.state, reason = excluded.reason, since_at = excluded.since_at,"
    " last_heard_at = excluded.last_heard_at, offline_ms = excluded.offline_ms,"
    " platform_offset_ms = excluded.platform_offset_ms"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a logical channel stands in one direction.

    For channel 0 inbound `seq` is the highest seen and `rec_seq` the latest `created_ms`:
    only a newer file is a sign of life, so a replayed one prolongs nothing.
    """

    epoch: int = 1
    seq: int = 0
    rec_seq: int = 0
    batch_sm3: bytes = ZERO
    rec_hash: bytes = ZERO


@dataclass(frozen=True, slots=True)
class DueRow:
    """A sealed receipt, or an act on paper, that waits to be sent or for its answer.

    `body` is zlib of the literal bytes; `act` the JSON of the act's record, empty for a
    receipt; `blue_*` and `reason` are set for a red receipt.
    """

    upload_id: int
    op: str
    receipt_id: int
    unit: str
    kind: str
    code: str
    number: str
    amount_fen: int
    check_code: str
    issued_at: int
    event_key: str
    body: bytes
    signed_at: int
    der: bytes
    cert_serial: str
    cert_der: bytes
    act_id: int = 0
    repeat: int = 0
    act: str = ""
    blue_code: str = ""
    blue_number: str = ""
    reason: str = ""
    rec_seq: int = 0


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """An unanswered batch without its bytes."""

    id: int
    seq: int
    first_rec: int
    n_rec: int
    size: int
    state: str
    tries: int
    channel: int = RECEIPTS


@dataclass(frozen=True, slots=True)
class Kept:
    """The row of link_state."""

    standing: Standing
    last_heard_at: int
    offline_ms: int
    platform_offset_ms: int


@dataclass(frozen=True, slots=True)
class LinkStart:
    """All a link needs to go on after a restart."""

    outs: Mapping[int, Head]  # by channel, 1 to 3
    ins: Mapping[int, Head]  # by channel, 2 and 3
    transport_out: Head
    transport_in: Head
    batches: tuple[OpenBatch, ...]
    held: Mapping[int, tuple[int, ...]]  # by channel, of the epoch that runs
    kept: Kept | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Receipts without a final answer. `oldest_at` is an issue time in ms, 0 when none."""

    due: int
    sent: int
    rejected: int
    conflicts: int
    oldest_at: int


def head_q(conn: Connection, dest: str, channel: int, direction: str) -> Head | None:
    """Return where a channel stands, None before its first batch."""
    row = conn.exec_driver_sql(_HEAD, (dest, channel, direction)).first()
    return None if row is None else Head(*row)


def put_head(tx: Tx, dest: str, channel: int, direction: str, head: Head) -> None:
    """Write where a channel stands now."""
    tx.cursor.execute(
        _PUT_HEAD,
        (dest, channel, direction, head.epoch, head.seq, head.rec_seq, head.batch_sm3,
         head.rec_hash),
    )  # fmt: skip


def start_q(conn: Connection, dest: str) -> LinkStart:
    """Return what the link was doing when it was last stopped or killed."""
    batch = link_batch.c
    batches = conn.execute(
        select(
            batch.id, batch.seq, batch.first_rec, batch.n_rec, func.length(batch.bytes),
            batch.state, batch.tries, batch.channel,
        )
        .where(batch.dest == dest, batch.state != "acked")
        .order_by(batch.seq)
    )  # fmt: skip
    receipts = head_q(conn, dest, RECEIPTS, OUT) or Head()
    outs = {
        channel: head_q(conn, dest, channel, OUT) or Head(epoch=receipts.epoch)
        for channel in LETTERS
    }
    ins = {channel: head_q(conn, dest, channel, IN) or Head() for channel in LETTERS}
    return LinkStart(
        outs={RECEIPTS: receipts, **outs},
        ins=ins,
        transport_out=head_q(conn, dest, TRANSPORT, OUT) or Head(),
        transport_in=head_q(conn, dest, TRANSPORT, IN) or Head(),
        batches=tuple(OpenBatch(*row) for row in batches),
        held={channel: held_q(conn, dest, channel, head.epoch) for channel, head in ins.items()},
        kept=_kept_q(conn, dest),
    )


def held_q(conn: Connection, dest: str, channel: int, epoch: int) -> tuple[int, ...]:
    """Return the sequence numbers of batches held ahead of their turn."""
    column = link_in.c
    return tuple(
        conn.execute(
            select(column.seq)
            .where(column.dest == dest, column.channel == channel, column.epoch == epoch,
                   column.state == "held")
            .order_by(column.seq)
        ).scalars()
    )  # fmt: skip


def _kept_q(conn: Connection, dest: str) -> Kept | None:
    row = conn.execute(select(link_state).where(link_state.c.dest == dest)).first()
    if row is None:
        return None
    standing = Standing(LinkState(row.state), row.reason, row.since_at)
    return Kept(standing, row.last_heard_at, row.offline_ms, row.platform_offset_ms)


def due_q(conn: Connection, dest: str, after: int, limit: int) -> list[DueRow]:
    """Return due uploads in the order of their seals, ids above `after`."""
    return [DueRow(*row) for row in conn.exec_driver_sql(_DUE, (dest, after, limit))]


def sent_q(conn: Connection, dest: str, rec_seqs: Sequence[int]) -> list[DueRow]:
    """Return the uploads of some records that have no answer yet."""
    marks = ",".join("?" * len(rec_seqs))
    return [
        DueRow(*row) for row in conn.exec_driver_sql(_SENT.format(marks=marks), (dest, *rec_seqs))
    ]


def backlog_q(conn: Connection, dest: str) -> Backlog:
    """Count what is open and what was refused; both on partial indexes."""
    column = upload.c
    counts = {
        state: conn.execute(
            select(func.count())
            .select_from(upload)
            # Said in full, or the planner does not see that its partial index covers this.
            .where(column.dest == dest, column.state == state, column.state != "applied")
        ).scalar_one()
        for state in ("due", "sent", "rejected", "conflict")
    }
    oldest = [
        at
        for state in ("due", "sent")
        if (
            at := conn.execute(
                select(receipt.c.issued_at)
                .join(upload, upload.c.receipt_id == receipt.c.id)
                .where(column.dest == dest, column.state == state, column.state != "applied")
                .order_by(column.id)
                .limit(1)
            ).scalar()
        )
        is not None
    ]
    return Backlog(
        counts["due"], counts["sent"], counts["rejected"], counts["conflict"],
        min(oldest, default=0),
    )  # fmt: skip


def pulse_txn(tx: Tx, dest: str, kept: Kept, changed: bool, transport_out: Head,
              transport_in: Head) -> None:  # fmt: skip
    """Write state, signs of life and the transport counters; a change is journalled."""
    standing = kept.standing
    tx.cursor.execute(
        _PUT_STATE,
        (dest, standing.state.value, standing.reason, standing.since_at, kept.last_heard_at,
         kept.offline_ms, kept.platform_offset_ms),
    )  # fmt: skip
    put_head(tx, dest, TRANSPORT, OUT, transport_out)
    put_head(tx, dest, TRANSPORT, IN, transport_in)
    if changed:
        tx.journal("link.state", dest, {
            "offline_ms": kept.offline_ms, "reason": kept.standing.reason,
            "state": kept.standing.state.value,
        })  # fmt: skip


def renew_letters_txn(tx: Tx, dest: str) -> int:
    """Let unanswered letters be sent anew: their channel begins a new epoch."""
    column = link_letter.c
    done = tx.conn.execute(
        update(link_letter)
        .where(column.dest == dest, column.state == "sent", column.state != "applied")
        .values(state="due", rec_seq=0, batch_seq=0, updated_at=tx.now_ms)
    )
    return done.rowcount
