"""Comparisons with the platform in the store: our lines of a day, runs, differences, repairs.

Reads are slices for a thread. A comparison's result is one transaction: its differences come,
stay or go together. A repair decides and acts in one transaction, journalled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, select, update

from fep.domain.faults import refuse
from fep.domain.life_delivery import Delivery, Op
from fep.domain.life_marks import Mark
from fep.domain.numbers import number_text
from fep.domain.reconcile import (
    IN_TRANSIT,
    Compared,
    Difference,
    Gap,
    GapState,
    GapStep,
    Line,
    Repair,
    Total,
    decide,
    repair_of,
    step_of,
)
from fep.store.life import mark_txn, reversal_of_q
from fep.store.receipts import by_number_q
from fep.store.schema import number_block, receipt, upload
from fep.store.schema_reconcile import recon_diff, recon_run
from fep.store.tx import Tx

SLICE_ROWS: Final = 500
PROBES: Final = 3  # numbers of an open block that are asked for though nobody has them yet
PROBES_MAX: Final = 500
KEPT_MAX: Final = 2000  # differences of one comparison that are stored
_DELIVERED = (
    "(SELECT u.state FROM upload u WHERE u.receipt_id = {id} AND u.op IN ('ISSUE', 'RED')"
    " ORDER BY u.id DESC LIMIT 1)"
)
_LINES = (
    "SELECT r.id, r.code, r.number, r.kind, r.amount_fen,"
    f" coalesce({_DELIVERED.format(id='r.id')}, ''),"
    " d.state,"
    f" coalesce({_DELIVERED.format(id='d.id')}, ''),"
    " (SELECT m.value FROM mark m WHERE m.receipt_id = r.id AND m.name = 'write_off'),"
    " (SELECT m.value FROM mark m WHERE m.receipt_id = r.id AND m.name = 'booking'),"
    " r.check_code"
    " FROM receipt r LEFT JOIN reversal v ON v.blue_id = r.id AND v.state = 'live'"
    " LEFT JOIN receipt d ON d.id = v.red_id"
    " WHERE r.unit = ? AND r.issued_on = ? AND r.state = 'sealed' AND r.id > ?"
    " ORDER BY r.id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A comparison as stored; `here` and `there` are totals."""

    id: int
    dest: str
    day: str
    state: str
    asked_at: int
    ended_at: int
    who: str
    here: list[dict[str, Any]]
    there: list[dict[str, Any]]
    in_transit: int
    refused: int
    differences: int
    detail: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A difference as stored."""

    id: int
    run_id: int
    dest: str
    day: str
    gap: str
    code: str
    number: str
    kind: str
    here_fen: int
    there_fen: int
    here_state: str
    there_state: str
    state: str
    repair: str
    found_at: int
    updated_at: int
    reason: str

    @property
    def name(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


def lines_q(conn: Connection, unit: str, day: str, after: int) -> tuple[list[Line], int]:
    """Return a slice of a unit's sealed receipts of a day of issue; 0 is the end."""
    rows = conn.exec_driver_sql(_LINES, (unit, day, after, SLICE_ROWS)).all()
    found = []
    for _id, code, number, kind, fen, delivery, red, red_delivery, off, booked, check in rows:
        there = red == "sealed" and red_delivery == "applied"
        found.append(Line(code, number, kind, fen, there, off == "done", booked == "yes",
                          delivery, red is not None and not there, unit,
                          check))  # fmt: skip
    return found, (rows[-1][0] if len(rows) == SLICE_ROWS else 0)


def probes_q(conn: Connection, unit: str, day: str) -> list[Line]:
    """Return numbers that nobody should hold: burned on a day, and the next of open blocks."""
    c = receipt.c
    rows = conn.execute(
        select(c.code, c.number, c.kind)
        .where(c.unit == unit, c.issued_on == day, c.state == "burned").limit(PROBES_MAX)
    )  # fmt: skip
    found = [Line(row.code, row.number, row.kind, 0, unit=unit) for row in rows]
    b = number_block.c
    blocks = conn.execute(
        select(b.code, b.next, b.last).where(b.unit == unit, b.state == "active")
    ).all()
    for block in blocks:
        for number in range(block.next, min(block.next + PROBES, block.last + 1)):
            found.append(Line(block.code, number_text(number), "", 0, unit=unit))
    return found


def run_q(conn: Connection, dest: str, day: str) -> Run | None:
    """Return the newest comparison of a day, empty day: of any."""
    c = recon_run.c
    where = and_(c.dest == dest, c.day == day) if day else c.dest == dest
    row = conn.execute(select(recon_run).where(where).order_by(c.id.desc()).limit(1)).first()
    return _run(row) if row else None


