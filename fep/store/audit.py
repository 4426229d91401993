"""Feeding an audit from the store, slice by slice: a reader is never held open for long."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from fep.domain.audit import Audit, AuditBlock
from fep.store.schema import burn, journal, number_block, receipt

SLICE_ROWS = 5000
BURNS_TOLD = 1000


class Part(StrEnum):
    """What is read, in this order; the journal last, so that it is never behind."""

    BLOCKS = "blocks"
    RECEIPTS = "receipts"
    BURNS = "burns"
    JOURNAL = "journal"
    SETTLE = "settle"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class BurnTold:
    """A number or range that was given up, with its evidence."""

    ref: str
    last: str
    at: int
    reason: str
    evidence: str


class AuditWalk:
    """One audit on its way. Each `step` reads one slice."""

    def __init__(self) -> None:
        self.audit = Audit()
        self.part = Part.BLOCKS
        self.receipts = self.burns = self.records = 0
        self.told: list[BurnTold] = []
        self._after: Any = 0

    @property
    def done(self) -> bool:
        """Say whether everything was read."""
        return self.part is Part.DONE

    def step(self, conn: Connection) -> None:
        """Read the next slice; the connection may be another one each time."""
        if self.part is Part.BLOCKS:
            self.audit.blocks(*_blocks_q(conn))
            self._go(Part.RECEIPTS, 0)
        elif self.part is Part.RECEIPTS:
            self._receipts(conn)
        elif self.part is Part.BURNS:
            self._burns(conn)
        elif self.part is Part.JOURNAL:
            self._journal(conn)
        elif self.part is Part.SETTLE:
            self._settle(conn)

    def _go(self, part: Part, after: Any) -> None:
        self.part, self._after = part, after

    def _receipts(self, conn: Connection) -> None:
        column = receipt.c
        rows = conn.execute(
            select(column.id, column.unit, column.code, column.number, column.state)
            .where(column.id > self._after)
            .order_by(column.id)
            .limit(SLICE_ROWS)
        ).all()
        for row in rows:
            self.audit.receipt(row.unit, row.code, row.number, row.state)
        self.receipts += len(rows)
        if len(rows) < SLICE_ROWS:
            self._go(Part.BURNS, ("", ""))
        else:
            self._after = rows[-1].id

    def _burns(self, conn: Connection) -> None:
        column = burn.c
        rows = conn.execute(
            select(column.code, column.number, column.at, column.reason, column.evidence)
            .where(tuple_(column.code, column.number) > tuple_(*self._after))
            .order_by(column.code, column.number)
            .limit(SLICE_ROWS)
        ).all()
        for row in rows:
            self.audit.burn(row.code, row.number, row.reason, row.evidence)
            self._tell(BurnTold(f"{row.code}-{row.number}", row.number, row.at, row.reason,
                                row.evidence))  # fmt: skip
        self.burns += len(rows)
        if len(rows) < SLICE_ROWS:
            self._go(Part.JOURNAL, 0)
        else:
            self._after = (rows[-1].code, rows[-1].number)

    def _journal(self, conn: Connection) -> None:
        rows = conn.execute(
            select(journal.c.seq, journal.c.line)
            .where(journal.c.seq > self._after)
            .order_by(journal.c.seq)
            .limit(SLICE_ROWS)
        ).all()
        for row in rows:
            record = json.loads(row.line)
            op, ref, body = record["op"], record["ref"], record["body"]
            last = body["last"] if op == "numbers.granted" else ""
            self.audit.record(op, ref, last, row.seq)
            if op == "numbers.burned":
                why = f"{body['cause']} {body['reason']} {'+'.join(body['approved'])}"
                self._tell(BurnTold(ref, body["last"], record["at"], why, f"journal {row.seq}"))
        self.records += len(rows)
        if len(rows) < SLICE_ROWS:
            self._go(Part.SETTLE, 0)
        else:
            self._after = rows[-1].seq

    def _settle(self, conn: Connection) -> None:
        """Read again what was frozen: it may have been sealed since."""
        for code, number in self.audit.unsettled():
            state = conn.execute(
                select(receipt.c.state).where(receipt.c.code == code, receipt.c.number == number)
            ).scalar_one()
            burned = conn.execute(
                select(burn.c.at).where(burn.c.code == code, burn.c.number == number)
            ).first()
            self.audit.settled(code, number, state, burned is not None)
        self._go(Part.DONE, 0)

    def _tell(self, told: BurnTold) -> None:
        if len(self.told) < BURNS_TOLD:
            self.told.append(told)


def _blocks_q(conn: Connection) -> tuple[list[AuditBlock], int]:
    """Return the blocks and the newest journal record of one moment."""
    column = number_block.c
    rows = conn.execute(
        select(column.unit, column.code, column.first, column.last, column.next, column.state)
    )
    newest = conn.execute(select(func.max(journal.c.seq))).scalar()
    return [AuditBlock(*row) for row in rows], newest or 0
