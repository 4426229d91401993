"""`receipt.find`: by index only, newest first. A search by payer walks one unit's days."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from fep.domain.receipt import Receipt
from fep.store.receipts import as_receipt, receipts
from fep.store.schema import event, number_block, receipt


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


def find_q(conn: Connection, query: Query, limit: int, before_id: int) -> list[Receipt]:
    """Return at most `limit` live receipts with an id below `before_id` (0: from the newest)."""
    wanted = receipts().where(receipt.c.state != "burned")
    if "*" not in query.units:
        wanted = wanted.where(receipt.c.unit.in_(query.units))
    if query.unit:
        wanted = wanted.where(receipt.c.unit == query.unit)
    if query.key:
        wanted = wanted.where(event.c.key == query.key)
    if query.number:
        # With the codes in hand the unique index finds it; a number alone would be a scan.
        codes = select(number_block.c.code).distinct()
        wanted = wanted.where(and_(receipt.c.code.in_(codes), receipt.c.number == query.number))
    if query.payer:
        wanted = wanted.where(receipt.c.payer == query.payer)
    if query.day_from:
        wanted = wanted.where(receipt.c.issued_on >= query.day_from)
    if query.day_to:
        wanted = wanted.where(receipt.c.issued_on <= query.day_to)
    if before_id:
        wanted = wanted.where(receipt.c.id < before_id)
    rows = conn.execute(wanted.order_by(receipt.c.id.desc()).limit(limit))
    return [as_receipt(row) for row in rows]
