"""Blocks between their grant and their end: expired, returned, a reserve that is opened.

What is left of a block that ends was never given; the journal says who ended it and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, select, update

from fep.domain.faults import refuse
from fep.domain.life_delivery import Op
from fep.domain.numbers import Block, BlockState, number_text, parse_number
from fep.store.fencing import SEALED_GRANTS, meta_q, put_meta
from fep.store.schema import number_block, receipt
from fep.store.sheet_acts import Act, act_txn
from fep.store.tx import Tx

NO_DESTS: Mapping[str, str] = MappingProxyType({})
_COLUMN = number_block.c


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a block, none of which will be given."""

    unit: str
    code: str
    first: str
    last: str
    count: int


def expire_txn(tx: Tx, before_ms: int) -> list[Ended]:
    """End the blocks whose last moment was before a time."""
    rows = tx.conn.execute(
        select(number_block)
        .where(_COLUMN.state == BlockState.ACTIVE.value)
        .where(and_(_COLUMN.not_after > 0, _COLUMN.not_after < before_ms))
        .order_by(_COLUMN.id)
    ).all()
    return [_end(tx, row, BlockState.EXPIRED, {"not_after": row.not_after}) for row in rows]


def return_txn(
    tx: Tx, code: str, first: str, reason: str, who: str, dests: Mapping[str, str] = NO_DESTS
) -> Ended:
    """Give the rest of a block back to whoever granted it. Raises Refused NUM_BLOCK.

    The platform is told of a block of its own; `dests` says which one serves a unit.
    """
    row = _need(tx, code, first, BlockState.ACTIVE)
    ended = _end(tx, row, BlockState.RETURNED, {"reason": reason, "who": who})
    if row.source == "platform":
        act = Act(Op.RETURN, row.unit, code, ended.first, 0, dests.get(row.unit, ""))
        act_txn(tx, act, {"count": ended.count, "last": ended.last, "reason": reason})
    return ended


def revoke_block_txn(tx: Tx, code: str, first: str, reason: str, who: str) -> Ended:
    """End what is left of a block that the platform takes back. Raises Refused NUM_BLOCK."""
    row = _need(tx, code, first, BlockState.ACTIVE)
    return _end(tx, row, BlockState.RETURNED, {"reason": reason, "revoked": True, "who": who})


def open_reserve_txn(tx: Tx, code: str, first: str, reason: str, who: str) -> Ended:
    """Open a sealed reserve: from now on it gives numbers. Raises Refused NUM_BLOCK."""
    row = _need(tx, code, first, BlockState.RESERVE)
    tx.conn.execute(
        update(number_block).where(_COLUMN.id == row.id).values(state=BlockState.ACTIVE.value)
    )
    block = Block(row.id, row.unit, code, row.first, row.last, row.next, row.not_after)
    key = (row.unit, code)
    # In the order a restart would read them: the same block gives the next number either way.
    inside = (*tx.heads.blocks.get(key, ()), block)
    tx.heads.blocks[key] = tuple(sorted(inside, key=lambda each: each.id))
    put_meta(tx, SEALED_GRANTS, "")
    ended = _rest(row)
    tx.journal("numbers.opened", f"{code}-{ended.first}", {
        "last": ended.last, "reason": reason, "unit": row.unit, "who": who,
    })  # fmt: skip
    return ended


def _need(tx: Tx, code: str, first: str, state: BlockState) -> Row[Any]:
    row = tx.conn.execute(
        select(number_block).where(
            _COLUMN.code == code, _COLUMN.first == (parse_number(first) or 0),
            _COLUMN.state == state.value,
        )
    ).first()  # fmt: skip
    if row is None:
        raise refuse("NUM_BLOCK", code=code, first=first, state=state.value)
    return row


def _end(tx: Tx, row: Row[Any], state: BlockState, why: dict[str, object]) -> Ended:
    tx.conn.execute(update(number_block).where(_COLUMN.id == row.id).values(state=state.value))
    key = (row.unit, row.code)
    left = tuple(block for block in tx.heads.blocks.get(key, ()) if block.id != row.id)
    tx.heads.blocks[key] = left
    ended = _rest(row)
    tx.journal(f"numbers.{state.value}", f"{row.code}-{ended.first}", {
        "block": number_text(row.first), "last": ended.last, "unit": row.unit, **why,
    })  # fmt: skip
    return ended


def _rest(row: Row[Any]) -> Ended:
    return Ended(
        row.unit, row.code, number_text(row.next), number_text(row.last), row.last - row.next + 1
    )


def sealed_grants_q(conn: Connection) -> bool:
    """Say whether grants come in sealed: nobody knows what a lost store had given."""
    return bool(meta_q(conn, SEALED_GRANTS))


def busiest_q(conn: Connection, since_on: str) -> tuple[int, int]:
    """Return the most receipts and the most fen issued on one day since a day, all units."""
    blue = func.sum(case((receipt.c.amount_fen > 0, receipt.c.amount_fen), else_=0))
    rows = conn.execute(
        select(func.count(), blue).where(receipt.c.issued_on >= since_on)
        .group_by(receipt.c.issued_on)
    ).all()  # fmt: skip
    return max((row[0] for row in rows), default=0), max((row[1] for row in rows), default=0)


def used_by_day_q(conn: Connection, unit: str, since_on: str) -> dict[str, dict[str, int]]:
    """Return numbers used per code and day since a day, from the index of days."""
    rows = conn.execute(
        select(receipt.c.code, receipt.c.issued_on, func.count())
        .where(and_(receipt.c.unit == unit, receipt.c.issued_on >= since_on))
        .group_by(receipt.c.code, receipt.c.issued_on)
    )
    found: dict[str, dict[str, int]] = {}
    for code, day, count in rows:
        found.setdefault(code, {})[day] = count
    return found