def runs_q(conn: Connection, limit: int) -> list[Run]:
    """Return the newest comparisons."""
    rows = conn.execute(select(recon_run).order_by(recon_run.c.id.desc()).limit(limit))
    return [_run(row) for row in rows]


def _run(row: Any) -> Run:  # Row
    values = dict(row._mapping)
    return Run(**{**values, "here": json.loads(row.here), "there": json.loads(row.there)})


def differences_q(conn: Connection, dest: str, day: str = "", *, gone: bool = False) -> list[Kept]:
    """Return the differences of a day (of all days when empty), those that are gone if asked."""
    c = recon_diff.c
    asked = select(recon_diff).where(c.dest == dest).order_by(c.id).limit(KEPT_MAX)
    if day:
        asked = asked.where(c.day == day)
    if not gone:
        asked = asked.where(c.state != GapState.GONE.value)
    return [Kept(**row._mapping) for row in conn.execute(asked)]


def open_days_q(conn: Connection, dest: str) -> list[str]:
    """Return the days with differences that are not gone, oldest first."""
    c = recon_diff.c
    rows = conn.execute(
        select(c.day).where(c.dest == dest, c.state != GapState.GONE.value).distinct()
        .order_by(c.day).limit(31)
    )  # fmt: skip
    return list(rows.scalars())


def open_count_q(conn: Connection) -> int:
    """Return how many differences nobody has dealt with."""
    where = recon_diff.c.state == GapState.OPEN.value
    return conn.execute(select(func.count()).select_from(recon_diff).where(where)).scalar_one()


# writing
def begin_txn(tx: Tx, dest: str, day: str, who: str) -> int:
    """Note that a day is being compared; one that a restart cut off is given up."""
    c = recon_run.c
    tx.conn.execute(
        update(recon_run).where(c.dest == dest, c.state == "asking")
        .values(state="failed", ended_at=tx.now_ms, detail="interrupted")
    )  # fmt: skip
    run_id = tx.next_id("recon_run")
    tx.conn.execute(
        insert(recon_run).values(
            id=run_id, dest=dest, day=day, state="asking", asked_at=tx.now_ms, who=who[:80]
        )
    )
    return run_id


def fail_txn(tx: Tx, run_id: int, why: str) -> None:
    """Note that a comparison came to nothing."""
    tx.conn.execute(
        update(recon_run).where(recon_run.c.id == run_id)
        .values(state="failed", ended_at=tx.now_ms, detail=why[:500])
    )  # fmt: skip
    tx.journal("reconcile.failed", str(run_id), {"why": why[:500]})


def end_txn(tx: Tx, run_id: int, dest: str, day: str, here: Sequence[Total],
            there: Sequence[Total], found: Compared) -> list[int]:  # fmt: skip
    """Store what a comparison found; returns the ids of its differences."""
    known = {(row.code, row.number, row.gap): row
             for row in differences_q(tx.conn, dest, day, gone=True)}  # fmt: skip
    ids = []
    for difference in found.differences[:KEPT_MAX]:
        row = known.pop((difference.code, difference.number, difference.gap.value), None)
        ids.append(_keep(tx, run_id, dest, day, difference, row))
    for row in known.values():
        if row.state != GapState.GONE.value:
            _step(tx, row, GapStep.AGREES, "")
    count = len(found.differences)
    tx.conn.execute(
        update(recon_run).where(recon_run.c.id == run_id).values(
            state="done", ended_at=tx.now_ms, here=json.dumps(_ours(here, found)),
            there=json.dumps([asdict(t) for t in there]), in_transit=found.in_transit,
            refused=found.refused, differences=count,
        )
    )  # fmt: skip
    tx.journal("reconcile.done", f"{dest}/{day}", {
        "differences": count, "in_transit": found.in_transit, "refused": found.refused,
        "run": run_id,
    })  # fmt: skip
    return ids


def _ours(here: Sequence[Total], found: Compared) -> list[dict[str, Any]]:
    """Return our totals with what of them is known to be missing there: count and fen."""
    told = []
    for total in here:
        apart = [one.fen for one in found.apart
                 if (one.code, one.kind) == (total.code, total.kind)]  # fmt: skip
        told.append({**asdict(total), "apart": len(apart), "apart_fen": sum(apart)})
    return told


