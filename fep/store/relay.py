"""The relay's store: batches as they came, a call for every record, answers for ever.

Order: a batch is durable before RECEIVED; its calls are durable before the first of them
leaves; a call is marked as leaving before it does, so that a crash leaves doubt and never a
blind repeat; an answer once stored is never replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, select

from fep.domain.platform import CallState
from fep.store.packed import unpack
from fep.store.schema_relay import relay_batch, relay_call, relay_stream
from fep.store.tx import Tx

HELD_MAX: Final = 256  # batches stored ahead of their turn; more stay in the directory
ZERO: Final = bytes(32)
EPOCHS: Final = 1 << 16  # of a channel: see stream_of in fep/services/relay_ends.py
_NEWER_EPOCH = "SELECT 1 FROM relay_stream WHERE node = ? AND epoch > ? AND epoch < ? LIMIT 1"
_INSERT = (
    "INSERT INTO relay_call (id, node, epoch, rec_seq, batch_seq, idem, digest, op, code, number,"
    " hash, state, result, why, detail, tries, at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"
)
_LEAVING = (
    "UPDATE relay_call SET state = 'calling', tries = tries + 1 WHERE id = ? AND state = 'due'"
)
_ANSWER = (
    "UPDATE relay_call SET state = ?, result = ?, why = ?, detail = ?, at = ?"
    " WHERE id = ? AND state <> 'done'"
)
# Below, what every turn asks: not composed anew, and said in full where the planner would not
# see else that its partial index serves.
_STREAM = (
    "SELECT batch_seq, rec_seq, batch_sm3, head, stopped FROM relay_stream"
    " WHERE node = ? AND epoch = ?"
)
_KNOWN_BATCH = "SELECT sm3 FROM relay_batch WHERE node = ? AND epoch = ? AND seq = ?"
_HELD_WHERE = (
    " FROM relay_batch WHERE node = ? AND epoch = ? AND state = 'held' AND state <> 'done'"
)
_HELD_COUNT = f"SELECT count(*){_HELD_WHERE}"
_HELD = f"SELECT seq{_HELD_WHERE} ORDER BY seq"
_ADD_BATCH = (
    "INSERT INTO relay_batch (node, epoch, seq, sm3, prev, first_rec, n_rec, state, plain,"
    " received_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'held', ?, ?)"
)
_BATCH = (
    "SELECT node, epoch, seq, sm3, prev, first_rec, n_rec, plain FROM relay_batch"
    " WHERE node = ? AND epoch = ? AND seq = ? AND plain IS NOT NULL"
)
_BATCH_OPENED = "UPDATE relay_batch SET state = 'open' WHERE node = ? AND epoch = ? AND seq = ?"
_CLOSED = (
    "UPDATE relay_batch SET state = 'done', plain = NULL WHERE node = ? AND epoch = ?"
    " AND state = 'open' AND state <> 'done' AND first_rec + n_rec - 1 <= ?"
)
_MOVE = (
    "INSERT INTO relay_stream (node, epoch, batch_seq, rec_seq, batch_sm3, head, stopped)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (node, epoch) DO UPDATE SET"
    " batch_seq = excluded.batch_seq, rec_seq = excluded.rec_seq,"
    " batch_sm3 = excluded.batch_sm3, head = excluded.head, stopped = excluded.stopped"
)
_HASH = "SELECT hash FROM relay_call WHERE node = ? AND epoch = ? AND rec_seq = ?"
_OPEN = (
    "SELECT id, node, epoch, rec_seq, batch_seq, state, tries FROM relay_call"
    " WHERE state IN ('due', 'calling', 'doubt') AND state <> 'done' ORDER BY id"
)


class Taken(StrEnum):
    """What became of an arriving batch."""

    HELD = "held"
    REPEATED = "repeated"
    LATER = "later"  # too much is held already: the file stays where it is
    CONFLICT = "conflict"  # other content under a known sequence number
    OVER = "over"  # of an epoch that a newer one has ended


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified data batch; `plain` is zlib of the records."""

    node: str
    epoch: int
    seq: int
    sm3: bytes
    prev: bytes
    first_rec: int
    n_rec: int
    plain: bytes

    def text(self) -> bytes:
        """Return the records' bytes."""
        return unpack(self.plain)


