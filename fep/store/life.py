"""Where a receipt stands: reversed or not, its paper, its marks, what the platform said.

Query functions answer with values; `mark_txn` stores what comes back from outside, with time
and evidence, journalled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Select, and_, bindparam, insert, select, update

from fep.domain.life import Life
from fep.domain.life_delivery import RECEIPT_OPS
from fep.domain.life_marks import (
    Booking,
    Mark,
    Message,
    WriteOff,
    booking_after,
    message_after,
    write_off_after,
)
from fep.domain.receipt import Receipt, ReceiptState
from fep.store.messages import answered_txn
from fep.store.receipts import by_id_q, by_number_q
from fep.store.schema import mark, reversal, sheet, upload
from fep.store.schema import receipt as receipt_table
from fep.store.supervision import supervised_at_q
from fep.store.tx import Tx

BOOKING = "booking"
WRITE_OFF = "write_off"
MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Reversed:
    """A live reversal as stored."""

    red_id: int
    blue_id: int
    reason: str
    operator: str
    booking: str
    forced: bool
    at: int


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark as stored: `name` is booking, write_off or message."""

    name: str
    value: str
    at: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything about a receipt's life. `red` and `blue` are its counterparts."""

    receipt: Receipt
    life: Life
    red: Receipt | None
    blue: Receipt | None
    reversal: Reversed | None
    sheet: str
    delivery: str
    supervised_at: int
    marks: tuple[Marked, ...]

    @property
    def booking(self) -> Booking:
        """Return what is known of the payer's books."""
        return Booking(_value(self.marks, BOOKING, Booking.UNKNOWN.value))

    @property
    def write_off(self) -> WriteOff:
        """Return whether finance has written the number off."""
        return WriteOff(_value(self.marks, WRITE_OFF, WriteOff.OPEN.value))

    @property
    def message(self) -> Message:
        """Return whether the payer was told of the receipt."""
        return Message(_value(self.marks, MESSAGE, Message.UNKNOWN.value))

    def told(self) -> dict[str, object]:
        """Return what a caller is told."""
        found: dict[str, object] = {
            "state": self.life.value,
            "booking": self.booking.value,
            "written_off": self.write_off is WriteOff.DONE,
            "message": self.message.value,
            "supervised": self.supervised_at > 0,
            "delivery": self.delivery,
            "sheet": self.sheet or None,
            "red": _name(self.red),
            "blue": _name(self.blue),
        }
        if self.reversal is not None:
            found["reason"] = self.reversal.reason
            found["operator"] = self.reversal.operator
        return found


def _value(marks: tuple[Marked, ...], name: str, default: str) -> str:
    return next((one.value for one in marks if one.name == name), default)


def _name(receipt: Receipt | None) -> dict[str, str] | None:
    return {"code": receipt.code, "number": receipt.number} if receipt is not None else None


def reversal_of_q(conn: Connection, blue_id: int) -> Reversed | None:
    """Return the live reversal of a blue receipt."""
    return _reversal(conn, _MADE_OF, blue_id)


def reversal_by_q(conn: Connection, red_id: int) -> Reversed | None:
    """Return the live reversal that a red receipt makes."""
    return _reversal(conn, _MADE_BY, red_id)


def _reversals(column: Column[int]) -> Select[Any]:
    found = reversal.c
    return select(
        found.red_id, found.blue_id, found.reason, found.operator, found.booking, found.forced,
        found.at,
    ).where(and_(column == bindparam("receipt_id"), found.state == "live"))  # fmt: skip


_MADE_BY, _MADE_OF = _reversals(reversal.c.red_id), _reversals(reversal.c.blue_id)


def _reversal(conn: Connection, made: Select[Any], receipt_id: int) -> Reversed | None:
    row = conn.execute(made, {"receipt_id": receipt_id}).first()
    if row is None:
        return None
    values: list[Any] = list(row)
    values[5] = bool(values[5])
    return Reversed(*values)


def sheet_of_q(conn: Connection, receipt_id: int) -> str:
    """Return the name of the sheet a receipt was exchanged for, empty when there is none."""
    row = conn.execute(
        select(sheet.c.code, sheet.c.number).where(
            and_(sheet.c.receipt_id == receipt_id, sheet.c.state == "used")
        )
    ).first()
    return f"{row.code}-{row.number}" if row else ""


def marks_q(conn: Connection, receipt_id: int) -> tuple[Marked, ...]:
    """Return the marks of a receipt."""
    rows = conn.execute(
        select(mark.c.name, mark.c.value, mark.c.at, mark.c.evidence)
        .where(mark.c.receipt_id == receipt_id)
        .order_by(mark.c.name)
    )
    return tuple(Marked(*row) for row in rows)


