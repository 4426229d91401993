"""Refused deliveries as groups: what the platform said, how many, since when, how much.

A group is (destination, reason); the reason is the first word of what the platform said, or
the result where it said nothing. A group is dealt with in pieces, each one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from fep.domain.life_delivery import DeliveryStep
from fep.store.deliveries import again, step
from fep.store.queries_sheets import Refusal
from fep.store.schema import receipt, sheet_act, upload
from fep.store.tx import Tx

PIECE: Final = 200
GROUPS_MAX: Final = 200
STALE: Final = "stale_date"


@dataclass(frozen=True, slots=True)
class Group:
    """Refusals of one reason; times in ms, `sample` names one of them."""

    dest: str
    reason: str
    state: str
    count: int
    amount_fen: int
    first_at: int
    last_at: int
    sample: str
    detail: str


def _reason() -> ColumnElement[str]:
    said = func.instr(upload.c.detail + " ", " ")
    word = func.substr(upload.c.detail, 1, said - 1)
    return case((and_(upload.c.result == "REJECT", word != ""), word), else_=upload.c.result)


def _open(reason: str = "", dest: str = "") -> ColumnElement[bool]:
    # Said in full, or the planner does not see that its partial index serves.
    wanted = [upload.c.state != "applied", upload.c.state.in_(("rejected", "conflict"))]
    if reason:
        wanted.append(_reason() == reason)
    if dest:
        wanted.append(upload.c.dest == dest)
    return and_(*wanted)


_NAME: Final = (
    func.coalesce(sheet_act.c.code, receipt.c.code)
    + "-"
    + func.coalesce(sheet_act.c.number, receipt.c.number)
)


def groups_q(conn: Connection) -> list[Group]:
    """Return the groups, the largest first."""
    reason = _reason()
    rows = conn.execute(
        select(
            upload.c.dest, reason.label("reason"), upload.c.state, func.count(),
            func.coalesce(func.sum(receipt.c.amount_fen), 0), func.min(upload.c.updated_at),
            func.max(upload.c.updated_at), func.min(_NAME), func.min(upload.c.detail),
        )
        .outerjoin(receipt, receipt.c.id == upload.c.receipt_id)
        .outerjoin(sheet_act, sheet_act.c.id == upload.c.act_id)
        .where(_open())
        .group_by(upload.c.dest, reason, upload.c.state)
        .order_by(func.count().desc())
        .limit(GROUPS_MAX)
    )  # fmt: skip
    return [Group(*row) for row in rows]


def rows_q(conn: Connection, reason: str, limit: int, *, before_ms: int = 0,
           after_id: int = 0) -> list[Refusal]:  # fmt: skip
    """Return refusals of a reason, oldest first; with `before_ms` only those told before it."""
    column = upload.c
    wanted = [_open(reason), column.id > after_id]
    if before_ms:
        wanted.append(column.updated_at < before_ms)
    rows = conn.execute(
        select(column.id, column.receipt_id, column.op, _NAME.label("name"), column.dest,
               column.state, column.result, column.detail, column.revision, column.act_id,
               column.updated_at)
        .outerjoin(receipt, receipt.c.id == column.receipt_id)
        .outerjoin(sheet_act, sheet_act.c.id == column.act_id)
        .where(and_(*wanted)).order_by(column.id).limit(limit)
    )  # fmt: skip
    return [Refusal(*row) for row in rows]


def accept_group_txn(tx: Tx, group: str, reason: str, who: str) -> int:
    """Close a piece of a group; returns how many, 0 when nothing is left."""
    rows = rows_q(tx.conn, group, PIECE)
    for one in rows:
        step(tx, one, DeliveryStep.ACCEPT, reason, who)
    return len(rows)


def retry_group_txn(tx: Tx, group: str, reason: str, who: str, before_ms: int) -> int:
    """Have a piece of a group sent again, those told before `before_ms`; returns how many.

    A conflict is never sent again: those stay where they are.
    """
    rows = [one for one in rows_q(tx.conn, group, PIECE, before_ms=before_ms)
            if one.state == "rejected"]  # fmt: skip
    for one in rows:
        step(tx, one, DeliveryStep.RETRY, reason, who)
        again(tx, one)
    return len(rows)
