"""Requests for numbers: asked for once, open until a block of the code is here.

A request is an act that travels like those on paper (fep/store/sheet_acts.py). It names no
number: in their place stand ten zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, and_, func, select, text

from fep.domain.life_delivery import Op
from fep.domain.refill import REQUESTED, Need
from fep.store.schema import number_block, sheet_act, upload
from fep.store.sheet_acts import Act, act_txn
from fep.store.tx import Tx

NO_NUMBER = "0" * 10


@dataclass(frozen=True, slots=True)
class Request:
    """Numbers asked for; `delivery` is empty where no platform is told, `detail` its answer."""

    unit: str
    code: str
    count: int
    at: int
    delivery: str
    detail: str = ""

    @property
    def state(self) -> str:
        """Return what an operator sees: requested, or that the platform cannot or will not."""
        if self.delivery in ("rejected", "conflict", "closed"):
            return "rejected"
        return "unsupported" if self.detail.startswith("unsupported") else REQUESTED


def open_q(conn: Connection) -> list[Request]:
    """Return the requests that no block has answered yet, oldest first."""
    act, block = sheet_act.c, number_block.c
    newest = (
        select(func.max(act.id))
        .where(text("op = 'REQUEST'"))  # said as the partial index says it
        .group_by(act.unit, act.code)
    )
    came = select(block.id).where(
        and_(block.unit == act.unit, block.code == act.code, block.granted_at > act.at)
    )
    told, said = (
        select(column)
        .where(and_(upload.c.receipt_id == 0, upload.c.act_id == act.id))
        .order_by(upload.c.id.desc())
        .limit(1)
        .scalar_subquery()
        for column in (upload.c.state, upload.c.detail)
    )
    rows = conn.execute(
        select(act.unit, act.code, act.body, act.at, told, said)
        .where(and_(act.id.in_(newest), ~came.exists()))
        .order_by(act.id)
    )
    return [
        Request(unit, code, msgspec.json.decode(body)["count"], at, state or "", detail or "")
        for unit, code, body, at, state, detail in rows
    ]


def request_txn(tx: Tx, need: Need, dest: str) -> bool:
    """Ask for numbers, journalled; False while an earlier request for the code is open."""
    if any((one.unit, one.code) == (need.unit, need.code) for one in open_q(tx.conn)):
        return False
    asked: dict[str, object] = {"count": need.count, "left": need.left, "target": need.target}
    return asked_txn(tx, need.unit, need.code, asked, dest)


def asked_txn(tx: Tx, unit: str, code: str, asked: dict[str, object], dest: str) -> bool:
    """Ask for `asked["count"]` numbers, journalled; False while an earlier request is open.

    Where a person asks, one that the platform refused, or cannot hear, is over.
    """
    waiting = [one for one in open_q(tx.conn) if (one.unit, one.code) == (unit, code)]
    if any(one.state == REQUESTED for one in waiting):
        return False
    act_txn(tx, Act(Op.REQUEST, unit, code, NO_NUMBER, 0, dest), asked)
    tx.journal("numbers.requested", code, {**asked, "dest": dest, "unit": unit})
    return True
