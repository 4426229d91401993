"""Batches of a terminal: what our books count, and what its settlement proves of the unknown.

A settlement is a sum. It proves an unknown payment only when every choice of what may have been
charged that comes to the terminal's totals says the same of it. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fep.domain.payment import Op, Step, Totals

PROVED_MAX = 10
"""Unknown payments of one batch that are looked at; more are for people (2^n choices)."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What books count of a batch, in the terms of `Totals`. Amounts in fen."""

    count: int = 0
    amount_fen: int = 0
    refunds: int = 0
    refunds_fen: int = 0

    def plus(self, op: Op, fen: int) -> Counted:
        """Return it with one more; a void takes its payment off."""
        if op is Op.REFUND:
            return Counted(
                self.count, self.amount_fen, self.refunds + 1, self.refunds_fen + fen
            )  # fmt: skip
        sign = 1 if op is Op.PAY else -1
        return Counted(
            self.count + sign, self.amount_fen + sign * fen, self.refunds, self.refunds_fen
        )


NONE = Counted()


def counted(rows: Sequence[tuple[Op, int]], start: Counted = NONE) -> Counted:
    """Return what rows of (op, amount in fen) come to."""
    for op, fen in rows:
        start = start.plus(op, fen)
    return start


def settled(
    totals: Totals, approved: Sequence[tuple[Op, int]], unknown: Sequence[tuple[Op, int]]
) -> tuple[Step | None, ...]:
    """Return what a settlement proves of each unknown payment of its batch, None for nothing."""
    nothing = (None,) * len(unknown)
    if len(unknown) > PROVED_MAX:
        return nothing
    told = Counted(totals.count, totals.amount_fen, totals.refunds, totals.refunds_fen)
    base = counted(approved)
    fits = [choice for choice in range(1 << len(unknown)) if _with(base, unknown, choice) == told]
    if not fits:
        return nothing
    return tuple(_said([bool(choice >> place & 1) for choice in fits])
                 for place in range(len(unknown)))  # fmt: skip


def _with(base: Counted, unknown: Sequence[tuple[Op, int]], choice: int) -> Counted:
    return counted([row for place, row in enumerate(unknown) if choice >> place & 1], base)


def _said(charged: Sequence[bool]) -> Step | None:
    if all(charged):
        return Step.SAY_CHARGED
    return None if any(charged) else Step.SAY_NOT_CHARGED
