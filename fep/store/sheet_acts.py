"""Acts on paper: what the platform is told of an exchange or a void, delivered in order."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import insert

from fep.domain.life_delivery import Op
from fep.store.schema import sheet_act, upload
from fep.store.tx import Tx

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Act:
    """`code` and `number` are those of the receipt, or of the first blank sheet."""

    op: Op
    unit: str
    code: str
    number: str
    receipt_id: int  # 0: no receipt
    dest: str  # empty: a test unit, nothing is delivered


def act_txn(tx: Tx, act: Act, body: dict[str, object]) -> int:
    """Store an act and queue its record; returns the act's id."""
    act_id = tx.next_id("sheet_act")
    whole = {
        **body, "at": tx.now_ms, "code": act.code, "number": act.number, "unit": act.unit,
    }  # fmt: skip
    tx.conn.execute(
        insert(sheet_act).values(
            id=act_id, op=act.op.value, unit=act.unit, code=act.code, number=act.number,
            receipt_id=act.receipt_id, at=tx.now_ms, body=_encode(whole).decode(),
        )
    )  # fmt: skip
    if not act.dest:
        return act_id
    tx.conn.execute(
        insert(upload).values(
            id=tx.next_id("upload"), receipt_id=act.receipt_id, dest=act.dest, op=act.op.value,
            state="due", updated_at=tx.now_ms, act_id=act_id,
        )
    )  # fmt: skip
    return act_id
