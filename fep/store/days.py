"""Days in the store: which receipts a day counts, in slices; the signed close; what is read.

Rules: nothing here runs on the issuing path; a slice is bounded; a receipt is counted in one
day, whatever crashed in between; the close is one transaction and refuses to be the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from fep.domain.dayclose import Entry
from fep.domain.money import NotMoney, parse_fen
from fep.store.packed import pack, unpack
from fep.store.schema import event, receipt, sheet, sheet_block
from fep.store.schema_days import day_close, receipt_fact
from fep.store.tx import Tx

SLICE_ROWS: Final = 100  # written in one commit: no caller waits longer than for its own
READ_ROWS: Final = 250
_NEW = (
    "SELECT r.id FROM receipt r LEFT JOIN receipt_fact f ON f.receipt_id = r.id"
    " WHERE r.unit = :unit AND r.issued_on = :day AND r.id > :after AND r.id <= :high"
    " AND f.receipt_id IS NULL ORDER BY r.id LIMIT :limit"
)
# Issued under a day that was closed by then: the clock was set back, or the close overtook it.
_STRAGGLERS = (
    "SELECT r.id FROM day_close d JOIN receipt r"
    " ON r.unit = d.unit AND r.issued_on = d.day AND r.id > d.high_id"
    " LEFT JOIN receipt_fact f ON f.receipt_id = r.id"
    " WHERE d.unit = :unit AND r.id <= :high AND f.receipt_id IS NULL"
    " UNION SELECT r.id FROM receipt r LEFT JOIN receipt_fact f ON f.receipt_id = r.id"
    " WHERE r.unit = :unit AND r.issued_on < (SELECT min(day) FROM day_close WHERE unit = :unit)"
    " AND r.id <= :high AND f.receipt_id IS NULL ORDER BY 1 LIMIT :limit"
)
_LEFT_OVER = (
    "SELECT f.receipt_id FROM receipt_fact f JOIN receipt r ON r.id = f.receipt_id"
    " WHERE f.unit = :unit AND f.day = '' AND r.state <> 'frozen'"
    " ORDER BY f.receipt_id LIMIT :limit"
)
_ROWS = (
    "SELECT r.id, r.kind, r.code, r.number, r.point, r.amount_fen, r.issued_on, r.state,"
    " e.body, b.code, b.number, b.issued_on, be.body"
    " FROM receipt r JOIN event e ON e.id = r.event_id"
    " LEFT JOIN reversal v ON v.red_id = r.id"
    " LEFT JOIN receipt b ON b.id = v.blue_id LEFT JOIN event be ON be.id = b.event_id"
)


class _Item(msgspec.Struct):
    code: str = ""
    name: str = ""
    amount: str = "0"


class _Channel(msgspec.Struct):
    code: str = ""
    amount: str = "0"


class _Asked(msgspec.Struct):
    """The part of a stored request that a day counts; everything else is passed over."""

    cashier: str = ""
    operator: str = ""
    channels: list[_Channel] = []
    items: list[_Item] = []
    old: _Asked | None = None  # the imported receipt that a red one of ours reverses


_decode = msgspec.json.Decoder(_Asked).decode


@dataclass(frozen=True, slots=True)
class Counted:
    """A receipt with its entry; `frozen` has no signature yet and is left over."""

    id: int
    entry: Entry
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """Receipts to be counted; `left_over` were left by an earlier day."""

    new: tuple[Counted, ...]
    left_over: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A day as stored."""

    unit: str
    day: str
    closed_at: int
    high_id: int
    count: int
    net_fen: int
    body: bytes
    sm3: bytes
    cert_serial: str
    der: bytes

    def told(self) -> dict[str, Any]:
        """Return the members of the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


def high_q(conn: Connection) -> int:
    """Return the highest receipt id there is."""
    return int(conn.execute(select(func.max(receipt.c.id))).scalar() or 0)


def first_day_q(conn: Connection, unit: str) -> str:
    """Return the date of a unit's first receipt, empty when it has none."""
    found = conn.execute(select(func.min(receipt.c.issued_on)).where(receipt.c.unit == unit))
    return str(found.scalar() or "")


def last_closed_q(conn: Connection, unit: str) -> Closed | None:
    """Return the newest closed day of a unit."""
    row = conn.execute(
        select(day_close).where(day_close.c.unit == unit).order_by(day_close.c.day.desc()).limit(1)
    ).first()
    return _closed(row) if row else None


