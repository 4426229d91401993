"""Read functions over paper sheets and refused deliveries; every path indexed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from fep.domain.faults import refuse
from fep.domain.life_sheet import SheetBlock, SheetState, parse_sheet
from fep.store.receipts import by_number_q
from fep.store.schema import receipt, sheet, sheet_act, sheet_block, upload
from fep.store.sheets import active_q


def left_q(conn: Connection, unit: str, point: str, code: str = "") -> int:
    """Return how many blank sheets a point has."""
    blocks = active_q(conn, unit, point, code)
    return sum(block.left for block in blocks) - sum(_ahead(conn, block) for block in blocks)


def _ahead(conn: Connection, block: SheetBlock) -> int:
    """Return how many sheets above `next` are void already."""
    return (
        conn.execute(
            select(func.count())
            .select_from(sheet)
            .where(and_(sheet.c.block_id == block.id, sheet.c.number >= block.text(block.next)))
        ).scalar()
        or 0
    )


def told_q(conn: Connection, unit: str, name: str) -> dict[str, Any]:
    """Return a sheet as it is told, blank ones included. Raises Refused PAPER_*."""
    code, number = parse_sheet(name)
    column = sheet_block.c
    block = conn.execute(
        select(column.point).where(
            and_(column.unit == unit, column.code == code, column.width == len(number),
                 column.first <= int(number), column.last >= int(number))
        )
    ).first()  # fmt: skip
    if block is None:
        raise refuse("PAPER_UNKNOWN", sheet=name, unit=unit, point="*")
    found = _rows(conn, and_(sheet.c.code == code, sheet.c.number == number), 1)
    if found:
        return {**found[0], "point": block.point}
    return {"sheet": name, "state": SheetState.BLANK.value, "point": block.point}


def used_within_q(conn: Connection, unit: str, code: str, first: str, last: str) -> str:
    """Return the first used sheet of a range, empty when there is none."""
    row = conn.execute(
        select(sheet.c.number)
        .join(sheet_block, sheet_block.c.id == sheet.c.block_id)
        .where(and_(sheet.c.code == code, sheet.c.number.between(first, last),
                    sheet.c.state == SheetState.USED.value, sheet_block.c.unit == unit))
        .order_by(sheet.c.number).limit(1)
    ).first()  # fmt: skip
    return f"{code}-{row.number}" if row else ""


def of_receipt_q(conn: Connection, unit: str, code: str, number: str) -> list[dict[str, Any]]:
    """Return every sheet a receipt had, the one in use last. Raises Refused RCP_UNKNOWN."""
    found = by_number_q(conn, code, number)
    if found is None or found.unit != unit:
        raise refuse("RCP_UNKNOWN")
    return _rows(conn, sheet.c.receipt_id == found.id, 1000)


def list_q(conn: Connection, unit: str, point: str, state: str, after: str,
           limit: int) -> dict[str, Any]:  # fmt: skip
    """Return used and void sheets by name, and the cursor of the next page."""
    wanted = [sheet_block.c.unit == unit]
    if point:
        wanted.append(sheet_block.c.point == point)
    if state:
        wanted.append(sheet.c.state == state)
    if after:
        code, number = parse_sheet(after)
        wanted.append(or_(sheet.c.code > code, and_(sheet.c.code == code, sheet.c.number > number)))
    rows = _rows(conn, and_(*wanted), limit)
    return {"sheets": rows, "next": rows[-1]["sheet"] if len(rows) == limit else None}


def _rows(conn: Connection, condition: Any, limit: int) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(sheet.c.code, sheet.c.number, sheet.c.state, sheet.c.at, sheet.c.reason,
               sheet.c.evidence, receipt.c.code.label("receipt_code"),
               receipt.c.number.label("receipt_number"))
        .join(sheet_block, sheet_block.c.id == sheet.c.block_id)
        .outerjoin(receipt, receipt.c.id == sheet.c.receipt_id)
        .where(condition).order_by(sheet.c.code, sheet.c.number).limit(limit)
    )  # fmt: skip
    return [
        {
            "sheet": f"{row.code}-{row.number}",
            "state": row.state,
            "at": row.at,
            "reason": row.reason,
            "evidence": row.evidence,
            "receipt": f"{row.receipt_code}-{row.receipt_number}" if row.receipt_code else None,
        }
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class SheetStock:
    """A block of sheets as it is told; numbers as text."""

    id: int
    unit: str
    point: str
    code: str
    first: str
    last: str
    next: str
    state: str
    left: int
    used: int
    void: int
    imported_at: int


def blocks_q(conn: Connection, limit: int = 1000) -> list[SheetStock]:
    """Return the blocks of sheets, those with blanks first."""
    column = sheet_block.c
    counts: dict[tuple[int, str], int] = {
        (row[0], row[1]): row[2]
        for row in conn.execute(
            select(sheet.c.block_id, sheet.c.state, func.count()).group_by(
                sheet.c.block_id, sheet.c.state
            )
        )
    }
    found = []
    for row in conn.execute(select(sheet_block).order_by(column.state, column.id).limit(limit)):
        used, void = counts.get((row.id, "used"), 0), counts.get((row.id, "void"), 0)
        width = row.width
        found.append(
            SheetStock(
                row.id, row.unit, row.point, row.code, str(row.first).zfill(width),
                str(row.last).zfill(width),
                str(row.next).zfill(width) if row.next <= row.last else "", row.state,
                row.last - row.first + 1 - used - void, used, void, row.imported_at,
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record the platform did not take; `name` is that of its receipt or first sheet."""

    id: int
    receipt_id: int
    op: str
    name: str
    dest: str
    state: str
    result: str
    detail: str
    revision: int
    act_id: int
    updated_at: int


def refusals_q(conn: Connection, limit: int, name: str = "") -> list[Refusal]:
    """Return records that were refused or in conflict and wait for a person, oldest first."""
    column = upload.c
    code = func.coalesce(sheet_act.c.code, receipt.c.code)
    number = func.coalesce(sheet_act.c.number, receipt.c.number)
    narrowed = (
        select(column.id, column.receipt_id, column.op, (code + "-" + number).label("name"),
               column.dest, column.state, column.result, column.detail, column.revision,
               column.act_id, column.updated_at)
        .outerjoin(receipt, receipt.c.id == column.receipt_id)
        .outerjoin(sheet_act, sheet_act.c.id == column.act_id)
        .where(and_(column.state != "applied", column.state.in_(("rejected", "conflict"))))
    )  # fmt: skip
    if name:
        narrowed = narrowed.where((code + "-" + number) == name)
    return [Refusal(*row) for row in conn.execute(narrowed.order_by(column.id).limit(limit))]
