"""Read functions over slips that wait for a printer.

Rules: only jobs that are due, oldest first, which is the index of due jobs; form jobs wait for
a person and stand elsewhere (fep.store.queries_sheets).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fep.domain.printing import JobState
from fep.store.schema import print_job, receipt

_JOB = print_job.c


@dataclass(frozen=True, slots=True)
class Waiting:
    """A slip that is not on paper yet. `reason` is the code of its last attempt; times are ms."""

    id: int
    code: str
    number: str
    device_group: str
    device: str
    copy: int
    attempts: int
    reason: str
    created_at: int
    next_at: int

    @property
    def ref(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


@dataclass(frozen=True, slots=True)
class Held:
    """How many slips have waited too long; `reason` is what keeps the oldest, "" for none."""

    count: int
    group: str
    reason: str
    since: int


def waiting_q(conn: Connection, limit: int) -> list[Waiting]:
    """Return the slips that wait, oldest first."""
    rows = conn.execute(
        select(_JOB.id, receipt.c.code, receipt.c.number, _JOB.device_group, _JOB.device,
               _JOB.copy, _JOB.attempts, _JOB.reason, _JOB.created_at, _JOB.next_at)
        .join(receipt, receipt.c.id == _JOB.receipt_id)
        .where(_JOB.state == JobState.DUE.value).order_by(_JOB.id).limit(limit)
    )  # fmt: skip
    return [Waiting(*tuple(row)) for row in rows]


def held_q(conn: Connection, before_ms: int) -> Held | None:
    """Return what was queued before a moment and still waits, None for nothing."""
    late = (_JOB.state == JobState.DUE.value, _JOB.created_at < before_ms)
    count = conn.execute(select(func.count()).select_from(print_job).where(*late)).scalar_one()
    first = conn.execute(
        select(_JOB.device_group, _JOB.reason, _JOB.created_at)
        .where(*late).order_by(_JOB.id).limit(1)
    ).first()  # fmt: skip
    return None if first is None else Held(count, *first)