@dataclass(frozen=True, slots=True)
class Stream:
    """Where the records of a node stand in one epoch."""

    batch_seq: int = 0
    rec_seq: int = 0
    batch_sm3: bytes = ZERO
    head: bytes = ZERO
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A record as its call is stored."""

    rec_seq: int
    idem: bytes
    digest: bytes
    op: str
    code: str
    number: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call without a final answer, as a restart finds it."""

    id: int
    node: str
    epoch: int
    rec_seq: int
    batch_seq: int
    state: str
    tries: int


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer to be stored; `state` is where the call is after it."""

    id: int
    state: str
    result: str
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as it is sent back."""

    rec_seq: int
    result: str
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A call as `open_txn` made it; `told` is set when the answer was known already."""

    id: int
    rec_seq: int
    state: str
    told: Told | None = None


def stream_q(conn: Connection, node: str, epoch: int) -> Stream:
    """Return where a stream stands; a new one at its beginning."""
    row = conn.exec_driver_sql(_STREAM, (node, epoch)).first()
    return Stream() if row is None else Stream(*row)


def streams_q(conn: Connection) -> list[tuple[str, int]]:
    """Return every (node, epoch) that has sent anything, and those that are only held."""
    rows = conn.execute(select(relay_stream.c.node, relay_stream.c.epoch))
    held = conn.execute(
        select(relay_batch.c.node, relay_batch.c.epoch).where(relay_batch.c.state != "done")
    )
    return sorted({(row[0], row[1]) for row in rows} | {(row[0], row[1]) for row in held})


def arrived_txn(tx: Tx, batch: Arrived) -> Taken:
    """Store a batch, or know it again. Never raises for its content."""
    where = (batch.node, batch.epoch)
    known = tx.cursor.execute(_KNOWN_BATCH, (*where, batch.seq)).fetchone()
    if known is not None:
        return Taken.REPEATED if known[0] == batch.sm3 else Taken.CONFLICT
    end = (batch.epoch // EPOCHS + 1) * EPOCHS
    if tx.cursor.execute(_NEWER_EPOCH, (*where, end)).fetchone() is not None:
        return Taken.OVER
    if tx.cursor.execute(_HELD_COUNT, where).fetchone()[0] >= HELD_MAX:
        return Taken.LATER
    tx.cursor.execute(
        _ADD_BATCH,
        (*where, batch.seq, batch.sm3, batch.prev, batch.first_rec, batch.n_rec, batch.plain,
         tx.now_ms),
    )  # fmt: skip
    tx.journal("relay.received", f"{batch.node}/{batch.epoch}/1/{batch.seq}", {
        "n_rec": batch.n_rec, "sm3": batch.sm3.hex(),
    })  # fmt: skip
    return Taken.HELD


def batch_q(conn: Connection, node: str, epoch: int, seq: int) -> Arrived | None:
    """Return a stored batch whose content is still there."""
    row = conn.exec_driver_sql(_BATCH, (node, epoch, seq)).first()
    return None if row is None else Arrived(*row)


def held_q(conn: Connection, node: str, epoch: int) -> tuple[int, ...]:
    """Return the sequence numbers that wait for their turn."""
    return tuple(row[0] for row in conn.exec_driver_sql(_HELD, (node, epoch)))


def open_txn(tx: Tx, batch: Arrived, calls: Sequence[NewCall]) -> list[Opened]:
    """Make the calls of the batch whose turn it is; those answered before are done at once."""
    stream = stream_q(tx.conn, batch.node, batch.epoch)
    assert batch.seq == stream.batch_seq + 1, (batch.seq, stream.batch_seq)
    known = _known(tx, [call.idem for call in calls])
    rows: list[tuple[object, ...]] = []
    opened: list[Opened] = []
    for call in calls:
        call_id = tx.next_id("relay_call")
        state, result, why, detail = _before(known.get(call.idem), call.digest)
        rows.append(
            (call_id, batch.node, batch.epoch, call.rec_seq, batch.seq, call.idem, call.digest,
             call.op, call.code, call.number, call.hash, state, result, why, detail, tx.now_ms)
        )  # fmt: skip
        told = Told(call.rec_seq, result, why, detail) if result else None
        opened.append(Opened(call_id, call.rec_seq, state, told))
    tx.cursor.executemany(_INSERT, rows)
    _move(tx, batch.node, batch.epoch, Stream(
        batch.seq, calls[-1].rec_seq, batch.sm3, calls[-1].hash
    ))  # fmt: skip
    tx.cursor.execute(_BATCH_OPENED, (batch.node, batch.epoch, batch.seq))
    return opened


def _known(tx: Tx, idems: list[bytes]) -> dict[bytes, Any]:
    """Return the first call of each identity that is there already."""
    found: dict[bytes, Any] = {}
    for start in range(0, len(idems), 500):
        part = idems[start : start + 500]
        marks = ",".join("?" * len(part))
        tx.cursor.execute(
            "SELECT idem, digest, state, result, why, detail FROM relay_call"
            f" WHERE idem IN ({marks}) ORDER BY id",
            part,
        )
        for row in tx.cursor.fetchall():
            found.setdefault(bytes(row[0]), row[1:])
    return found


def _before(row: Any, digest: bytes) -> tuple[str, str, str, str]:
    """Return state and answer of a record whose identity may be known."""
    if row is None:
        return CallState.DUE.value, "", "", ""
    other, state, result, why, detail = row
    if bytes(other) != digest:
        return CallState.DONE.value, "CONFLICT", "differs", "same identity, other content"
    if state == CallState.DONE.value:
        return CallState.DONE.value, "DUP" if result == "OK" else result, why, detail
    # The first of them is still under way: when our turn comes the platform is asked.
    return CallState.DOUBT.value, "", "", ""


def _move(tx: Tx, node: str, epoch: int, stream: Stream) -> None:
    tx.cursor.execute(
        _MOVE,
        (node, epoch, stream.batch_seq, stream.rec_seq, stream.batch_sm3, stream.head,
         stream.stopped),
    )  # fmt: skip


def stop_txn(tx: Tx, node: str, epoch: int, why: str) -> None:
    """Stop a stream whose batch does not follow; journalled."""
    before = stream_q(tx.conn, node, epoch)
    _move(tx, node, epoch, Stream(
        before.batch_seq, before.rec_seq, before.batch_sm3, before.head, why[:200]
    ))  # fmt: skip
    tx.journal("relay.stopped", f"{node}/{epoch}", {"why": why[:200]})


def leaving_txn(tx: Tx, ids: Sequence[int]) -> None:
    """Mark calls as leaving; they leave after the commit."""
    tx.cursor.executemany(_LEAVING, [(one,) for one in ids])


def answers_txn(tx: Tx, answers: Sequence[Settled]) -> list[None]:
    """Store what came back, once per group of the writer."""
    tx.cursor.executemany(
        _ANSWER,
        [(one.state, one.result, one.why, one.detail, tx.now_ms, one.id) for one in answers],
    )
    for one in answers:
        if one.result in ("REJECT", "CONFLICT") or one.state == CallState.DOUBT.value:
            tx.journal("relay.answer", str(one.id), {
                "detail": one.detail, "result": one.result, "state": one.state, "why": one.why,
            })  # fmt: skip
    return [None] * len(answers)


def closed_txn(tx: Tx, node: str, epoch: int, upto: int) -> None:
    """Drop the content of batches whose records are all answered."""
    tx.cursor.execute(_CLOSED, (node, epoch, upto))


def open_calls_q(conn: Connection) -> list[OpenCall]:
    """Return every call without a final answer, in the order they came."""
    return [OpenCall(*row) for row in conn.exec_driver_sql(_OPEN)]


def told_q(conn: Connection, node: str, epoch: int, batch_seq: int) -> list[Told]:
    """Return the answers of a batch that are final."""
    column = relay_call.c
    batch = conn.execute(
        select(relay_batch.c.first_rec, relay_batch.c.n_rec).where(
            relay_batch.c.node == node, relay_batch.c.epoch == epoch,
            relay_batch.c.seq == batch_seq,
        )
    ).first()  # fmt: skip
    if batch is None:
        return []
    rows = conn.execute(
        select(column.rec_seq, column.result, column.why, column.detail)
        .where(column.node == node, column.epoch == epoch, column.state == "done",
               column.rec_seq.between(batch.first_rec, batch.first_rec + batch.n_rec - 1))
        .order_by(column.rec_seq)
    )  # fmt: skip
    return [Told(*row) for row in rows]


def hash_q(conn: Connection, node: str, epoch: int, rec_seq: int) -> bytes:
    """Return the hash of a record, zeros for the one before the first."""
    row = conn.exec_driver_sql(_HASH, (node, epoch, rec_seq)).first()
    return row[0] if row is not None else ZERO