def standing_q(conn: Connection, receipt: Receipt) -> Standing:
    """Return where a receipt stands; every query runs on an index."""
    made = reversal_of_q(conn, receipt.id)
    makes = reversal_by_q(conn, receipt.id)
    red = by_id_q(conn, made.red_id) if made is not None else None
    blue = by_id_q(conn, makes.blue_id) if makes is not None else None
    return Standing(
        receipt=receipt,
        life=_life_of(receipt, made is not None, red.state if red is not None else None),
        red=red,
        blue=blue,
        reversal=made or makes,
        sheet=sheet_of_q(conn, receipt.id),
        delivery=_delivery_q(conn, receipt.id),
        supervised_at=supervised_at_q(conn, receipt.id),
        marks=marks_q(conn, receipt.id),
    )


def named_q(conn: Connection, code: str, number: str) -> Standing | None:
    """Return where the receipt of a code and number stands."""
    found = by_number_q(conn, code, number)
    return standing_q(conn, found) if found is not None else None


def _life_of(receipt: Receipt, reversal_lives: bool, red_state: str | None) -> Life:
    if receipt.state is not ReceiptState.SEALED:
        return Life(receipt.state.value)
    if not reversal_lives:
        return Life.SEALED
    # A red receipt frozen in this very group has no row yet: it is certainly not sealed.
    return Life.REVERSED if red_state == ReceiptState.SEALED else Life.REVERSING


def _delivery_q(conn: Connection, receipt_id: int) -> str:
    return (
        conn.execute(
            select(upload.c.state)
            .where(and_(upload.c.receipt_id == receipt_id, upload.c.op.in_(RECEIPT_OPS)))
            .order_by(upload.c.id.desc())
            .limit(1)
        ).scalar()
        or ""
    )


@dataclass(frozen=True, slots=True)
class Lived:
    """What became of a receipt, in short: `sheet` is empty unless it was exchanged."""

    life: Life
    sheet: str


def lives_q(conn: Connection, found: Sequence[Receipt]) -> dict[int, Lived]:
    """Return by id what became of receipts; two statements however many they are."""
    ids = [receipt.id for receipt in found]
    joined = reversal.outerjoin(receipt_table, receipt_table.c.id == reversal.c.red_id)
    reds: dict[int, str | None] = dict(
        conn.execute(
            select(reversal.c.blue_id, receipt_table.c.state)
            .select_from(joined)
            .where(and_(reversal.c.blue_id.in_(ids), reversal.c.state == "live"))
        ).all()
    )
    sheets = {
        row.receipt_id: f"{row.code}-{row.number}"
        for row in conn.execute(
            select(sheet.c.receipt_id, sheet.c.code, sheet.c.number).where(
                and_(sheet.c.receipt_id.in_(ids), sheet.c.state == "used")
            )
        )
    }
    return {
        receipt.id: Lived(
            _life_of(receipt, receipt.id in reds, reds.get(receipt.id)),
            sheets.get(receipt.id, ""),
        )
        for receipt in found
    }


def mark_txn(tx: Tx, code: str, number: str, said: Mark, at: int, evidence: str) -> bool:
    """Store a mark; False when it says nothing new. Raises KeyError for an unknown receipt."""
    receipt = by_number_q(tx.conn, code, number)
    if receipt is None or receipt.state is not ReceiptState.SEALED:
        raise KeyError(f"{code}-{number}")
    marks = marks_q(tx.conn, receipt.id)
    if said is Mark.WRITTEN_OFF:
        name, was = WRITE_OFF, _value(marks, WRITE_OFF, WriteOff.OPEN.value)
        value: str = write_off_after(WriteOff(was), said).value
    elif said in (Mark.TOLD, Mark.UNTOLD):
        name, was = MESSAGE, _value(marks, MESSAGE, Message.UNKNOWN.value)
        value = message_after(Message(was), said).value
        answered_txn(tx, receipt.id, value)
    else:
        name, was = BOOKING, _value(marks, BOOKING, Booking.UNKNOWN.value)
        value = booking_after(Booking(was), said).value
    if value == was:
        return False
    values = {"value": value, "at": at, "evidence": evidence}
    changed = tx.conn.execute(
        update(mark)
        .where(and_(mark.c.receipt_id == receipt.id, mark.c.name == name))
        .values(values)
    )
    if changed.rowcount == 0:
        tx.conn.execute(insert(mark).values(receipt_id=receipt.id, name=name, **values))
    tx.journal("receipt.marked", receipt.ref, {
        "at": at, "evidence": evidence, "mark": said.value, "value": value, "was": was,
    })  # fmt: skip
    return True
