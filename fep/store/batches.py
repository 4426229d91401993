"""Batches in the store: a whole batch is taken in one transaction, or nothing of it is.

An event that is refused stands in the batch with its reason and does not stand in the way of
the others. The same key with the same content answers the batch that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, case, exists, func, insert, select

from fep.domain.faults import Refused, refuse
from fep.domain.receipt import Receipt
from fep.store.issuing import INSERT_EVENT, REOPEN_EVENT, Draft, Known, known_txn
from fep.store.receipts import as_receipt, receipts
from fep.store.schema import event, receipt
from fep.store.schema_batches import batch, batch_item
from fep.store.tx import Tx

ISSUED, QUEUED, REFUSED = "issued", "queued", "refused"
_SIGNED = exists().where(and_(receipt.c.event_id == event.c.id, receipt.c.state == "sealed"))
# An event whose receipt waits for its signature is still under way.
_STATE = case(
    (and_(event.c.state == "issued", _SIGNED), ISSUED),
    (event.c.state.in_(("issued", "queued")), QUEUED),
    else_=REFUSED,
)


@dataclass(frozen=True, slots=True)
class Bad:
    """An event that cannot be taken: where it says it belongs, and why not."""

    unit: str
    key: str
    refused: Refused


@dataclass(frozen=True, slots=True)
class Hand:
    """A batch as it is handed over; `digest` is of its content, its items keep their order."""

    caller: str
    key: str
    digest: bytes
    items: tuple[Draft | Bad, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken: the batch, whether it was there before, the events that now wait."""

    id: int
    repeated: bool
    queued: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch with what has become of its events so far."""

    id: int
    caller: str
    key: str
    count: int
    at: int
    issued: int
    queued: int
    refused: int


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One event of a batch; `state` is queued, issued or refused."""

    position: int
    unit: str
    key: str
    event_id: int
    state: str
    fault: str
    why: str
    receipt: Receipt | None


def take_txn(tx: Tx, hand: Hand) -> Taken:
    """Take a batch. Raises Refused BATCH_CONFLICT when the key stands for another one."""
    there = tx.conn.execute(
        select(batch.c.id, batch.c.digest).where(
            and_(batch.c.caller == hand.caller, batch.c.key == hand.key)
        )
    ).first()
    if there is not None:
        if bytes(there.digest) != hand.digest:
            raise refuse("BATCH_CONFLICT", key=hand.key)
        return Taken(there.id, True)
    known = _known(tx, hand)
    batch_id = tx.next_id("batch")
    rows = _Rows([], [], [], [])
    for position, item in enumerate(hand.items):
        rows.items.append({"batch_id": batch_id, "position": position, "unit": item.unit,
                           "key": item.key, **_take(tx, item, known, rows)})  # fmt: skip
    tx.conn.execute(
        insert(batch).values(
            id=batch_id, caller=hand.caller, key=hand.key, digest=hand.digest,
            count=len(hand.items), at=tx.now_ms,
        )
    )  # fmt: skip
    if rows.events:
        tx.cursor.executemany(INSERT_EVENT, rows.events)
    if rows.reopened:
        tx.cursor.executemany(REOPEN_EVENT, rows.reopened)
    tx.conn.execute(insert(batch_item), rows.items)
    tx.journal("batch.taken", hand.key, {
        "batch": batch_id, "caller": hand.caller, "count": len(hand.items),
        "digest": hand.digest.hex(), "queued": len(rows.queued),
    })  # fmt: skip
    return Taken(batch_id, False, tuple(rows.queued))


@dataclass(slots=True)
class _Rows:
    events: list[tuple[object, ...]]
    reopened: list[tuple[object, ...]]
    items: list[dict[str, object]]
    queued: list[int]


def _known(tx: Tx, hand: Hand) -> dict[tuple[str, str], Known]:
    drafts = [item for item in hand.items if isinstance(item, Draft)]
    found: dict[tuple[str, str], Known] = {}
    for unit in {draft.unit for draft in drafts}:
        keys = [draft.key for draft in drafts if draft.unit == unit]
        found |= {(unit, key): entry for key, entry in known_txn(tx, unit, keys).items()}
    return found


def _take(
    tx: Tx, item: Draft | Bad, known: dict[tuple[str, str], Known], rows: _Rows
) -> dict[str, object]:
    """Return event, fault and reason of an item; its event joins the rows to be written."""
    if isinstance(item, Bad):
        return {"event_id": 0, **_why(item.refused)}
    entry = known.get((item.unit, item.key))
    if entry is not None and entry.state != "refused":
        if entry.digest != item.digest:
            ref = entry.receipt.ref if entry.receipt else ""
            return {"event_id": 0, **_why(refuse("EVT_CONFLICT", key=item.key, receipt=ref))}
        return {"event_id": entry.event_id, "fault": "", "why": ""}
    if entry is None:
        event_id = tx.next_id("event")
        rows.events.append((event_id, item.unit, item.caller, item.key, item.digest, "queued",
                            tx.now_ms, "", item.body))  # fmt: skip
    else:
        event_id = entry.event_id
        rows.reopened.append(("queued", item.caller, item.digest, "", item.body, event_id))
    tx.journal("event.queued", item.key, {
        "digest": item.digest.hex(), "event": event_id, "unit": item.unit,
    })  # fmt: skip
    known[item.unit, item.key] = Known(event_id, item.digest, "queued", None)
    rows.queued.append(event_id)
    return {"event_id": event_id, "fault": "", "why": ""}


def _why(refused: Refused) -> dict[str, str]:
    return {
        "fault": refused.code,
        "why": msgspec.json.encode({"zh": refused.zh, "en": refused.en}).decode(),
    }


def batch_q(conn: Connection, caller: str, key: str) -> BatchRow | None:
    """Return a caller's batch with its progress."""
    row = conn.execute(
        select(batch.c.id, batch.c.caller, batch.c.key, batch.c.count.label("size"), batch.c.at)
        .where(and_(batch.c.caller == caller, batch.c.key == key))
    ).first()  # fmt: skip
    if row is None:
        return None
    states: dict[str, int] = dict(
        conn.execute(
            select(_STATE, func.count())
            .select_from(batch_item.join(event, event.c.id == batch_item.c.event_id))
            .where(batch_item.c.batch_id == row.id)
            .group_by(_STATE)
        ).all()
    )
    issued, queued = states.get(ISSUED, 0), states.get(QUEUED, 0)
    return BatchRow(*row, issued, queued, row.size - issued - queued)


def items_q(conn: Connection, batch_id: int, first: int, limit: int) -> list[ItemRow]:
    """Return items from a position on, with the receipts there are."""
    rows: Sequence[Any] = conn.execute(
        select(batch_item, _STATE.label("state"), event.c.reason)
        .join(event, event.c.id == batch_item.c.event_id, isouter=True)
        .where(and_(batch_item.c.batch_id == batch_id, batch_item.c.position >= first))
        .order_by(batch_item.c.position)
        .limit(limit)
    ).all()
    ids = [row.event_id for row in rows if row.state == ISSUED]
    found = {
        one.event_id: one
        for one in map(
            as_receipt,
            conn.execute(
                receipts().where(and_(receipt.c.event_id.in_(ids), receipt.c.state == "sealed"))
            ),
        )
    }
    return [
        ItemRow(row.position, row.unit, row.key, row.event_id, row.state,
                row.fault or row.reason or "", row.why, found.get(row.event_id))
        for row in rows
    ]  # fmt: skip
