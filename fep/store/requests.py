"""Requests for numbers: asked for once, open until a block of the code is here.

A request is an act that travels like those on paper (fep/store/sheet_acts.py). It names no
number: in their place stand ten zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, and_, func, select, text

from fep.domain.life_delivery import Op
from fep.domain.refill import Need
from fep.store.schema import number_block, sheet_act, upload
from fep.store.sheet_acts import Act, act_txn
from fep.store.tx import Tx

NO_NUMBER = "0" * 10


@dataclass(frozen=True, slots=True)
class Request:
    """Numbers asked for; `delivery` is empty where no platform is told."""

    unit: str
    code: str
    count: int
    at: int
    delivery: str


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
    told = (
        select(upload.c.state)
        .where(and_(upload.c.receipt_id == 0, upload.c.act_id == act.id))
        .order_by(upload.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = conn.execute(
        select(act.unit, act.code, act.body, act.at, told)
        .where(and_(act.id.in_(newest), ~came.exists()))
        .order_by(act.id)
    )
    return [
        Request(unit, code, msgspec.json.decode(body)["count"], at, state or "")
        for unit, code, body, at, state in rows
    ]


def request_txn(tx: Tx, need: Need, dest: str) -> bool:
    """Ask for numbers, journalled; False while an earlier request for the code is open."""
    if any((one.unit, one.code) == (need.unit, need.code) for one in open_q(tx.conn)):
        return False
    asked: dict[str, object] = {"count": need.count, "left": need.left, "target": need.target}
    act_txn(tx, Act(Op.REQUEST, need.unit, need.code, NO_NUMBER, 0, dest), asked)
    tx.journal("numbers.requested", need.code, {**asked, "dest": dest, "unit": need.unit})
    return True
