"""Paper sheets in the store: blocks come in, sheets are used in order, void ones keep why.

Rules: a blank sheet has no row, its block's `next` says so; every sheet below `next` has a
row, used or void, with evidence; an act on paper and the record that tells the platform are
one transaction with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, and_, insert, select, update

from fep.domain.faults import refuse
from fep.domain.life import Life, LifeFacts, LifeStep
from fep.domain.life import decide as decide_life
from fep.domain.life_delivery import Op
from fep.domain.life_sheet import (
    VOID_AT_ONCE_MAX,
    SheetBlock,
    SheetBlockState,
    SheetState,
    SheetStep,
    decide,
    parse_range,
    parse_sheet,
)
from fep.domain.receipt import Receipt
from fep.store import forms
from fep.store.life import Standing
from fep.store.receipts import by_id_q
from fep.store.schema import sheet, sheet_block
from fep.store.sheet_acts import Act, act_txn
from fep.store.tx import Tx

_BLOCK = (
    sheet_block.c.id, sheet_block.c.unit, sheet_block.c.point, sheet_block.c.code,
    sheet_block.c.first, sheet_block.c.last, sheet_block.c.next, sheet_block.c.width,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SheetGrant:
    """A block of sheets as a person brings it; `evidence` is kept for the inspector."""

    unit: str
    point: str
    code: str
    first: str
    last: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that is not blank any more."""

    code: str
    number: str
    block_id: int
    state: SheetState
    receipt_id: int
    at: int
    reason: str

    @property
    def ref(self) -> str:
        """Return the sheet's name, code-number."""
        return f"{self.code}-{self.number}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where paper is handled, by whom, and which platform is told."""

    unit: str
    point: str
    dest: str
    who: str


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What an exchange led to: the sheet now in use and the one it replaced, if any."""

    sheet: str
    replaced: str = ""
    repeated: bool = False


def import_txn(tx: Tx, grant: SheetGrant) -> bool:
    """Take a block of sheets in, journalled; False when this very block is here already.

    Raises Refused PAPER_RANGE, PAPER_NAME, PAPER_OVERLAP.
    """
    first, last, width = parse_range(grant.first, grant.last)
    parse_sheet(f"{grant.code}-{grant.first}")
    column = sheet_block.c
    for row in tx.conn.execute(
        select(column.unit, column.point, column.first, column.last).where(
            and_(column.code == grant.code, column.width == width, column.first <= last,
                 column.last >= first)
        )
    ):  # fmt: skip
        if tuple(row) == (grant.unit, grant.point, first, last):
            return False
        raise refuse("PAPER_OVERLAP", code=grant.code, first=grant.first, last=grant.last)
    tx.conn.execute(
        insert(sheet_block).values(
            id=tx.next_id("sheet_block"), unit=grant.unit, point=grant.point, code=grant.code,
            width=width, first=first, last=last, next=first,
            state=SheetBlockState.ACTIVE.value, source="person", evidence=grant.evidence,
            imported_at=tx.now_ms,
        )
    )  # fmt: skip
    tx.journal("paper.imported", f"{grant.code}-{grant.first}", {
        "evidence": grant.evidence, "first": grant.first, "last": grant.last,
        "point": grant.point, "unit": grant.unit,
    })  # fmt: skip
    return True


def active_q(conn: Connection, unit: str, point: str, code: str = "") -> list[SheetBlock]:
    """Return the blocks a point has sheets left in, in the order they are used."""
    column = sheet_block.c
    narrowed = select(*_BLOCK).where(
        and_(column.unit == unit, column.point == point, column.state == "active")
    )
    if code:
        narrowed = narrowed.where(column.code == code)
    return [SheetBlock(*row) for row in conn.execute(narrowed.order_by(column.id))]


def next_q(conn: Connection, unit: str, point: str, code: str = "") -> str:
    """Return the name of the next sheet. Raises Refused PAPER_NONE."""
    blocks = active_q(conn, unit, point, code)
    if not blocks:
        raise refuse("PAPER_NONE", unit=unit, point=point)
    return blocks[0].ref(blocks[0].next)


def block_of_q(conn: Connection, unit: str, point: str, name: str) -> tuple[SheetBlock, int]:
    """Return the block and the number of a sheet. Raises Refused PAPER_NAME, PAPER_UNKNOWN."""
    code, number = parse_sheet(name)
    column = sheet_block.c
    row = conn.execute(
        select(*_BLOCK).where(
            and_(column.unit == unit, column.point == point, column.code == code,
                 column.width == len(number), column.first <= int(number),
                 column.last >= int(number))
        )
    ).first()  # fmt: skip
    if row is None:
        raise refuse("PAPER_UNKNOWN", sheet=name, unit=unit, point=point)
    return SheetBlock(*row), int(number)


def sheet_q(conn: Connection, name: str) -> Sheet | None:
    """Return a sheet that was used or voided, None while it is blank or not ours."""
    code, number = parse_sheet(name)
    row = conn.execute(
        select(sheet).where(and_(sheet.c.code == code, sheet.c.number == number))
    ).first()
    return _sheet(row) if row is not None else None


def _sheet(row: Row[tuple[object, ...]]) -> Sheet:
    values = {name: row._mapping[name] for name in Sheet.__dataclass_fields__}
    return Sheet(**{**values, "state": SheetState(values["state"])})


def exchange_txn(
    tx: Tx, place: Place, standing: Standing, wanted: str, reason: str = ""
) -> Exchanged:
    """Exchange a receipt for the point's next sheet; `wanted` must be it when it is given.

    The same exchange again is answered as it was. Raises Refused LIFE_*, PAPER_*.
    """
    receipt = standing.receipt
    if standing.sheet:
        if standing.sheet == wanted:
            return Exchanged(wanted, repeated=True)
        raise refuse("PAPER_EXCHANGED", receipt=receipt.ref, sheet=standing.sheet)
    _may_exchange(standing)
    taken = _take(tx, place, wanted, receipt)
    _tell(tx, place, Op.PAPER, receipt, taken, {"reason": reason} if reason else {})
    return Exchanged(taken)


def reexchange_txn(
    tx: Tx, place: Place, standing: Standing, wanted: str, reason: str, replaces: str = ""
) -> Exchanged:
    """Void the sheet of a receipt and give it the next one. Raises Refused LIFE_*, PAPER_*.

    `replaces` names the sheet to be voided: a call that is repeated voids no second one.
    """
    receipt, old = standing.receipt, standing.sheet
    if old and replaces not in ("", old):
        gone = sheet_q(tx.conn, replaces)
        if gone is None or (gone.receipt_id, gone.state) != (receipt.id, SheetState.VOID):
            raise refuse("PAPER_EXCHANGED", receipt=receipt.ref, sheet=old)
        return Exchanged(old, replaced=replaces, repeated=True)
    if not old:
        raise refuse("PAPER_NOT_EXCHANGED", receipt=receipt.ref)
    if old == wanted:
        return Exchanged(wanted, repeated=True)
    _may_exchange(standing)
    decide(SheetState.USED, SheetStep.REPLACE, old)
    _void_used(tx, old, reason, place.who, "")
    taken = _take(tx, place, wanted, receipt)
    _tell(tx, place, Op.PAPER, receipt, taken, {"reason": reason, "replaces": old})
    return Exchanged(taken, replaced=old)


def void_txn(tx: Tx, place: Place, first: str, last: str, reason: str) -> list[Sheet]:
    """Void sheets, blank ones and exchanged ones; names of the same block, ascending.

    All of them or none. Void for the same reason already: nothing changes. Raises Refused
    PAPER_RANGE, PAPER_UNKNOWN, PAPER_VOID.
    """
    block, low = block_of_q(tx.conn, place.unit, place.point, first)
    other, high = block_of_q(tx.conn, place.unit, place.point, last)
    if other.id != block.id or not low <= high < low + VOID_AT_ONCE_MAX:
        raise refuse("PAPER_RANGE", first=first, last=last)
    names = [block.ref(number) for number in range(low, high + 1)]
    known = [sheet_q(tx.conn, name) for name in names]
    if all(row and row.state is SheetState.VOID and row.reason == reason for row in known):
        return [row for row in known if row is not None]
    blanks: list[str] = []
    for name, row in zip(names, known, strict=True):
        decide(row.state if row is not None else SheetState.BLANK, SheetStep.VOID, name)
        if row is None:
            blanks.append(name)
        else:
            _void_used(tx, name, reason, place.who, place.dest)
    if blanks:
        _void_blanks(tx, place, block, blanks, reason)
    rows = [sheet_q(tx.conn, name) for name in names]
    return [row for row in rows if row is not None]


def _may_exchange(standing: Standing) -> Life:
    red = standing.red.ref if standing.red is not None else ""
    facts = LifeFacts(standing.receipt.ref, red=red)
    return decide_life(standing.life, LifeStep.EXCHANGE, facts)[0]


def _take(tx: Tx, place: Place, wanted: str, receipt: Receipt) -> str:
    """Use the next sheet of the point (of the wanted one's code) and move the block on."""
    code = parse_sheet(wanted)[0] if wanted else ""
    if wanted:
        row = sheet_q(tx.conn, wanted)
        decide(row.state if row else SheetState.BLANK, SheetStep.EXCHANGE, wanted)
        block_of_q(tx.conn, place.unit, place.point, wanted)
    blocks = active_q(tx.conn, place.unit, place.point, code)
    if not blocks:
        raise refuse("PAPER_NONE", unit=place.unit, point=place.point)
    block = blocks[0]
    name = block.ref(block.next)
    if wanted and wanted != name:
        raise refuse("PAPER_NEXT", sheet=wanted, next=name)
    evidence = f"receipt {receipt.ref}"
    _write(tx, block, name, SheetState.USED, receipt.id, "", evidence)
    _move_on(tx, block)
    return name


def _write(tx: Tx, block: SheetBlock, name: str, state: SheetState, receipt_id: int,
           reason: str, evidence: str) -> None:  # fmt: skip
    code, number = parse_sheet(name)
    tx.conn.execute(
        insert(sheet).values(
            code=code, number=number, block_id=block.id, state=state.value,
            receipt_id=receipt_id, at=tx.now_ms, reason=reason, evidence=evidence,
        )
    )  # fmt: skip


def _move_on(tx: Tx, block: SheetBlock) -> None:
    """Move a block to its first blank sheet; those in between are void with evidence."""
    number = block.next
    rows = tx.conn.execute(
        select(sheet.c.number)
        .where(and_(sheet.c.block_id == block.id, sheet.c.number >= block.text(number)))
        .order_by(sheet.c.number)
    ).scalars()
    for text in rows:
        if int(text) != number:
            break
        number += 1
    after = replace(block, next=number)
    state = SheetBlockState.ACTIVE if after.left else SheetBlockState.EXHAUSTED
    tx.conn.execute(
        update(sheet_block)
        .where(sheet_block.c.id == block.id)
        .values(next=number, state=state.value)
    )


def _void_used(tx: Tx, name: str, reason: str, who: str, dest: str) -> None:
    """Void the sheet of a receipt; the platform is told here when `dest` is given."""
    row = sheet_q(tx.conn, name)
    assert row is not None, name
    forms.voided_txn(tx, name, reason, who)
    seq = tx.journal("paper.voided", name, {
        "reason": reason, "receipt": row.receipt_id, "was": row.state.value, "who": who,
    })  # fmt: skip
    tx.conn.execute(
        update(sheet)
        .where(and_(sheet.c.code == row.code, sheet.c.number == row.number))
        .values(state=SheetState.VOID.value, reason=reason, at=tx.now_ms,
                evidence=f"journal {seq}")
    )  # fmt: skip
    if dest:
        _void_told(tx, row, reason, dest)


def _void_told(tx: Tx, row: Sheet, reason: str, dest: str) -> None:
    receipt = by_id_q(tx.conn, row.receipt_id)
    assert receipt is not None, row
    act = Act(Op.VOID_PAPER, receipt.unit, receipt.code, receipt.number, receipt.id, dest)
    act_txn(tx, act, {"reason": reason, "sheet_code": row.code, "sheet_number": row.number})


def _void_blanks(tx: Tx, place: Place, block: SheetBlock, names: list[str], reason: str) -> None:
    seq = tx.journal("paper.voided", names[0], {
        "count": len(names), "last": names[-1], "point": place.point, "reason": reason,
        "unit": place.unit, "was": SheetState.BLANK.value, "who": place.who,
    })  # fmt: skip
    for name in names:
        _write(tx, block, name, SheetState.VOID, 0, reason, f"journal {seq}")
    _move_on(tx, block)
    for first, last in _runs([parse_sheet(name)[1] for name in names]):
        act = Act(Op.VOID_BLANK, place.unit, block.code, first, 0, place.dest)
        act_txn(tx, act, {"last": last, "point": place.point, "reason": reason})


def _runs(numbers: list[str]) -> list[tuple[str, str]]:
    """Return ascending numbers as ranges without gaps."""
    runs: list[tuple[str, str]] = []
    for text in numbers:
        if runs and int(text) == int(runs[-1][1]) + 1:
            runs[-1] = (runs[-1][0], text)
        else:
            runs.append((text, text))
    return runs


def _tell(tx: Tx, place: Place, op: Op, receipt: Receipt, name: str,
          more: dict[str, object]) -> None:  # fmt: skip
    code, number = parse_sheet(name)
    tx.journal("paper.exchanged", receipt.ref, {
        **more, "point": place.point, "sheet": name, "who": place.who,
    })  # fmt: skip
    act = Act(op, receipt.unit, receipt.code, receipt.number, receipt.id, place.dest)
    act_txn(tx, act, {
        **more, "point": place.point, "sheet_code": code, "sheet_number": number,
    })  # fmt: skip
