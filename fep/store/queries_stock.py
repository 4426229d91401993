"""Read functions over what is in hand and what waits: numbers, events, link, paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, or_, select

from fep.domain.numbers import BlockState
from fep.store.schema import (
    burn,
    event,
    link_batch,
    link_head,
    link_state,
    number_block,
    print_job,
    receipt,
    upload,
)
from fep.store.schema_forms import form_job

MAX_ROWS = 1000
# Refused events carry no index of their own: only the newest ids are looked at.
REFUSED_SCAN_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Block:
    """A number block as it is told; first and last as integers."""

    id: int
    unit: str
    code: str
    first: int
    last: int
    next: int
    state: str
    source: str
    evidence: str
    granted_at: int
    not_after: int

    @property
    def left(self) -> int:
        """Return how many numbers are still to be given."""
        return self.last - self.next + 1


def blocks_q(conn: Connection, limit: int = MAX_ROWS) -> list[Block]:
    """Return the blocks, those with numbers left first, then the newest."""
    column = number_block.c
    rows = conn.execute(
        select(column.id, column.unit, column.code, column.first, column.last, column.next,
               column.state, column.source, column.evidence, column.granted_at,
               column.not_after)
        .order_by(column.state, column.id.desc()).limit(limit)
    )  # fmt: skip
    return [Block(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Stock:
    """Numbers of one unit and code: how many are left, given, burned."""

    unit: str
    code: str
    left: int
    total: int
    burned: int


def stock_q(conn: Connection, now_ms: int) -> list[Stock]:
    """Return the stock per unit and code; what is past its last moment is not left."""
    column = number_block.c
    given_up: dict[str, int] = dict(
        conn.execute(select(burn.c.code, func.count()).group_by(burn.c.code)).all()
    )
    rows = conn.execute(
        select(
            column.unit,
            column.code,
            func.sum(
                case(
                    (
                        and_(
                            column.state == BlockState.ACTIVE.value,
                            or_(column.not_after == 0, column.not_after >= now_ms),
                        ),
                        column.last - column.next + 1,
                    ),
                    else_=0,
                )
            ),
            func.sum(column.last - column.first + 1),
        )
        .group_by(column.unit, column.code)
        .order_by(column.unit, column.code)
    )
    return [
        Stock(unit, code, left, total, given_up.get(code, 0)) for unit, code, left, total in rows
    ]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that was not issued: it waits, or it was refused."""

    id: int
    unit: str
    caller: str
    key: str
    state: str
    reason: str
    received_at: int


_EVENT = (event.c.id, event.c.unit, event.c.caller, event.c.key, event.c.state,
          event.c.reason, event.c.received_at)  # fmt: skip


def queued_q(conn: Connection, limit: int) -> list[Waiting]:
    """Return events that wait to be issued by themselves, oldest first."""
    rows = conn.execute(
        select(*_EVENT).where(event.c.state == "queued").order_by(event.c.id).limit(limit)
    )
    return [Waiting(*row) for row in rows]


