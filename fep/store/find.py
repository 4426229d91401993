"""`receipt.find`: newest first, and never more than an index or `SCAN_ROWS` rows bound it to.

A key or a number is found by index. Everything else walks back by id: ids grow with the days,
so that two probes of an index turn a range of days into a range of ids. A page that ends
early because it has looked at enough rows says where to go on.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, func, not_, select

from fep.domain.receipt import Receipt
from fep.store.packed import unpack
from fep.store.receipts import as_receipt, receipts
from fep.store.schema import event, number_block, receipt, reversal

SCAN_ROWS = 20_000
SCAN_BODIES = 100


class _Channel(msgspec.Struct):
    code: str = ""


class _Asked(msgspec.Struct):
    """The part of a stored request that is looked into; a red one's cashier is its operator."""

    cashier: str = ""
    channels: list[_Channel] = []
    reverse: dict[str, object] = {}


_decode = msgspec.json.Decoder(_Asked).decode


@dataclass(frozen=True, slots=True)
class Query:
    """Empty fields do not narrow; `units` are those the caller may see ("*" is all)."""

    unit: str = ""
    key: str = ""
    payer: str = ""
    number: str = ""
    day_from: str = ""
    day_to: str = ""
    units: frozenset[str] = frozenset({"*"})
    kind: str = ""
    point: str = ""
    life: str = ""  # sealed, reversed, or red for the red receipts themselves
    amount_from: int | None = None  # fen
    amount_to: int | None = None
    cashier: str = ""
    channel: str = ""

    def shows(self, found: Receipt) -> bool:
        """Return whether a receipt is one of those asked for and the caller's to see."""
        return (
            ("*" in self.units or found.unit in self.units)
            and self.unit in ("", found.unit)
            and self.key in ("", found.key)
            and self.payer in ("", found.payer)
            and self.number in ("", found.number)
            and (not self.day_from or found.issued_on >= self.day_from)
            and (not self.day_to or found.issued_on <= self.day_to)
            and self.kind in ("", found.kind)
            and self.point in ("", found.point)
            and (self.amount_from is None or found.amount_fen >= self.amount_from)
            and (self.amount_to is None or found.amount_fen <= self.amount_to)
        )

    def names(self, body: bytes) -> bool:
        """Return whether a stored request is of the cashier and channel asked for."""
        asked = _decode(unpack(body))
        cashier = asked.cashier or str(asked.reverse.get("operator", ""))
        return self.cashier in ("", cashier) and (
            not self.channel or any(one.code == self.channel for one in asked.channels)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A page; `cursor` is the `before_id` of the next one, None at the end."""

    receipts: list[Receipt]
    cursor: int | None


def find_q(conn: Connection, query: Query, limit: int, before_id: int) -> Found:
    """Return at most `limit` live receipts with an id below `before_id` (0: from the newest)."""
    if query.key or query.number:
        return _exact(conn, query, limit, before_id)
    low, high = span_q(conn, query)
    if before_id:
        high = min(high, before_id - 1)
    floor = max(low, high - SCAN_ROWS + 1)
    width = SCAN_BODIES if query.cashier or query.channel else limit
    wanted = (
        receipts()
        .where(receipt.c.id.between(floor, high), receipt.c.state != "burned", *narrow(query))
        .order_by(receipt.c.id.desc())
        .limit(width)
    )
    seen = [as_receipt(row) for row in conn.execute(wanted)]
    found = _named(conn, query, seen)[:limit]
    if len(found) == limit:
        return Found(found, found[-1].id)
    if len(seen) == width:
        return Found(found, seen[-1].id)
    return Found(found, floor if floor > low else None)


def _named(conn: Connection, query: Query, found: list[Receipt]) -> list[Receipt]:
    """Return those whose requests name the cashier and channel asked for."""
    if not (query.cashier or query.channel):
        return found
    ids = [one.event_id for one in found]
    bodies: dict[int, bytes] = dict(
        conn.execute(select(event.c.id, event.c.body).where(event.c.id.in_(ids))).all()
    )
    return [one for one in found if query.names(bodies[one.event_id])]


def _exact(conn: Connection, query: Query, limit: int, before_id: int) -> Found:
    """Find by key or number: no more rows than there are units or codes."""
    if query.number:
        codes = select(number_block.c.code).distinct()
        match = and_(receipt.c.code.in_(codes), receipt.c.number == query.number)
    else:
        events = select(event.c.id).where(
            event.c.unit.in_(_units(conn, query)), event.c.key == query.key
        )
        match = receipt.c.event_id.in_(events)
    more = _lives(query)
    rows = conn.execute(receipts().where(match, receipt.c.state != "burned", *more))
    shown = _named(conn, query, [one for one in map(as_receipt, rows) if query.shows(one)])
    found = sorted(shown, key=lambda one: -one.id)
    page = [one for one in found if not before_id or one.id < before_id]
    return Found(page[:limit], page[limit - 1].id if len(page) > limit else None)


def narrow(query: Query) -> list[ColumnElement[bool]]:
    """Return the conditions of a search on a receipt and its reversal."""
    found: list[ColumnElement[bool]] = []
    # An expression keeps the planner off the index by unit, which would sort a unit's whole life.
    unit = receipt.c.unit.concat("")
    if "*" not in query.units:
        found.append(unit.in_(query.units))
    if query.unit:
        found.append(unit == query.unit)
    if query.payer:
        found.append(receipt.c.payer == query.payer)
    if query.day_from:
        found.append(receipt.c.issued_on >= query.day_from)
    if query.day_to:
        found.append(receipt.c.issued_on <= query.day_to)
    if query.kind:
        found.append(receipt.c.kind == query.kind)
    if query.point:
        found.append(receipt.c.point == query.point)
    if query.amount_from is not None:
        found.append(receipt.c.amount_fen >= query.amount_from)
    if query.amount_to is not None:
        found.append(receipt.c.amount_fen <= query.amount_to)
    return found + _lives(query)


def _lives(query: Query) -> list[ColumnElement[bool]]:
    if query.life == "red":
        return [receipt.c.amount_fen < 0]
    live = exists().where(and_(reversal.c.blue_id == receipt.c.id, reversal.c.state == "live"))
    if query.life == "reversed":
        return [live]
    return [receipt.c.amount_fen >= 0, not_(live)] if query.life else []


def _units(conn: Connection, query: Query) -> list[str]:
    if query.unit:
        return [query.unit]
    if "*" not in query.units:
        return sorted(query.units)
    # Every receipt has its number from a block, and blocks are few.
    return list(conn.execute(select(number_block.c.unit).distinct()).scalars())


def span_q(conn: Connection, query: Query) -> tuple[int, int]:
    """Return the lowest and the highest id that can be of the days asked for."""
    high = conn.execute(select(func.max(receipt.c.id))).scalar() or 0
    if not (query.day_from or query.day_to):
        return 1, high
    lows: list[int] = []
    highs: list[int] = []
    column = receipt.c
    for unit in _units(conn, query):
        days = select(func.min(column.issued_on)).where(column.unit == unit)
        first = conn.execute(days.where(column.issued_on >= query.day_from)).scalar()
        days = select(func.max(column.issued_on)).where(column.unit == unit)
        last = conn.execute(
            days.where(column.issued_on <= query.day_to) if query.day_to else days
        ).scalar()
        if first is None or last is None or first > last:
            continue
        on = select(func.min(column.id)).where(column.unit == unit, column.issued_on == first)
        lows.append(conn.execute(on).scalar_one())
        on = select(func.max(column.id)).where(column.unit == unit, column.issued_on == last)
        highs.append(conn.execute(on).scalar_one())
    return (min(lows), max(highs)) if lows else (1, 0)
