"""Test units in the store: whose numbers they may use, and that they stay what they are.

Rules: a test unit only uses blocks that a person imported; a unit whose first receipt was
delivered is never made a test unit, nor the other way round, so that no block imported for
trials can ever end in a real receipt.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, and_, exists, select

from fep.domain.numbers import BlockState
from fep.store.numbers import Grant
from fep.store.schema import number_block, receipt, upload
from fep.store.tx import Heads, Tx

PERSON = "person"


def foreign_blocks_q(conn: Connection, units: Collection[str]) -> frozenset[int]:
    """Return the active blocks of test units that no person imported."""
    column = number_block.c
    rows = conn.execute(
        select(column.id).where(
            column.state == BlockState.ACTIVE.value,
            column.unit.in_(units),
            column.source != PERSON,
        )
    )
    return frozenset(rows.scalars())


def lay_aside(heads: Heads, blocks: Collection[int]) -> None:
    """Take blocks out of use until the next start; their rows stay as they are."""
    for key, held in heads.blocks.items():
        heads.blocks[key] = tuple(block for block in held if block.id not in blocks)


def delivered_q(conn: Connection, unit: str) -> bool | None:
    """Say whether the unit's first sealed receipt went to the platform; None without one."""
    row = conn.execute(
        select(exists().where(upload.c.receipt_id == receipt.c.id).label("went"))
        .where(and_(receipt.c.unit == unit, receipt.c.state == "sealed"))
        .order_by(receipt.c.issued_on, receipt.c.id)
        .limit(1)
    ).first()
    return bool(row.went) if row else None


def grant_refused_txn(tx: Tx, grant: Grant) -> bool:
    """Journal that a block for a test unit was not taken; a platform knows no test units."""
    tx.journal("numbers.refused", f"{grant.code}-{grant.first}", {
        "evidence": grant.evidence, "first": grant.first, "last": grant.last,
        "source": grant.source, "unit": grant.unit, "reason": "test unit",
    })  # fmt: skip
    return False
