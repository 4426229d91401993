"""`receipt.find`: newest first, and never more than an index or `SCAN_ROWS` rows bound it to.

A key or a number is found by index. Everything else walks back by id: ids grow with the days,
so that two probes of an index turn a range of days into a range of ids. A page that ends
early because it has looked at enough rows says where to go on.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, select

from fep.domain.receipt import Receipt
from fep.store.receipts import as_receipt, receipts
from fep.store.schema import event, number_block, receipt

SCAN_ROWS = 20_000


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
    low, high = _span(conn, query)
    if before_id:
        high = min(high, before_id - 1)
    floor = max(low, high - SCAN_ROWS + 1)
    wanted = (
        receipts()
        .where(receipt.c.id.between(floor, high), receipt.c.state != "burned", *_narrow(query))
        .order_by(receipt.c.id.desc())
        .limit(limit)
    )
    found = [as_receipt(row) for row in conn.execute(wanted)]
    if len(found) == limit:
        return Found(found, found[-1].id)
    return Found(found, floor if floor > low else None)


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
    rows = conn.execute(receipts().where(match, receipt.c.state != "burned"))
    found = sorted(filter(query.shows, map(as_receipt, rows)), key=lambda one: -one.id)
    page = [one for one in found if not before_id or one.id < before_id]
    return Found(page[:limit], page[limit - 1].id if len(page) > limit else None)


def _narrow(query: Query) -> list[ColumnElement[bool]]:
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
    return found


def _units(conn: Connection, query: Query) -> list[str]:
    if query.unit:
        return [query.unit]
    if "*" not in query.units:
        return sorted(query.units)
    # Every receipt has its number from a block, and blocks are few.
    return list(conn.execute(select(number_block.c.unit).distinct()).scalars())


def _span(conn: Connection, query: Query) -> tuple[int, int]:
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
