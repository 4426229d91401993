"""Number blocks in the store: how they come in. They go out in fep/store/issuing.py."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, insert, select

from fep.domain.faults import refuse
from fep.domain.numbers import Block, BlockState, parse_number
from fep.store.schema import number_block
from fep.store.tx import Tx


@dataclass(frozen=True, slots=True)
class Grant:
    """A block as its source states it; `evidence` is kept for the inspector."""

    unit: str
    code: str
    first: str
    last: str
    source: str  # platform | person | relay
    evidence: str
    not_after: int = 0  # ms, 0 when unlimited
    sealed: bool = False  # a reserve: gives nothing until a person opens it


def grant_txn(tx: Tx, grant: Grant) -> bool:
    """Take a block in, journalled; False when this very block is known already.

    Raises Refused NUM_RANGE, NUM_OVERLAP.
    """
    first, last = parse_number(grant.first), parse_number(grant.last)
    if first is None or last is None or first > last or len(grant.code) != 8:
        raise refuse("NUM_RANGE", first=grant.first, last=grant.last)
    column = number_block.c
    for row in tx.conn.execute(
        select(column.unit, column.first, column.last, column.state).where(
            and_(column.code == grant.code, column.first <= last, column.last >= first)
        )
    ):
        if (row.unit, row.first, row.last) == (grant.unit, first, last):
            return False
        if row.state == BlockState.BURNED and row.first <= first and last <= row.last:
            return False  # given up whole when a fence was lifted: it never comes back
        raise refuse("NUM_OVERLAP", code=grant.code, first=grant.first, last=grant.last)
    block = Block(
        tx.next_id("number_block"), grant.unit, grant.code, first, last, first, grant.not_after
    )
    state = BlockState.RESERVE if grant.sealed else BlockState.ACTIVE
    tx.conn.execute(
        insert(number_block).values(
            id=block.id, unit=block.unit, code=block.code, first=first, last=last, next=first,
            state=state.value, source=grant.source, evidence=grant.evidence,
            granted_at=tx.now_ms, not_after=grant.not_after,
        )
    )  # fmt: skip
    if not grant.sealed:
        key = (grant.unit, grant.code)
        tx.heads.blocks[key] = (*tx.heads.blocks.get(key, ()), block)
    tx.journal("numbers.granted", f"{grant.code}-{grant.first}", {
        "evidence": grant.evidence, "first": grant.first, "last": grant.last,
        "source": grant.source, "unit": grant.unit, **({"sealed": True} if grant.sealed else {}),
    })  # fmt: skip
    return True


def by_evidence_q(conn: Connection, code: str, evidence: str) -> int:
    """Return how many numbers of a code were granted on one evidence."""
    column = number_block.c
    asked = select(func.coalesce(func.sum(column.last - column.first + 1), 0)).where(
        column.code == code, column.evidence == evidence
    )
    return int(conn.execute(asked).scalar_one())
