"""Inbound control batches in the store: applied in order, each effect once.

A batch, its effects, its results and the head of the channel are one transaction. A batch
ahead of its turn is held with its plain text; one seen again is answered with the results
it got. The first content seen under a sequence number is the one that counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from fep.domain.faults import Refused
from fep.domain.life_marks import Mark
from fep.domain.link_budget import OfflineBudget
from fep.store import reconcile_answers, revocation
from fep.store.life import mark_txn
from fep.store.link import CONTROL, IN, RECONCILIATION, Head, head_q, held_q, put_head
from fep.store.link_certs import revoke_txn, rotate_txn
from fep.store.numbers import Grant
from fep.store.schema import link_in
from fep.store.tx import Tx
from fep.wire.fpb import Reason, Unreadable
from fep.wire.fpb_ack import Result
from fep.wire.fpb_record import Record, idem, read_records

HELD_MAX: Final = 64
RECORDS_MAX: Final = 1000
QUOTA_LOOK_BACK: Final = 200
QUOTA_LIMITS: Final = ("hours", "count", "amount_fen", "single_fen")  # as OfflineBudget has them
TIME_MAX: Final = 1 << 62  # ms; more than the store holds would stop the channel for ever

OnGrant = Callable[[Tx, Grant], bool]
"""Applies a grant in the given transaction; False when it was there. Raises Refused."""


class Fate(StrEnum):
    """What became of an arriving control batch."""

    APPLIED = "applied"
    REPEATED = "repeated"
    HELD = "held"
    LATER = "later"  # too much is held already: the file stays where it is
    STALE = "stale"  # of an epoch that is over
    CHAIN = "chain"  # it does not follow what was applied
    CONFLICT = "conflict"  # other content under a known sequence number


@dataclass(frozen=True, slots=True)
class Control:
    """A verified control batch."""

    epoch: int
    seq: int
    kind: int
    sm3: bytes
    prev_batch_sm3: bytes
    first_rec: int
    n_rec: int
    plain: bytes
    channel: int = CONTROL


@dataclass(frozen=True, slots=True)
class Outcome:
    """Fate, the head after it, results to answer with, and the quota it brought."""

    fate: Fate
    head: Head
    results: tuple[Result, ...] = ()
    detail: str = ""
    quota: OfflineBudget | None = None


def control_txn(tx: Tx, dest: str, batch: Control, on_grant: OnGrant) -> Outcome:
    """Apply, hold or recognise a control batch. Never raises for its content."""
    head = head_q(tx.conn, dest, batch.channel, IN) or Head(epoch=batch.epoch)
    if batch.epoch < head.epoch:
        return Outcome(Fate.STALE, head, detail=f"epoch {batch.epoch} is over")
    if batch.epoch > head.epoch:
        head = Head(epoch=batch.epoch)
    row = _row_q(tx.conn, dest, batch.channel, batch.epoch, batch.seq)
    if row is not None and row.state == "refused":
        # A person has let the channel go on: what once did not follow gets a new chance.
        column = link_in.c
        tx.conn.execute(
            delete(link_in).where(
                column.dest == dest, column.channel == batch.channel,
                column.epoch == batch.epoch, column.seq == batch.seq,
            )
        )  # fmt: skip
    elif row is not None:
        return _known(tx, dest, batch, head, row)
    if batch.seq <= head.seq:
        return Outcome(Fate.STALE, head, detail=f"batch {batch.seq} is not remembered")
    if batch.seq > head.seq + 1:
        return _hold(tx, dest, batch, head)
    outcome = _apply(tx, dest, batch, head, on_grant)
    if outcome.fate is Fate.APPLIED:
        _keep(tx, dest, batch, "applied", _detail(batch, outcome.results))
    return outcome


def next_held_txn(tx: Tx, dest: str, on_grant: OnGrant, channel: int = CONTROL) -> Outcome | None:
    """Apply the held batch whose turn has come; None when there is none."""
    head = head_q(tx.conn, dest, channel, IN) or Head()
    row = _row_q(tx.conn, dest, channel, head.epoch, head.seq + 1)
    if row is None or row.state != "held":
        return None
    kept = json.loads(row.detail)
    batch = Control(
        head.epoch, head.seq + 1, row.kind, bytes(row.sm3),
        bytes.fromhex(kept["prev"]), kept["first_rec"], kept["n_rec"], bytes(row.plain),
        channel,
    )  # fmt: skip
    outcome = _apply(tx, dest, batch, head, on_grant)
    applied = outcome.fate is Fate.APPLIED
    column = link_in.c
    tx.conn.execute(
        update(link_in)
        .where(column.dest == dest, column.channel == channel, column.epoch == batch.epoch,
               column.seq == batch.seq)
        .values(
            state="applied" if applied else "refused",
            detail=_detail(batch, outcome.results) if applied else outcome.detail,
        )
    )  # fmt: skip
    return outcome


def quota_q(conn: Connection, dest: str) -> OfflineBudget | None:
    """Return the newest offline quota the platform signed, None when it set none."""
    column = link_in.c
    plains = conn.execute(
        select(column.plain)
        .where(column.dest == dest, column.channel == CONTROL, column.state == "applied")
        .order_by(column.epoch.desc(), column.seq.desc())
        .limit(QUOTA_LOOK_BACK)
    ).scalars()
    for plain in plains:
        for line in reversed(bytes(plain or b"").split(b"\n")):
            quota = quota_of(json.loads(line).get("body", {})) if line else None
            if quota is not None:
                return quota
    return None


def quota_of(body: Any) -> OfflineBudget | None:  # a JSON object of a stranger
    """Return the quota of a GRANT body, None when it carries no limit."""
    quota = body.get("quota") if isinstance(body, dict) else None
    if not isinstance(quota, dict):
        return None
    limits = [quota.get(name) for name in QUOTA_LIMITS]
    given = [value if type(value) is int and value >= 0 else None for value in limits]
    return OfflineBudget(*given) if any(value is not None for value in given) else None


def _row_q(conn: Connection, dest: str, channel: int, epoch: int, seq: int) -> Any:  # Row | None
    column = link_in.c
    return conn.execute(
        select(link_in).where(
            column.dest == dest, column.channel == channel, column.epoch == epoch,
            column.seq == seq,
        )
    ).first()  # fmt: skip


def _known(tx: Tx, dest: str, batch: Control, head: Head, row: Any) -> Outcome:
    if bytes(row.sm3) != batch.sm3:
        tx.journal("link.conflict", f"{dest}/{batch.epoch}/{batch.channel}/{batch.seq}", {
            "first": bytes(row.sm3).hex(), "second": batch.sm3.hex(),
        })  # fmt: skip
        return Outcome(Fate.CONFLICT, head, detail="other content under a known number")
    if row.state == "held":
        return Outcome(Fate.HELD, head)
    results = msgspec.convert(json.loads(row.detail)["results"], tuple[Result, ...])
    return Outcome(Fate.REPEATED, head, results)


def _hold(tx: Tx, dest: str, batch: Control, head: Head) -> Outcome:
    if len(held_q(tx.conn, dest, batch.channel, batch.epoch)) >= HELD_MAX:
        return Outcome(Fate.LATER, head)
    _keep(tx, dest, batch, "held", _detail(batch, ()))
    return Outcome(Fate.HELD, head)


def _keep(tx: Tx, dest: str, batch: Control, state: str, detail: str) -> None:
    tx.conn.execute(
        insert(link_in).values(
            dest=dest, channel=batch.channel, epoch=batch.epoch, seq=batch.seq, sm3=batch.sm3,
            kind=batch.kind, state=state, plain=batch.plain, received_at=tx.now_ms,
            detail=detail,
        )
    )  # fmt: skip


def _detail(batch: Control, results: tuple[Result, ...]) -> str:
    """Return what is needed to apply the batch later, or to answer it again."""
    return json.dumps(
        {
            "first_rec": batch.first_rec, "n_rec": batch.n_rec,
            "prev": batch.prev_batch_sm3.hex(), "results": msgspec.to_builtins(results),
        }
    )  # fmt: skip


def _apply(tx: Tx, dest: str, batch: Control, head: Head, on_grant: OnGrant) -> Outcome:
    try:
        if batch.prev_batch_sm3 != head.batch_sm3 or batch.first_rec != head.rec_seq + 1:
            raise Unreadable(Reason.CHAIN, f"batch {batch.seq} does not follow")
        if not 1 <= batch.n_rec <= RECORDS_MAX:
            raise Unreadable(Reason.CHAIN, f"{batch.n_rec} records")
        records = read_records(batch.plain, batch.first_rec, batch.n_rec, head.rec_hash)
    except Unreadable as error:
        return Outcome(Fate.CHAIN, head, detail=error.detail)
    results = tuple(_effect(tx, dest, batch.channel, record, on_grant) for record in records)
    quotas = [quota_of(record.body) for record in records if record.op == "GRANT"]
    after = Head(batch.epoch, batch.seq, records[-1].rec_seq, batch.sm3, records[-1].hash)
    put_head(tx, dest, batch.channel, IN, after)
    tx.journal("link.control", f"{dest}/{batch.epoch}/{batch.channel}/{batch.seq}", {
        "first_rec": batch.first_rec, "results": [result.result for result in results],
        "sm3": batch.sm3.hex(),
    })  # fmt: skip
    newest = next((quota for quota in reversed(quotas) if quota is not None), None)
    return Outcome(Fate.APPLIED, after, results, quota=newest)


def _effect(tx: Tx, dest: str, channel: int, record: Record, on_grant: OnGrant) -> Result:
    """Apply one record; what it cannot do is its result and never blocks the channel."""
    effect = EFFECTS.get(channel, {}).get(record.op)
    if effect is not None:
        return effect(tx, dest, record)
    if channel != CONTROL or record.op != "GRANT":
        return _reject(record, "op", f"operation {record.op[:40]} is not known")
    body = record.body
    texts = [body.get(name) for name in ("unit", "code", "first", "last", "grant_id")]
    not_after = body.get("not_after")
    timed = type(not_after or 0) is int and 0 <= (not_after or 0) < TIME_MAX
    if not timed or not all(isinstance(text, str) for text in texts):
        return _reject(record, "shape", "a member is missing or of the wrong type")
    unit, code, first, last, grant_id = (str(text) for text in texts)
    if record.idem != idem(code, first, "GRANT", last):
        return _reject(record, "idem", "idem is not that of the content")
    grant = Grant(
        unit=unit, code=code, first=first, last=last, source="platform",
        evidence=f"{dest} {grant_id} record {record.rec_seq} {record.hash.hex()}",
        not_after=int(not_after or 0),
    )  # fmt: skip
    try:
        new = on_grant(tx, grant)
    except Refused as refusal:
        return _reject(record, refusal.code, refusal.en)
    return Result(record.rec_seq, "OK" if new else "DUP")


def _mark(tx: Tx, dest: str, record: Record) -> Result:
    """Store what the platform says of a receipt: booked, not booked, written off."""
    body, at = record.body, record.body.get("at")
    texts = [body.get(name) for name in ("code", "number", "mark", "evidence", "mark_id")]
    if not all(isinstance(text, str) for text in texts) or type(at) is not int:
        return _reject(record, "shape", "a member is missing or of the wrong type")
    code, number, said, evidence, mark_id = (str(text) for text in texts)
    if record.idem != idem(code, number, "MARK", mark_id):
        return _reject(record, "idem", "idem is not that of the content")
    if said not in {mark.value for mark in Mark}:
        return _reject(record, "mark", f"mark {said[:20]} is not known")
    evidence = f"{evidence[:400]} ({dest} record {record.rec_seq} {record.hash.hex()})"
    try:
        new = mark_txn(tx, code, number, Mark(said), at, evidence)
    except KeyError:
        return _reject(record, "RCP_UNKNOWN", f"{code[:8]}-{number[:10]}")
    return Result(record.rec_seq, "OK" if new else "DUP")


def _reject(record: Record, code: str, detail: str) -> Result:
    return Result(record.rec_seq, "REJECT", code, detail[:1000])


Effect = Callable[[Tx, str, Record], Result]
EFFECTS: Final[dict[int, dict[str, Effect]]] = {
    CONTROL: {
        "MARK": _mark,
        "ROTATE": rotate_txn,
        "REVOKE_CERT": revoke_txn,
        "REVOKE": revocation.numbers_txn,
        "REVOKE_UNIT": revocation.unit_txn,
    },
    RECONCILIATION: {reconcile_answers.OP: reconcile_answers.answer_txn},
}
"""What a record of a channel does, by operation; one that is not here is rejected as `op`.

An effect runs in the transaction of its batch: (tx, destination, record) -> Result.
"""
