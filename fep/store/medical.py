"""What business systems said of their receipts, in their own words: written with the number,
found again by busNo, by card, by business time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, and_, insert, not_, select

from fep.domain.faults import Refused, refuse
from fep.domain.receipt import Receipt
from fep.store.issuing import Draft, Rider, known_txn, submit_txn
from fep.store.packed import frame, unpack
from fep.store.schema import event, receipt, reversal, sheet
from fep.store.schema_medical import medical_batch, medical_bill, medical_name
from fep.store.tx import Tx

ROWS_MAX = 50_000
KEYS_MAX = 500  # of one statement
# On the issuing path: text, like the statements of fep.store.issuing.
_KEEP = (
    "INSERT INTO medical_bill (unit, key, red, bus_no, bus_type, bus_at, place, card_no, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (unit, key) DO UPDATE SET"
    " bus_no = excluded.bus_no, bus_type = excluded.bus_type, bus_at = excluded.bus_at,"
    " place = excluded.place, card_no = excluded.card_no, body = excluded.body"
)


class Said(msgspec.Struct, frozen=True):
    """What a call said; rides with its draft (fep.store.issuing.Rider), before `then`."""

    unit: str
    key: str
    red: bool
    bus_no: str
    bus_type: str
    bus_at: str
    place: str
    card_no: str
    body: bytes
    then: Rider | None = None

    def refusal(self, tx: Tx) -> Refused | None:
        """Return why another rider refuses; the words themselves refuse nothing."""
        return self.then.refusal(tx) if self.then is not None else None

    def frozen(self, tx: Tx, receipt: Receipt) -> None:
        """Keep the words of the event that has its number now."""
        self.keep(tx)
        if self.then is not None:
            self.then.frozen(tx, receipt)

    def keep(self, tx: Tx) -> None:
        """Write the words; those of an event that was refused before give way."""
        tx.cursor.execute(_KEEP, (self.unit, self.key, int(self.red), self.bus_no, self.bus_type,
                                  self.bus_at, self.place, self.card_no, self.body))  # fmt: skip


def keep_txn(tx: Tx, said: Said) -> None:
    """Keep the words of an event that has its receipt already, from another door."""
    said.keep(tx)


def name_txn(tx: Tx, unit: str, key: str, bus_no: str) -> None:
    """Take the business number that an event goes by from now on; it is found by all it had."""
    tx.cursor.execute(
        "INSERT INTO medical_name (unit, bus_no, key) SELECT unit, bus_no, key FROM medical_bill"
        " WHERE unit = ? AND key = ? ON CONFLICT (unit, bus_no) DO UPDATE SET key = excluded.key",
        (unit, key),
    )
    tx.cursor.execute(
        "UPDATE medical_bill SET bus_no = ? WHERE unit = ? AND key = ?", (bus_no, unit, key)
    )


def packed(call: Mapping[str, Any]) -> bytes:
    """Return a call as it is kept: most of its fields are empty and are left out."""
    return frame(msgspec.json.encode({name: value for name, value in call.items() if value}))


@dataclass(frozen=True, slots=True)
class Bill:
    """A receipt in the words of business systems; what was said at no such door is empty."""

    receipt_id: int
    kind: str
    point: str
    code: str
    number: str
    amount_fen: int
    check_code: str
    payer: str
    issued_at: int
    key: str
    bus_no: str | None
    bus_type: str | None
    bus_at: str | None
    place: str | None
    sheet: str
    red_id: int  # the red receipt of a blue one, also one under way; 0 without
    blue_id: int  # the blue receipt of a red one; 0 without


_SHEET = (
    select(sheet.c.code.concat("-").concat(sheet.c.number))
    .where(and_(sheet.c.receipt_id == receipt.c.id, sheet.c.state == "used"))
    .correlate(receipt).scalar_subquery()
)  # fmt: skip
_RED = (
    select(reversal.c.red_id)
    .where(and_(reversal.c.blue_id == receipt.c.id, reversal.c.state == "live"))
    .correlate(receipt).scalar_subquery()
)  # fmt: skip
_BLUE = (
    select(reversal.c.blue_id)
    .where(and_(reversal.c.red_id == receipt.c.id, reversal.c.state == "live"))
    .correlate(receipt).scalar_subquery()
)  # fmt: skip
_BILL = (
    receipt.c.id, receipt.c.kind, receipt.c.point, receipt.c.code, receipt.c.number,
    receipt.c.amount_fen, receipt.c.check_code, receipt.c.payer, receipt.c.issued_at, event.c.key,
    medical_bill.c.bus_no, medical_bill.c.bus_type, medical_bill.c.bus_at, medical_bill.c.place,
    _SHEET.label("sheet"), _RED.label("red_id"), _BLUE.label("blue_id"),
)  # fmt: skip
_SAME = and_(medical_bill.c.unit == event.c.unit, medical_bill.c.key == event.c.key)


def _bill(row: Row[Any]) -> Bill:
    values = dict(row._mapping)
    sheet_, red, blue = (values.pop(name) for name in ("sheet", "red_id", "blue_id"))
    return Bill(values.pop("id"), sheet=sheet_ or "", red_id=red or 0, blue_id=blue or 0, **values)


def _bills(conn: Connection, wanted: Select[Any]) -> list[Bill]:
    """Return every bill of a select. Raises Refused HIS_MANY: a sum of a part would be wrong."""
    found = [_bill(row) for row in conn.execute(wanted.limit(ROWS_MAX + 1))]
    if len(found) > ROWS_MAX:
        raise refuse("HIS_MANY", limit=ROWS_MAX)
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """A time of lists: business time as text, the same as ms, and its days."""

    first: str
    last: str
    first_ms: int
    last_ms: int
    first_on: str
    last_on: str


def _said() -> Select[Any]:
    joined = medical_bill.join(event, _SAME).join(receipt, receipt.c.event_id == event.c.id)
    return select(*_BILL).select_from(joined).where(receipt.c.state == "sealed")


def _issued(unit: str, span: Span) -> Select[Any]:
    joined = receipt.join(event, event.c.id == receipt.c.event_id).outerjoin(medical_bill, _SAME)
    return (
        select(*_BILL).select_from(joined)
        .where(and_(receipt.c.unit == unit, receipt.c.issued_on >= span.first_on,
                    receipt.c.issued_on <= span.last_on, receipt.c.state == "sealed",
                    receipt.c.issued_at >= span.first_ms, receipt.c.issued_at <= span.last_ms))
    )  # fmt: skip


def by_issue_q(conn: Connection, unit: str, span: Span) -> list[Bill]:
    """Return the receipts issued in a time, in the order of their numbers. Long: off-thread."""
    return _bills(conn, _issued(unit, span).order_by(receipt.c.id))


def by_business_q(conn: Connection, unit: str, span: Span) -> list[Bill]:
    """Return the receipts of a business time; without one of its own the issue time counts."""
    said = _said().where(
        and_(medical_bill.c.unit == unit, medical_bill.c.bus_at >= span.first,
             medical_bill.c.bus_at <= span.last)
    )  # fmt: skip
    silent = _issued(unit, span).where(medical_bill.c.key.is_(None))
    found = _bills(conn, said) + _bills(conn, silent)
    return sorted(found, key=lambda bill: bill.receipt_id)


def by_card_q(conn: Connection, unit: str, card_no: str, span: Span) -> list[Bill]:
    """Return the receipts of a card in a business time, oldest first."""
    wanted = _said().where(
        and_(medical_bill.c.unit == unit, medical_bill.c.card_no == card_no,
             medical_bill.c.card_no != "", medical_bill.c.bus_at >= span.first,
             medical_bill.c.bus_at <= span.last, not_(medical_bill.c.red == 1))
    )  # fmt: skip
    return _bills(conn, wanted.order_by(receipt.c.id))


def names_q(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return code and number of receipts by their ids."""
    column = receipt.c
    rows = conn.execute(select(column.id, column.code, column.number).where(column.id.in_(ids)))
    return {row.id: (row.code, row.number) for row in rows}


