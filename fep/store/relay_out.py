"""What the relay sends to its nodes: transport numbers, numbers fetched ahead, control batches.

A control batch, the numbers in it and the head of the channel change in one transaction; it
is written again byte for byte until the node has applied it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, and_, func, insert, select, update

from fep.store.schema_relay import (
    relay_call,
    relay_control,
    relay_number,
    relay_own,
    relay_peer,
)
from fep.store.tx import Tx

ZERO: Final = bytes(32)
RUNS_MAX: Final = 100
NUMBERS_MAX: Final = 5000
_TRANSPORT = (
    "INSERT INTO relay_peer (node, transport_seq, heard_at, batch_sm3, head)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (node) DO UPDATE SET"
    " transport_seq = excluded.transport_seq, heard_at = excluded.heard_at"
)


@dataclass(frozen=True, slots=True)
class PeerRow:
    """What is known of a node, and where channel 2 to it stands."""

    heard_at: int = 0
    transport_seq: int = 0
    seq: int = 0
    rec_seq: int = 0
    batch_sm3: bytes = ZERO
    head: bytes = ZERO


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers that follow each other and were not granted yet."""

    unit: str
    code: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ControlBatch:
    """A control batch to be stored, with the runs its records grant, in their order.

    `own` is instead the serial of our certificate that its one record announces.
    """

    seq: int
    first_rec: int
    content: bytes
    sm3: bytes
    tail: bytes
    runs: tuple[Run, ...] = ()
    own: str = ""

    @property
    def n_rec(self) -> int:
        """Return how many records it has."""
        return len(self.runs) or 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """A control batch the node has not applied."""

    seq: int
    tries: int
    content: bytes


def peer_q(conn: Connection, node: str) -> PeerRow:
    """Return what is known of a node."""
    row = conn.execute(select(relay_peer).where(relay_peer.c.node == node)).first()
    if row is None:
        return PeerRow()
    return PeerRow(
        row.heard_at, row.transport_seq, row.seq, row.rec_seq, bytes(row.batch_sm3),
        bytes(row.head),
    )  # fmt: skip


def put_peer(tx: Tx, node: str, **values: object) -> None:
    """Change what is known of a node."""
    changed = tx.conn.execute(update(relay_peer).where(relay_peer.c.node == node).values(values))
    if changed.rowcount == 0:
        fresh: dict[str, object] = {"node": node, "batch_sm3": ZERO, "head": ZERO}
        tx.conn.execute(insert(relay_peer).values({**fresh, **values}))


def transport_txn(tx: Tx, node: str, seq: int, heard_at: int) -> None:
    """Write down the number of the next transport file and when the node was heard."""
    tx.cursor.execute(_TRANSPORT, (node, seq, heard_at, ZERO, ZERO))


def number_txn(tx: Tx, node: str, unit: str, code: str, number: str, evidence: str) -> bool:
    """Keep a number the platform gave; False when it was given before."""
    known = tx.conn.execute(
        select(relay_number.c.number).where(
            relay_number.c.code == code, relay_number.c.number == number
        )
    ).first()
    if known is not None:
        return False
    tx.conn.execute(
        insert(relay_number).values(
            code=code, number=number, unit=unit, node=node, at=tx.now_ms, evidence=evidence[:80]
        )
    )
    tx.journal("relay.number", f"{code}-{number}", {"evidence": evidence[:80], "unit": unit})
    return True


def requested_q(conn: Connection, node: str, code: str, evidence: str) -> int:
    """Return how many numbers were kept for one request."""
    column = relay_number.c
    return conn.execute(
        select(func.count()).select_from(relay_number)
        .where(column.code == code, column.node == node, column.evidence == evidence[:80])
    ).scalar_one()  # fmt: skip


def number_doubt_txn(tx: Tx, unit: str, code: str, why: str) -> None:
    """Note a question for a number that was not answered: the platform may have used one up."""
    tx.journal("relay.number_doubt", code, {"unit": unit, "why": why[:200]})


def in_hand_q(conn: Connection, unit: str, code: str) -> int:
    """Return how many fetched numbers no receipt has used yet."""
    fetched = conn.execute(
        select(func.count()).select_from(relay_number)
        .where(relay_number.c.code == code, relay_number.c.unit == unit)
    ).scalar_one()  # fmt: skip
    used = conn.execute(
        select(func.count(func.distinct(relay_call.c.number)))
        .select_from(relay_call)
        .join(relay_number, and_(relay_number.c.code == relay_call.c.code,
                                 relay_number.c.number == relay_call.c.number))
        .where(relay_number.c.code == code, relay_number.c.unit == unit)
    ).scalar_one()  # fmt: skip
    return int(fetched) - int(used)


