"""The running offline budget: reserved before a freeze, freed by the platform's answer.

A share is taken before the store is asked and given back when nothing was issued, so that
even callers in flight together never pass the quota (I12). A red receipt counts as one, its
negative amount as nothing: reversing gives no room.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Connection, case, func, select

from fep.domain.faults import Refused
from fep.domain.life_delivery import RECEIPT_OPS
from fep.domain.link_budget import OfflineBudget, OfflineUse
from fep.store.schema import receipt, upload


def unanswered_q(conn: Connection, tests: Collection[str] = ()) -> tuple[int, int]:
    """Return (count, fen) of live receipts that the platform has not answered yet.

    `tests` are the test units: their receipts have no upload row and are never counted.
    """
    blue_fen = case((receipt.c.amount_fen > 0, receipt.c.amount_fen), else_=0)
    sent = conn.execute(
        select(func.count(), func.coalesce(func.sum(blue_fen), 0))
        .select_from(upload)
        .join(receipt, receipt.c.id == upload.c.receipt_id)
        .where(upload.c.state != "applied")
        .where(upload.c.state.in_(("due", "sent")))
        .where(upload.c.op.in_(RECEIPT_OPS), upload.c.revision == 0)
    ).one()
    frozen = conn.execute(
        select(func.count(), func.coalesce(func.sum(blue_fen), 0)).where(
            receipt.c.state == "frozen", receipt.c.unit.not_in(tests)
        )
    ).one()
    return sent[0] + frozen[0], sent[1] + frozen[1]


class RunningBudget:
    """What is used of the offline budget now; kept for one destination."""

    def __init__(
        self,
        limits: OfflineBudget,
        offline_ms: Callable[[], int],
        count: int,
        amount_fen: int,
        log: Any,
    ) -> None:
        self._ours = limits
        self.limits = limits
        self._offline_ms = offline_ms
        self._count = count
        self._amount_fen = amount_fen
        self._log = log
        self._warned = 0

    # from issue
    def reserve(self, amount_fen: int) -> Refused | None:
        """Take a share, or return why not."""
        counted = max(amount_fen, 0)
        refused = self.limits.verdict(self.use(), counted)
        if refused is None:
            self._count += 1
            self._amount_fen += counted
            self._warn()
        return refused

    def release(self, amount_fen: int) -> None:
        """Give one share back."""
        self._count -= 1
        self._amount_fen -= max(amount_fen, 0)

    # from uplink
    def answered(self, count: int, amount_fen: int) -> None:
        """The platform has answered for receipts: they are not unseen any more."""
        self._count -= count
        self._amount_fen -= amount_fen
        self._warned = min(self._warned, self.limits.warning(self.use()))

    def bind(self, signed: OfflineBudget) -> None:
        """Take the newest limits a platform signed; the tighter of theirs and ours holds."""
        self.limits = self._ours.bound_by(signed)

    # from the status screen
    def use(self) -> OfflineUse:
        """Return what is used."""
        return OfflineUse(self._offline_ms(), max(self._count, 0), max(self._amount_fen, 0))

    def _warn(self) -> None:
        mark = self.limits.warning(self.use())
        if mark > self._warned:
            self._warned = mark
            self._log.warning("offline.budget", used_percent=mark)
