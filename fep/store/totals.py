"""What was issued and reversed in a period, as counts and sums; frozen receipts are not counted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from fep.domain.money import Fen
from fep.store.find import Query, narrow, span_q
from fep.store.schema import receipt


@dataclass(frozen=True, slots=True)
class Totals:
    """Blue receipts and red ones by their own day; red sums are negative."""

    issued: int
    issued_fen: Fen
    reversed: int
    reversed_fen: Fen


def totals_q(conn: Connection, query: Query) -> Totals:
    """Return the totals of what a search asks for."""
    low, high = span_q(conn, query)
    fen = receipt.c.amount_fen
    row = conn.execute(
        select(
            func.sum(case((fen >= 0, 1), else_=0)),
            func.sum(case((fen >= 0, fen), else_=0)),
            func.sum(case((fen < 0, 1), else_=0)),
            func.sum(case((fen < 0, fen), else_=0)),
        ).where(receipt.c.id.between(low, high), receipt.c.state == "sealed", *narrow(query))
    ).one()
    return Totals(*(value or 0 for value in row))
