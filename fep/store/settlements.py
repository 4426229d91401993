"""Settlements: a closed batch of a terminal beside our books of it.

Rules: a batch is named by the terminal's own number where it tells one; what its totals prove of
unknown payments is stored with it; a batch that a terminal closed without us and whose totals it
no longer tells is closed in our books too, and shown as one that nobody could compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from fep.domain.money import format_fen
from fep.domain.payment import Op, PaymentState, Step, Totals
from fep.domain.payment_batch import counted, settled
from fep.store.payments import Payment, payment_of, step_txn
from fep.store.schema_payments import payment as _P
from fep.store.schema_payments import settlement as _SETTLEMENT
from fep.store.tx import Tx

UNTOLD = -1
"""Counts and amounts of a terminal that no longer tells them."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A closed batch: what the terminal says (`UNTOLD` where it does not), and our books with
    what it proved."""

    id: int
    terminal: str
    batch: str
    at: int
    count: int
    amount_fen: int
    refunds: int
    refunds_fen: int
    our_count: int
    our_amount_fen: int
    our_refunds: int
    our_refunds_fen: int

    @property
    def told(self) -> bool:
        """Say whether the terminal told its totals."""
        return self.count != UNTOLD

    @property
    def fits(self) -> bool:
        """Say whether both sides count the same."""
        ours = (self.our_count, self.our_amount_fen, self.our_refunds, self.our_refunds_fen)
        return ours == (self.count, self.amount_fen, self.refunds, self.refunds_fen)


def settle_txn(tx: Tx, terminal: str, totals: Totals) -> Settlement:
    """Close our side of a batch; totals prove what only one choice of the unknown explains."""
    rows = _rows(tx.conn, terminal, totals.batch)
    approved = [row for row in rows if row.state is PaymentState.APPROVED]
    unknown = [row for row in rows if row.state is PaymentState.UNKNOWN]
    for row, step in zip(unknown, settled(totals, _sums(approved), _sums(unknown)), strict=True):
        if step is not None:
            step_txn(tx, row, step, text=f"settlement {totals.batch}"[:100])
            approved += [row] if step is Step.SAY_CHARGED else []
    return _closed(tx, terminal, totals, rows, approved)


def lose_txn(tx: Tx, terminal: str, batch: str) -> Settlement:
    """Close our side of a batch that the terminal closed and tells nothing of any more."""
    rows = _rows(tx.conn, terminal, batch)
    approved = [row for row in rows if row.state is PaymentState.APPROVED]
    nothing = Totals(batch, UNTOLD, UNTOLD, UNTOLD, UNTOLD)
    return _closed(tx, terminal, nothing, rows, approved)


def left_open_q(conn: Connection, terminal: str, batch: str) -> tuple[str, ...]:
    """Return the batches, oldest first, that our books hold open though `batch` is the open one."""
    query = (
        select(_P.c.batch)
        .where(_P.c.terminal == terminal, _P.c.settled_id == 0, _P.c.sent_at > 0,
               _P.c.batch.not_in(("", batch)))
        .distinct()
        .order_by(_P.c.batch)
    )  # fmt: skip
    return tuple(str(row.batch) for row in conn.execute(query))


def settlements_q(conn: Connection, limit: int = 100) -> tuple[Settlement, ...]:
    """Return settlements, newest first."""
    rows = conn.execute(select(_SETTLEMENT).order_by(_SETTLEMENT.c.id.desc()).limit(limit))
    return tuple(Settlement(**dict(row._mapping)) for row in rows)


def differ_q(conn: Connection) -> tuple[str, ...]:
    """Return the terminals whose newest settlement does not fit our books."""
    table = _SETTLEMENT.c
    newest = select(func.max(table.id)).group_by(table.terminal)
    rows = conn.execute(
        select(_SETTLEMENT).where(table.id.in_(newest)).order_by(table.terminal)
    )  # fmt: skip
    found = [Settlement(**dict(row._mapping)) for row in rows]
    return tuple(row.terminal for row in found if not row.fits)


def _rows(conn: Connection, terminal: str, batch: str) -> list[Payment]:
    """Return what our books hold open of a batch; what names none may be of any."""
    wanted = [_P.c.terminal == terminal, _P.c.settled_id == 0, _P.c.sent_at > 0]
    if batch:
        wanted.append(_P.c.batch.in_(("", batch)))
    return [payment_of(row) for row in conn.execute(select(_P).where(*wanted).order_by(_P.c.id))]


def _closed(tx: Tx, terminal: str, totals: Totals, rows: Sequence[Payment],
            approved: Sequence[Payment]) -> Settlement:  # fmt: skip
    ours = counted(_sums(approved))
    made = Settlement(
        tx.next_id("settlement"), terminal, totals.batch, tx.now_ms, totals.count,
        totals.amount_fen, totals.refunds, totals.refunds_fen, ours.count, ours.amount_fen,
        ours.refunds, ours.refunds_fen,
    )  # fmt: skip
    tx.conn.execute(
        insert(_SETTLEMENT).values(**{name: getattr(made, name) for name in Settlement.__slots__})
    )
    ids = [row.id for row in rows]
    for start in range(0, len(ids), 500):
        tx.conn.execute(
            update(_P).where(_P.c.id.in_(ids[start : start + 500])).values(settled_id=made.id)
        )
    tx.journal("payment.settled", terminal, {
        "batch": totals.batch, "amount": format_fen(totals.amount_fen) if made.told else "",
        "fits": made.fits, "settlement": made.id,
    })  # fmt: skip
    return made


def _sums(rows: Sequence[Payment]) -> list[tuple[Op, int]]:
    return [(row.op, row.amount_fen) for row in rows]