def closed_q(conn: Connection, unit: str, first: str, last: str) -> list[Closed]:
    """Return the closed days of a unit in a period, oldest first."""
    rows = conn.execute(
        select(day_close)
        .where(day_close.c.unit == unit, day_close.c.day >= first, day_close.c.day <= last)
        .order_by(day_close.c.day)
    )
    return [_closed(row) for row in rows]


def listed_q(conn: Connection, units: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Return the newest closed days without their bodies."""
    c = day_close.c
    rows = conn.execute(
        select(c.unit, c.day, c.closed_at, c.count, c.net_fen)
        .where(c.unit.in_(units)).order_by(c.day.desc(), c.unit).limit(limit)
    )  # fmt: skip
    return [dict(row._mapping) for row in rows]


def _closed(row: Any) -> Closed:  # Row
    return Closed(row.unit, row.day, row.closed_at, row.high_id, row.count, row.net_fen,
                  unpack(bytes(row.body)), bytes(row.sm3), row.cert_serial,
                  bytes(row.der))  # fmt: skip


# what a day counts
def slice_q(conn: Connection, unit: str, day: str, high: int, after: int) -> Slice:
    """Return the next receipts of a day that are not counted yet, new ones above `after`."""
    asked = {"unit": unit, "day": day, "high": high, "limit": SLICE_ROWS}
    ids = _ids(conn, _NEW, {**asked, "after": after})
    if not ids:
        ids = _ids(conn, _STRAGGLERS, asked)
    left = _ids(conn, _LEFT_OVER, {"unit": unit, "limit": SLICE_ROWS})
    return Slice(tuple(_rows(conn, ids)), tuple(_rows(conn, left)))


def counted_q(conn: Connection, unit: str, day: str, after: int) -> list[Counted]:
    """Return the receipts counted in a day, a slice above the id `after`."""
    ids = conn.execute(
        select(receipt_fact.c.receipt_id)
        .where(receipt_fact.c.unit == unit, receipt_fact.c.day == day,
               receipt_fact.c.receipt_id > after)
        .order_by(receipt_fact.c.receipt_id).limit(READ_ROWS)
    ).scalars()  # fmt: skip
    return list(_rows(conn, list(ids)))


def issued_q(conn: Connection, unit: str, since_ms: int, until_ms: int, days: tuple[str, str],
             after: int) -> tuple[list[Counted], int]:  # fmt: skip
    """Return a slice of what was issued in a time, and the last id looked at; 0 at the end."""
    ids = list(conn.execute(
        select(receipt.c.id)
        .where(receipt.c.unit == unit, receipt.c.issued_on >= days[0],
               receipt.c.issued_on <= days[1], receipt.c.id > after,
               receipt.c.issued_at >= since_ms, receipt.c.issued_at < until_ms)
        .order_by(receipt.c.id).limit(READ_ROWS)
    ).scalars())  # fmt: skip
    return list(_rows(conn, ids)), (ids[-1] if len(ids) == READ_ROWS else 0)


def _ids(conn: Connection, statement: str, values: dict[str, Any]) -> list[int]:
    return list(conn.execute(text(statement), values).scalars())


def _rows(conn: Connection, ids: Sequence[int]) -> Iterable[Counted]:
    if not ids:
        return
    marks = ",".join("?" * len(ids))
    rows = conn.exec_driver_sql(f"{_ROWS} WHERE r.id IN ({marks}) ORDER BY r.id", tuple(ids))
    for row in rows:
        yield _counted(tuple(row))


def _counted(row: tuple[Any, ...]) -> Counted:
    (id_, kind, code, number, point, fen, issued_on, state, body, blue_code, blue_number,
     blue_on, blue_body) = row  # fmt: skip
    entry = Entry(kind, code, number, point, fen, issued_on, burned=state == "burned")
    asked = _read(body)
    if blue_code is not None and fen < 0:
        # The request of a reversal names only the blue receipt: its parts are that one's.
        blue = _read(blue_body)
        entry = replace(entry, blue=f"{blue_code}-{blue_number}", blue_on=blue_on)
        entry = replace(_parts(entry, blue), cashier=asked.operator or blue.cashier).turned()
    elif asked.old is not None:
        entry = replace(_parts(entry, asked.old), cashier=asked.operator).turned()
    else:
        entry = replace(_parts(entry, asked), cashier=asked.cashier)
    return Counted(id_, entry, state == "frozen")


def _read(body: bytes) -> _Asked:
    try:
        return _decode(unpack(body))
    except msgspec.DecodeError:
        return _Asked()  # a request of a shape of its own still counts with its amount


def _parts(entry: Entry, asked: _Asked) -> Entry:
    """Return the entry with its parts; parts that do not sum to it are none."""
    try:
        channels = tuple((row.code, parse_fen(row.amount)) for row in asked.channels)
        items = tuple((row.code, row.name, parse_fen(row.amount)) for row in asked.items)
    except NotMoney:
        return entry
    whole = abs(entry.amount_fen)
    if sum(fen for _code, fen in channels) != whole:
        channels = ()
    if sum(fen for _code, _name, fen in items) != whole:
        items = ()
    return replace(entry, channels=channels, items=items)


def sheets_q(conn: Connection, unit: str, since_ms: int, until_ms: int) -> tuple[int, int]:
    """Return how many paper sheets of a unit were used and voided in a time."""
    found: dict[str, int] = dict(conn.execute(
        select(sheet.c.state, func.count())
        .join(sheet_block, sheet_block.c.id == sheet.c.block_id)
        .where(sheet.c.at >= since_ms, sheet.c.at < until_ms, sheet_block.c.unit == unit)
        .group_by(sheet.c.state)
    ).all())  # fmt: skip
    return found.get("used", 0), found.get("void", 0)


def open_q(conn: Connection, unit: str, day: str) -> dict[str, int]:
    """Return what is not final: events that wait for a number, receipts for a signature."""
    queued = conn.execute(
        select(func.count()).select_from(event)
        .where(event.c.state == "queued", event.c.unit == unit)
    ).scalar_one()  # fmt: skip
    frozen = conn.execute(
        select(func.count()).select_from(receipt)
        .where(receipt.c.state == "frozen", receipt.c.unit == unit, receipt.c.issued_on <= day)
    ).scalar_one()  # fmt: skip
    return {"queued": queued, "frozen": frozen}


# writing
def facts_txn(tx: Tx, unit: str, day: str, found: Slice) -> int:
    """Count a slice of receipts in a day; returns how many are final."""
    if found.new:
        tx.conn.execute(insert(receipt_fact), [_fact(unit, day, row) for row in found.new])
    if found.left_over:
        c = receipt_fact.c
        tx.conn.execute(
            update(receipt_fact)
            .where(c.receipt_id == bindparam("b_id"), c.day == "")
            .values(day=bindparam("b_day"), cashier=bindparam("b_cashier"),
                    channels=bindparam("b_channels")),
            [_left(unit, day, row) for row in found.left_over],
        )  # fmt: skip
    return sum(not row.frozen for row in (*found.new, *found.left_over))


def _fact(unit: str, day: str, row: Counted) -> dict[str, Any]:
    return {
        "receipt_id": row.id, "unit": unit, "day": "" if row.frozen else day,
        "cashier": row.entry.cashier[:50], "channels": _channels(row.entry),
    }  # fmt: skip


def _left(unit: str, day: str, row: Counted) -> dict[str, Any]:
    return {f"b_{name.removeprefix('receipt_')}": value
            for name, value in _fact(unit, day, row).items() if name != "unit"}  # fmt: skip


def _channels(entry: Entry) -> str:
    return json.dumps(entry.channels, ensure_ascii=False, separators=(",", ":"))


def close_txn(tx: Tx, closed: Closed) -> bool:
    """Store a signed day, journalled; False when it was closed before.

    Raises AssertionError when it does not hold exactly the receipts that are counted in it.
    """
    c = day_close.c
    where = (c.unit == closed.unit, c.day >= closed.day)
    if tx.conn.execute(select(c.day).where(*where).limit(1)).first() is not None:
        return False
    counted = tx.conn.execute(
        select(func.count()).select_from(receipt_fact)
        .where(receipt_fact.c.unit == closed.unit, receipt_fact.c.day == closed.day)
    ).scalar_one()  # fmt: skip
    assert counted == closed.count, (closed.unit, closed.day, counted, closed.count)
    tx.conn.execute(
        insert(day_close).values(
            unit=closed.unit, day=closed.day, closed_at=closed.closed_at, high_id=closed.high_id,
            count=closed.count, net_fen=closed.net_fen, body=pack(closed.body), sm3=closed.sm3,
            cert_serial=closed.cert_serial, der=closed.der,
        )
    )  # fmt: skip
    tx.journal("day.closed", f"{closed.unit}/{closed.day}", {
        "cert": closed.cert_serial, "count": closed.count, "net_fen": closed.net_fen,
        "sm3": closed.sm3.hex(),
    })  # fmt: skip
    return True
