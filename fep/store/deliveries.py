"""A person's word on a refused delivery: take note of it, or have it sent again.

What is sent again is a new row with the next revision; the refused one stays as evidence.
"""

from __future__ import annotations

from sqlalchemy import and_, func, insert, select, update

from fep.domain.faults import refuse
from fep.domain.life_delivery import Delivery, DeliveryStep, decide
from fep.store.queries_sheets import Refusal, refusals_q
from fep.store.schema import upload
from fep.store.tx import Tx

OF_ONE_MAX = 100


def accept_txn(tx: Tx, name: str, reason: str, who: str) -> list[Refusal]:
    """Close every refused delivery of a name, journalled. Raises Refused DLV_NONE."""
    return [step(tx, one, DeliveryStep.ACCEPT, reason, who) for one in _refused(tx, name)]


def retry_txn(tx: Tx, name: str, reason: str, who: str) -> list[Refusal]:
    """Have every refused delivery of a name sent again. Raises Refused DLV_NONE, DLV_CONFLICT."""
    found = [step(tx, one, DeliveryStep.RETRY, reason, who) for one in _refused(tx, name)]
    for one in found:
        again(tx, one)
    return found


def again(tx: Tx, one: Refusal) -> None:
    """Make the new delivery of one that was refused, with the next revision."""
    tx.conn.execute(
        insert(upload).values(
            id=tx.next_id("upload"), receipt_id=one.receipt_id, dest=one.dest, op=one.op,
            state=Delivery.DUE.value, updated_at=tx.now_ms, act_id=one.act_id,
            revision=_next_revision(tx, one),
        )
    )  # fmt: skip


def _refused(tx: Tx, name: str) -> list[Refusal]:
    found = refusals_q(tx.conn, OF_ONE_MAX, name)
    if not found:
        raise refuse("DLV_NONE", name=name)
    return found


def _next_revision(tx: Tx, one: Refusal) -> int:
    highest = tx.conn.execute(
        select(func.max(upload.c.revision)).where(
            and_(upload.c.receipt_id == one.receipt_id, upload.c.op == one.op,
                 upload.c.act_id == one.act_id)
        )
    ).scalar_one()  # fmt: skip
    return int(highest) + 1


def step(tx: Tx, one: Refusal, what: DeliveryStep, reason: str, who: str) -> Refusal:
    """Take a step with one refused delivery, journalled. Raises Refused DLV_*."""
    after = decide(Delivery(one.state), what, one.name)
    tx.conn.execute(
        update(upload).where(upload.c.id == one.id).values(state=after.value, updated_at=tx.now_ms)
    )
    tx.journal(f"delivery.{after.value}", one.name, {
        "detail": one.detail, "op": one.op, "reason": reason, "result": one.result,
        "upload": one.id, "who": who,
    })  # fmt: skip
    return one