def calls_q(conn: Connection, unit: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what was said of events, by their keys."""
    column = medical_bill.c
    rows = conn.execute(
        select(column.key, column.body).where(and_(column.unit == unit, column.key.in_(keys)))
    )
    return {row.key: msgspec.json.decode(unpack(row.body)) for row in rows}


def of_patient_q(
    conn: Connection, unit: str, bills: Sequence[Bill], wanted: Mapping[str, str], sure: bool
) -> list[Bill]:
    """Return the bills whose call names a patient as `wanted` does. Long: off-thread.

    `sure` is what counts for a bill that says nothing of a wanted field: a card was named, so
    it is his; else it may be anybody's.
    """
    found: list[Bill] = []
    for first in range(0, len(bills), KEYS_MAX):
        part = bills[first : first + KEYS_MAX]
        calls = calls_q(conn, unit, [bill.key for bill in part])
        for bill in part:
            said = calls.get(bill.key, {})
            if all(  # an identity number may end in x or X
                str(said[name]).upper() == value.upper() if said.get(name) else sure
                for name, value in wanted.items()
            ):
                found.append(bill)
    return found


@dataclass(frozen=True, slots=True)
class Kept:
    """The words of one receipt."""

    key: str
    bus_no: str
    bus_type: str
    bus_at: str
    place: str
    call: dict[str, Any]


def kept_q(conn: Connection, unit: str, key: str) -> Kept | None:
    """Return what was said of an event, None when it came through another door."""
    column = medical_bill.c
    row = conn.execute(
        select(column.key, column.bus_no, column.bus_type, column.bus_at, column.place,
               column.body)
        .where(and_(column.unit == unit, column.key == key))
    ).first()  # fmt: skip
    return Kept(*row[:-1], call=msgspec.json.decode(unpack(row.body))) if row else None


def key_of_q(conn: Connection, unit: str, bus_no: str, bus_at: str = "") -> str:
    """Return the key of the newest event with a busNo; the busNo itself when none is known.

    `bus_at` chooses where a business number stands for several.
    """
    column = medical_bill.c
    rows = conn.execute(
        select(column.key, column.bus_at)
        .join(event, _SAME)
        .where(and_(column.unit == unit, column.bus_no == bus_no, column.red == 0))
        .order_by(event.c.id.desc())
        .limit(50)
    ).all()
    same = [row.key for row in rows if row.bus_at == bus_at]
    if not rows:
        former = medical_name.c
        wanted = and_(former.unit == unit, former.bus_no == bus_no)
        return str(conn.execute(select(former.key).where(wanted)).scalar() or bus_no)
    return str(same[0] if same else rows[0].key)


# batches
@dataclass(frozen=True, slots=True)
class Entry:
    """One bill of a batch: to be queued, or at fault."""

    bus_no: str
    key: str
    fault: str
    draft: Draft | None
    said: Said | None


def batch_txn(tx: Tx, unit: str, caller: str, batch: str, entries: Sequence[Entry]) -> bool:
    """Queue a batch durably, every bill by itself; False when it is here already.

    Raises Refused BATCH_CONFLICT when the name stands for a batch of other bills: an
    acknowledgement of those would be of bills that nobody issues.
    """
    column = medical_batch.c
    taken = tx.conn.execute(
        select(column.bus_no, column.key, column.fault)
        .where(and_(column.unit == unit, column.caller == caller, column.batch == batch))
        .order_by(column.place)
    ).all()  # fmt: skip
    if taken:
        if not _same(tx, unit, taken, entries):
            raise refuse("BATCH_CONFLICT", key=batch)
        return False
    for place, entry in enumerate(entries):
        fault = entry.fault
        if entry.draft is not None and entry.said is not None:
            try:
                if submit_txn(tx, entry.draft)[1] == "queued":
                    entry.said.keep(tx)
            except Refused as refused:
                fault = refused.zh
        tx.conn.execute(
            insert(medical_batch).values(
                unit=unit, caller=caller, batch=batch, place=place, bus_no=entry.bus_no,
                key=entry.key, fault=fault,
            )
        )  # fmt: skip
    tx.journal("medical.batch", batch, {
        "caller": caller, "count": len(entries), "unit": unit,
    })  # fmt: skip
    return True


def _same(tx: Tx, unit: str, taken: Sequence[Any], entries: Sequence[Entry]) -> bool:
    """Say whether a batch holds the bills that were taken, with the same content."""
    if [(row.bus_no, row.key) for row in taken] != [(one.bus_no, one.key) for one in entries]:
        return False
    digests = {one.key: one.draft.digest for one, row in zip(entries, taken, strict=True)
               if one.draft is not None and not row.fault}  # fmt: skip
    events = known_txn(tx, unit, list(digests)) if digests else {}
    return all(key in events and events[key].digest == digest for key, digest in digests.items())


@dataclass(frozen=True, slots=True)
class Batched:
    """One bill of a batch as it stands: `state` is that of its event."""

    bus_no: str
    key: str
    fault: str
    state: str
    reason: str


def batch_q(conn: Connection, unit: str, caller: str, batch: str) -> list[Batched]:
    """Return what became of a batch, empty when there is none of that name."""
    column = medical_batch.c
    same = and_(event.c.unit == column.unit, event.c.key == column.key)
    rows = conn.execute(
        select(column.bus_no, column.key, column.fault, event.c.state, event.c.reason)
        .outerjoin(event, same)
        .where(and_(column.unit == unit, column.caller == caller, column.batch == batch))
        .order_by(column.place)
    )
    return [Batched(row[0], row[1], row[2], row[3] or "", row[4] or "") for row in rows]