def runs_q(conn: Connection, node: str) -> list[Run]:
    """Return what may be granted to a node, contiguous numbers together."""
    column = relay_number.c
    rows = conn.execute(
        select(column.unit, column.code, column.number)
        .where(column.node == node, column.rec_seq == 0)
        .order_by(column.code, column.number)
        .limit(NUMBERS_MAX)
    )
    runs: list[Run] = []
    for unit, code, text in rows:
        number = int(text)
        before = runs[-1] if runs else None
        if before and (before.unit, before.code, before.last + 1) == (unit, code, number):
            runs[-1] = Run(unit, code, before.first, number)
        elif len(runs) == RUNS_MAX:
            break
        else:
            runs.append(Run(unit, code, number, number))
    return runs


def control_txn(tx: Tx, node: str, made: ControlBatch) -> None:
    """Store a control batch with what it grants."""
    before = peer_q(tx.conn, node)
    assert made.seq == before.seq + 1, (made.seq, before.seq)
    assert made.first_rec == before.rec_seq + 1, (made.first_rec, before.rec_seq)
    tx.conn.execute(
        insert(relay_control).values(
            node=node, seq=made.seq, first_rec=made.first_rec, n_rec=made.n_rec,
            tail=made.tail, content=made.content,
        )
    )  # fmt: skip
    for place, run in enumerate(made.runs):
        column = relay_number.c
        tx.conn.execute(
            update(relay_number)
            .where(column.code == run.code,
                   column.number.between(f"{run.first:010d}", f"{run.last:010d}"))
            .values(rec_seq=made.first_rec + place)
        )  # fmt: skip
    if made.own:
        row = {"node": node, "serial": made.own, "rec_seq": made.first_rec}
        tx.conn.execute(insert(relay_own).values(row))
        tx.journal("relay.own_cert", node, {"serial": made.own})
    put_peer(tx, node, seq=made.seq, rec_seq=made.first_rec + made.n_rec - 1,
             batch_sm3=made.sm3, head=made.tail)  # fmt: skip
    tx.journal("relay.granted", f"{node}/{made.seq}", {
        "runs": [f"{run.code} {run.first:010d}-{run.last:010d}" for run in made.runs],
        "sm3": made.sm3.hex(),
    })  # fmt: skip


def waiting_q(conn: Connection, node: str) -> list[Waiting]:
    """Return the control batches a node has not applied, oldest first."""
    column = relay_control.c
    rows = conn.execute(
        select(column.seq, column.tries, column.content)
        .where(column.node == node, column.freed == 0)
        .order_by(column.seq)
        .limit(64)
    )
    return [Waiting(row.seq, row.tries, bytes(row.content)) for row in rows]


def tried_txn(tx: Tx, node: str, seq: int, tries: int) -> None:
    """Count a writing of a control batch."""
    column = relay_control.c
    tx.conn.execute(
        update(relay_control).where(column.node == node, column.seq == seq).values(tries=tries)
    )


def applied_txn(
    tx: Tx, node: str, upto: int, head: bytes, results: Sequence[tuple[int, str]]
) -> bool:
    """Free what the node has applied; False when its head is another than ours."""
    column = relay_control.c
    row = tx.conn.execute(
        select(column.seq, column.tail).where(
            column.node == node, column.first_rec + column.n_rec - 1 == upto
        )
    ).first()
    if row is None:
        return upto == 0 or upto <= peer_q(tx.conn, node).rec_seq
    if bytes(row.tail) != head:
        tx.journal("relay.fork", node, {"upto": upto})
        return False
    tx.conn.execute(
        update(relay_control)
        .where(column.node == node, column.freed == 0, column.seq <= row.seq)
        .values(freed=1, content=None)
    )
    for rec_seq, result in results:
        tx.conn.execute(
            update(relay_number)
            .where(relay_number.c.node == node, relay_number.c.rec_seq == rec_seq)
            .values(result=result[:60])
        )
        tx.conn.execute(
            update(relay_own)
            .where(relay_own.c.node == node, relay_own.c.rec_seq == rec_seq)
            .values(result=result[:60])
        )
    return True


def own_q(conn: Connection, node: str, serial: str) -> str | None:
    """Return a node's answer to our next certificate, empty before it, None unannounced."""
    column = relay_own.c
    return conn.execute(
        select(column.result).where(column.node == node, column.serial == serial)
    ).scalar()