def _keep(tx: Tx, run_id: int, dest: str, day: str, found: Difference, row: Kept | None) -> int:
    here_state = found.here.state if found.here else ""
    there_state = found.there.state if found.there else ""
    values = {
        "run_id": run_id, "here_fen": found.here.fen if found.here else 0,
        "there_fen": found.there.fen if found.there else 0, "here_state": here_state,
        "there_state": there_state, "updated_at": tx.now_ms,
        "repair": repair_of(found.gap, here_state, there_state).value,
    }  # fmt: skip
    if row is not None:
        after = decide(GapState(row.state), GapStep.FOUND, row.name)
        tx.conn.execute(
            update(recon_diff).where(recon_diff.c.id == row.id).values(state=after.value, **values)
        )
        return row.id
    id_ = tx.next_id("recon_diff")
    tx.conn.execute(
        insert(recon_diff).values(
            id=id_, dest=dest, day=day, gap=found.gap.value, code=found.code,
            number=found.number, kind=found.kind, state=GapState.OPEN.value,
            found_at=tx.now_ms, **values,
        )
    )  # fmt: skip
    tx.journal("reconcile.found", found.name, {
        "day": day, "dest": dest, "gap": found.gap.value, "here": here_state,
        "here_fen": values["here_fen"], "there": there_state, "there_fen": values["there_fen"],
    })  # fmt: skip
    return id_


def repair_txn(tx: Tx, id_: int, reason: str, who: str) -> tuple[Kept, Repair]:
    """Do what is safe about a difference. Raises Refused REC_NONE, REC_STATE, RCP_UNKNOWN."""
    row = tx.conn.execute(select(recon_diff).where(recon_diff.c.id == id_)).first()
    if row is None:
        raise refuse("REC_NONE", id=id_)
    kept = Kept(**row._mapping)
    repair = repair_of(Gap(kept.gap), kept.here_state, kept.there_state)
    after = _step(tx, kept, step_of(repair), reason)
    if repair in (Repair.RESEND, Repair.RESEND_RED):
        _resend(tx, kept, red=repair is Repair.RESEND_RED)
    elif repair is Repair.MARK:
        _mark(tx, kept)
    tx.journal("reconcile.repaired", kept.name, {
        "difference": id_, "gap": kept.gap, "reason": reason, "repair": repair.value,
        "state": after.value, "who": who,
    })  # fmt: skip
    return kept, repair


def _step(tx: Tx, row: Kept, step: GapStep, reason: str) -> GapState:
    after = decide(GapState(row.state), step, row.name)
    values = {"state": after.value, "updated_at": tx.now_ms, "reason": reason or row.reason}
    tx.conn.execute(update(recon_diff).where(recon_diff.c.id == row.id).values(values))
    if after is GapState.GONE:
        tx.journal("reconcile.gone", row.name, {"difference": row.id, "gap": row.gap})
    return after


def _resend(tx: Tx, kept: Kept, *, red: bool) -> None:
    """Queue a delivery with the next revision; one under way, or made since, is enough."""
    receipt = by_number_q(tx.conn, kept.code, kept.number)
    made = reversal_of_q(tx.conn, receipt.id) if receipt is not None and red else None
    if receipt is None or (red and made is None):
        raise refuse("RCP_UNKNOWN")
    receipt_id = made.red_id if made is not None else receipt.id
    op = Op.RED if receipt.amount_fen < 0 or red else Op.ISSUE
    c = upload.c
    rows = tx.conn.execute(
        select(c.state, c.revision, c.updated_at).where(
            c.receipt_id == receipt_id, c.op == op.value
        )
    ).all()
    if any(row.state in IN_TRANSIT or row.updated_at > kept.updated_at for row in rows):
        return
    tx.conn.execute(
        insert(upload).values(
            id=tx.next_id("upload"), receipt_id=receipt_id, dest=kept.dest, op=op.value,
            state=Delivery.DUE.value, updated_at=tx.now_ms, act_id=0,
            revision=max((row.revision for row in rows), default=-1) + 1,
        )
    )  # fmt: skip


def _mark(tx: Tx, kept: Kept) -> None:
    """Take over what the platform says, with the comparison as evidence."""
    evidence = f"{kept.dest} reconciliation {kept.run_id}"
    ours, theirs = set(kept.here_state.split("+")), set(kept.there_state.split("+"))
    for word, said in (("written_off", Mark.WRITTEN_OFF), ("booked", Mark.BOOKED)):
        if word in theirs - ours:
            mark_txn(tx, kept.code, kept.number, said, tx.now_ms, evidence)
