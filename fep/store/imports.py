"""Receipts of another front-end in the store: staged slice by slice, live all at once.

Rules: what is staged is seen by nobody; a file goes live in one transaction, when count and sum
are what its reader said; a receipt that is here already, ours or imported, is never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, delete, func, insert, select, update

from fep.domain.faults import refuse
from fep.store.schema import receipt
from fep.store.schema_imports import old_import, old_receipt, old_reversal
from fep.store.tx import Tx

STAGED, LIVE = "staged", "live"
SWEEP_ROWS = 5000
FOUND_MAX = 200
_COLUMNS = (
    old_receipt.c.unit, old_receipt.c.code, old_receipt.c.number, old_receipt.c.key,
    old_receipt.c.check_code, old_receipt.c.payer, old_receipt.c.amount_fen,
    old_receipt.c.issued_at, old_receipt.c.state, old_receipt.c.body,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OldReceipt:
    """A receipt that another front-end issued. `state` is normal or reversed."""

    unit: str
    code: str
    number: str
    key: str
    check_code: str
    payer: str
    amount_fen: int
    issued_at: int
    state: str = "normal"
    more: tuple[tuple[str, str], ...] = ()

    def other(self, name: str) -> str:
        """Return what else the file says, empty when it does not."""
        return next((value for key, value in self.more if key == name), "")

    @property
    def ref(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


# writing
def begin_txn(tx: Tx, file_sm3: str) -> int:
    """Open a staging import; one that was never finished is forgotten. Returns its id."""
    tx.conn.execute(delete(old_import).where(old_import.c.state == STAGED))
    last = tx.conn.execute(select(func.max(old_receipt.c.import_id))).scalar() or 0
    lasting = tx.conn.execute(select(func.max(old_import.c.id))).scalar() or 0
    number = max(last, lasting) + 1
    values = {"id": number, "at": tx.now_ms, "state": STAGED, "file_sm3": file_sm3}
    tx.conn.execute(insert(old_import).values(**values, count=0, amount_fen=0))
    return number


def put_txn(tx: Tx, import_id: int, rows: Sequence[OldReceipt]) -> dict[str, Any]:
    """Stage a slice; answers how many are new and which are in the way."""
    row = tx.conn.execute(select(old_import.c.state).where(old_import.c.id == import_id)).first()
    if row is None or row.state != STAGED:
        raise refuse("IMPORT_GONE")
    fresh, conflicts = sorted_q(tx.conn, rows)
    if fresh and not conflicts:
        tx.conn.execute(insert(old_receipt), [
            {"import_id": import_id, **_plain(one)} for one in fresh
        ])  # fmt: skip
    amount = sum(one.amount_fen for one in fresh)
    return {"new": len(fresh), "amount_fen": amount, "conflicts": conflicts}


def _plain(one: OldReceipt) -> dict[str, Any]:
    told = asdict(one)
    more = dict(told.pop("more"))
    return {**told, "body": msgspec.json.encode(more).decode()}


def live_txn(tx: Tx, import_id: int, count: int, amount_fen: int, reason: str, who: str) -> int:
    """Let a staged import be seen. Raises Refused IMPORT_GONE, IMPORT_SUM."""
    row = tx.conn.execute(select(old_import.c.state, old_import.c.file_sm3)
                          .where(old_import.c.id == import_id)).first()  # fmt: skip
    if row is None or row.state != STAGED:
        raise refuse("IMPORT_GONE")
    here = tx.conn.execute(
        select(func.count(), func.coalesce(func.sum(old_receipt.c.amount_fen), 0)).where(
            old_receipt.c.import_id == import_id
        )
    ).one()
    if (here[0], here[1]) != (count, amount_fen):
        raise refuse("IMPORT_SUM", count=here[0], wanted=count)
    tx.conn.execute(update(old_import).where(old_import.c.id == import_id).values(
        state=LIVE, count=count, amount_fen=amount_fen, at=tx.now_ms))  # fmt: skip
    body: dict[str, object] = {"who": who, "reason": reason, "count": count,
                               "amount_fen": amount_fen, "sm3": row.file_sm3}  # fmt: skip
    tx.journal("receipts.imported", f"import-{import_id}", body)
    return count


def sweep_txn(tx: Tx) -> int:
    """Delete a slice of what was staged and never went live; answers how many rows."""
    known = select(old_import.c.id)
    stale = tx.conn.execute(
        select(old_receipt.c.import_id).where(old_receipt.c.import_id.not_in(known)).limit(1)
    ).scalar()
    if stale is None:
        return 0
    few = (
        select(old_receipt.c.code, old_receipt.c.number)
        .where(old_receipt.c.import_id == stale).limit(SWEEP_ROWS)
    )  # fmt: skip
    rows = tx.conn.execute(few).all()
    for row in rows:
        tx.conn.execute(delete(old_receipt).where(
            old_receipt.c.import_id == stale, old_receipt.c.code == row.code,
            old_receipt.c.number == row.number))  # fmt: skip
    return len(rows)


# reading
def sorted_q(
    conn: Connection, rows: Sequence[OldReceipt]
) -> tuple[list[OldReceipt], list[dict[str, str]]]:
    """Return what is not here yet, and what says otherwise than what is here.

    A slice asks two questions a code, however many receipts it has: the daemon issues meanwhile.
    """
    ours: set[tuple[str, str]] = set()
    here: dict[tuple[str, str], OldReceipt] = {}
    for code in {one.code for one in rows}:
        numbers = [one.number for one in rows if one.code == code]
        same = and_(receipt.c.code == code, receipt.c.number.in_(numbers))
        ours |= {(code, number) for number in conn.execute(
            select(receipt.c.number).where(same)).scalars()}  # fmt: skip
        same = and_(old_receipt.c.code == code, old_receipt.c.number.in_(numbers))
        for row in conn.execute(_live().where(same)):
            here[code, row.number] = _old(row)
    fresh: list[OldReceipt] = []
    conflicts: list[dict[str, str]] = []
    for one in rows:
        name = (one.code, one.number)
        if name in ours:
            conflicts.append({"receipt": one.ref, "why": "ours"})
        elif name not in here:
            fresh.append(one)
        elif here[name] != one:
            conflicts.append({"receipt": one.ref, "why": "differs"})
    return fresh, conflicts


def _live() -> Select[Any]:
    return select(*_COLUMNS).join(
        old_import, and_(old_import.c.id == old_receipt.c.import_id, old_import.c.state == LIVE)
    )


def by_number_q(conn: Connection, code: str, number: str) -> OldReceipt | None:
    """Return the imported receipt of a code and number."""
    row = conn.execute(
        _live().where(old_receipt.c.code == code, old_receipt.c.number == number)
    ).first()
    return _reversed_q(conn, _old(row)) if row is not None else None


def by_key_q(conn: Connection, unit: str, key: str) -> OldReceipt | None:
    """Return the newest imported receipt of an event key."""
    row = conn.execute(
        _live().where(old_receipt.c.unit == unit, old_receipt.c.key == key)
        .order_by(old_receipt.c.issued_at.desc())
    ).first()  # fmt: skip
    return _reversed_q(conn, _old(row)) if row is not None and key else None


def find_q(conn: Connection, text: str, limit: int) -> list[OldReceipt]:
    """Return imported receipts by code-number, number, or event key; all by an index."""
    codes, units = _distinct(conn, old_receipt.c.code), _distinct(conn, old_receipt.c.unit)
    code, dash, number = text.rpartition("-")
    tries = [
        and_(old_receipt.c.code.in_([code] if dash else codes), old_receipt.c.number == number),
        and_(old_receipt.c.unit.in_(units), old_receipt.c.key == text),
    ]
    for condition in tries:
        rows = conn.execute(_live().where(condition).limit(min(limit, FOUND_MAX))).all()
        if rows:
            return [_reversed_q(conn, _old(row)) for row in rows]
    return []


def imports_q(conn: Connection) -> list[dict[str, Any]]:
    """Return the files taken in, newest first."""
    rows = conn.execute(
        select(old_import.c.id, old_import.c.at, old_import.c.count, old_import.c.amount_fen,
               old_import.c.file_sm3)
        .where(old_import.c.state == LIVE).order_by(old_import.c.id.desc()).limit(FOUND_MAX)
    )  # fmt: skip
    return [dict(row._mapping) for row in rows]


def _distinct(conn: Connection, column: Any) -> list[str]:
    """Return the few different values of an index's first column, one probe each."""
    found: list[str] = []
    while len(found) < FOUND_MAX:
        following = select(func.min(column)).where(column > (found[-1] if found else ""))
        value = conn.execute(following).scalar()
        if value is None:
            break
        found.append(value)
    return found