def refused_q(conn: Connection, limit: int) -> list[Waiting]:
    """Return the newest refused events among the newest REFUSED_SCAN_ROWS."""
    newest = conn.execute(select(func.max(event.c.id))).scalar() or 0
    rows = conn.execute(
        select(*_EVENT)
        .where(and_(event.c.id > newest - REFUSED_SCAN_ROWS, event.c.state == "refused"))
        .order_by(event.c.id.desc())
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


def queued_count_q(conn: Connection) -> int:
    """Return how many events wait."""
    return (
        conn.execute(
            select(func.count()).select_from(event).where(event.c.state == "queued")
        ).scalar()
        or 0
    )


def frozen_count_q(conn: Connection) -> int:
    """Return how many receipts wait for their signature."""
    return (
        conn.execute(
            select(func.count()).select_from(receipt).where(receipt.c.state == "frozen")
        ).scalar()
        or 0
    )


@dataclass(frozen=True, slots=True)
class LinkRow:
    """What the store knows about one destination."""

    dest: str
    state: str
    reason: str
    since_at: int
    last_heard_at: int
    offline_ms: int
    epoch: int
    backlog: int
    oldest_due_at: int
    unacked_batches: int
    rejected: int


def links_q(conn: Connection, dests: Sequence[str] = ()) -> list[LinkRow]:
    """Return every destination that is configured or was ever heard of."""
    column = link_state.c
    rows = {
        row.dest: row
        for row in conn.execute(
            select(column.dest, column.state, column.reason, column.since_at,
                   column.last_heard_at, column.offline_ms)
        )
    }  # fmt: skip
    names = list(dict.fromkeys([*dests, *rows]))
    return [_link(conn, name, rows.get(name)) for name in names]


def _link(conn: Connection, dest: str, row: Row[*tuple[Any, ...]] | None) -> LinkRow:
    counts: dict[str, int] = dict(
        conn.execute(
            select(upload.c.state, func.count())
            .where(and_(upload.c.dest == dest, upload.c.state != "applied"))
            .group_by(upload.c.state)
        ).all()
    )
    first = [_first_upload(conn, dest, state) for state in ("due", "sent")]
    oldest = conn.execute(
        select(func.min(receipt.c.issued_at)).where(receipt.c.id.in_(first))
    ).scalar()
    batches = conn.execute(
        select(func.count())
        .select_from(link_batch)
        .where(and_(link_batch.c.dest == dest, link_batch.c.state != "acked"))
    ).scalar()
    epoch = conn.execute(
        select(func.max(link_head.c.epoch)).where(link_head.c.dest == dest)
    ).scalar()
    refused = counts.get("rejected", 0) + counts.get("conflict", 0)
    return LinkRow(
        dest=dest,
        state=row.state if row else "unknown",
        reason=row.reason if row else "",
        since_at=row.since_at if row else 0,
        last_heard_at=row.last_heard_at if row else 0,
        offline_ms=row.offline_ms if row else 0,
        epoch=epoch or 0,
        backlog=counts.get("due", 0) + counts.get("sent", 0),
        oldest_due_at=oldest or 0,
        unacked_batches=batches or 0,
        rejected=refused,
    )


def _first_upload(conn: Connection, dest: str, state: str) -> int:
    """Return the receipt of the oldest delivery in a state, 0 when there is none."""
    found = conn.execute(
        select(upload.c.receipt_id)
        .where(and_(upload.c.dest == dest, upload.c.state != "applied", upload.c.state == state))
        .order_by(upload.c.id)
        .limit(1)
    ).scalar()
    return found or 0


@dataclass(frozen=True, slots=True)
class OpenPrint:
    """A print job that is not done: due, streaming or uncertain."""

    id: int
    code: str
    number: str
    device_group: str
    device: str
    copy: int
    state: str
    reason: str
    updated_at: int

    @property
    def ref(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


def prints_q(conn: Connection, state: str, limit: int) -> list[OpenPrint]:
    """Return print jobs of one open state, oldest first."""
    job = print_job.c
    rows = conn.execute(
        select(job.id, receipt.c.code, receipt.c.number, job.device_group, job.device,
               job.copy, job.state, job.reason, job.updated_at)
        .join(receipt, receipt.c.id == job.receipt_id)
        .where(job.state == state).order_by(job.id).limit(limit)
    )  # fmt: skip
    return [OpenPrint(*row) for row in rows]


def print_counts_q(conn: Connection) -> dict[str, int]:
    """Return how many print jobs, forms among them, are due, streaming and uncertain."""
    found: dict[str, int] = {}
    for state in ("due", "streaming", "uncertain"):
        found[state] = sum(
            conn.execute(
                select(func.count()).select_from(table).where(table.c.state == state)
            ).scalar()
            or 0
            for table in (print_job, form_job)
        )
    return found