def _reversed_q(conn: Connection, one: OldReceipt) -> OldReceipt:
    """Return an imported receipt as it is now: a red receipt of ours may have reversed it."""
    red = conn.execute(
        select(receipt.c.code, receipt.c.number, receipt.c.check_code)
        .join(old_reversal, old_reversal.c.red_id == receipt.c.id)
        .where(
            old_reversal.c.code == one.code, old_reversal.c.number == one.number,
            old_reversal.c.state == LIVE,
        )
    ).first()  # fmt: skip
    if red is None:
        return one
    told = {**dict(one.more), "red_code": red.code, "red_number": red.number,
            "red_check_code": red.check_code}  # fmt: skip
    return replace(one, state="reversed", more=tuple(told.items()))


def blue_of_q(conn: Connection, red_id: int) -> tuple[str, str] | None:
    """Return code and number of the imported receipt that a red receipt of ours reverses."""
    row = conn.execute(
        select(old_reversal.c.code, old_reversal.c.number).where(old_reversal.c.red_id == red_id)
    ).first()
    return (row.code, row.number) if row is not None else None


def _old(row: Any) -> OldReceipt:
    values = dict(row._mapping)
    more = msgspec.json.decode(values.pop("body"))
    return OldReceipt(**values, more=tuple(more.items()))


def units_q(conn: Connection) -> list[str]:
    """Return the units that have imported receipts."""
    return _distinct(conn, old_receipt.c.unit)
