"""Print jobs and their attempts.

Rules: every change of state goes through `fep.domain.printing.decide`; an attempt is in the
store before its first byte leaves; a person's word and every uncertain paper are journalled
(I10). Times are integer ms since the epoch, taken from the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from fep.domain.faults import Refused, refuse
from fep.domain.printing import (
    FIRST_COPY,
    JOB_WORDS,
    RETRY_SLIP_AFTER_S,
    Again,
    IllegalStep,
    JobFacts,
    JobState,
    NewCopy,
    Outcome,
    PrintResult,
    Step,
    decide,
)
from fep.store import schema
from fep.store.tx import Tx

PAUSE_MAX_MS = int(max(RETRY_SLIP_AFTER_S) * 1000)
_JOB = schema.print_job
_ATTEMPT = schema.print_attempt
# What every sheet asks, composed once.
_ONE_JOB = select(_JOB).where(_JOB.c.id == bindparam("job_id"))
_NEXT_DUE = (
    select(_JOB)
    .where(
        _JOB.c.state == JobState.DUE.value,
        _JOB.c.device_group == bindparam("device_group"),
        or_(_JOB.c.next_at <= bindparam("now"), _JOB.c.next_at > bindparam("late")),
    )
    .order_by(_JOB.c.id)
    .limit(1)
)
_NEXT_WAKE = select(func.min(_JOB.c.next_at)).where(
    _JOB.c.state == JobState.DUE.value, _JOB.c.device_group == bindparam("device_group")
)
_GROUPS = (
    select(_JOB.c.device_group)
    .where(_JOB.c.id.between(bindparam("first"), bindparam("last")))
    .distinct()
)
_ADD_JOB = (
    "INSERT INTO print_job (id, receipt_id, device_group, kind_of_sheet, copy, state, created_at,"
    " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_BEGIN_JOB = "UPDATE print_job SET state = ?, device = ?, attempts = ?, updated_at = ? WHERE id = ?"
_BEGIN_ATTEMPT = (
    "INSERT INTO print_attempt (id, job_id, attempt, device, state, fence_id, started_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_END_ATTEMPT = (
    "UPDATE print_attempt SET state = ?, outcome = ?, ended_at = ?, first_byte_at = ?, detail = ?"
    " WHERE id = ?"
)
_END_JOB = "UPDATE print_job SET state = ?, reason = ?, next_at = ?, updated_at = ? WHERE id = ?"
_FENCE_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STEP = {
    Outcome.PRINTED: Step.PRINTED,
    Outcome.ACCEPTED: Step.ACCEPTED,
    Outcome.NOT_PRINTED: Step.NOT_PRINTED,
    Outcome.UNCERTAIN: Step.UNCERTAIN,
}


@dataclass(frozen=True, slots=True)
class Job:
    """One sheet that is to come out once."""

    id: int
    receipt_id: int
    device_group: str
    device: str
    kind_of_sheet: str
    copy: int
    state: JobState
    reason: str
    attempts: int
    created_at: int
    updated_at: int
    next_at: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one device at one job."""

    id: int
    job_id: int
    attempt: int
    device: str
    state: JobState
    fence_id: str
    started_at: int
    first_byte_at: int
    ended_at: int
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person's word led to; `reprint` is the new job, if there is one."""

    job: Job
    reprint: Job | None


def add_job_txn(tx: Tx, receipt_id: int, device_group: str, copy: int = FIRST_COPY) -> Job:
    """Queue a sheet of a receipt for a group of devices."""
    job = Job(
        tx.next_id("print_job"), receipt_id, device_group, "", "slip", copy, JobState.DUE,
        "", 0, tx.now_ms, tx.now_ms, 0,
    )  # fmt: skip
    tx.cursor.execute(
        _ADD_JOB,
        (job.id, receipt_id, device_group, job.kind_of_sheet, copy, job.state.value, tx.now_ms,
         tx.now_ms),
    )  # fmt: skip
    return job


def begin_txn(tx: Tx, job_id: int, device: str) -> Attempt | None:
    """Take a due job for `device`; None when another device of the group was faster."""
    job = _need(tx.conn, job_id)
    if job.state is not JobState.DUE:
        return None
    state, _ = decide(job.state, Step.BEGIN, JobFacts(job.attempts, job.copy))
    tx.cursor.execute(_BEGIN_JOB, (state.value, device, job.attempts + 1, tx.now_ms, job_id))
    id_ = tx.next_id("print_attempt")
    attempt = Attempt(
        id_, job_id, job.attempts + 1, device, state, fence_id(id_), tx.now_ms, 0, 0, "", ""
    )
    tx.cursor.execute(
        _BEGIN_ATTEMPT,
        (id_, job_id, attempt.attempt, device, state.value, attempt.fence_id, tx.now_ms),
    )
    return attempt


def end_txn(tx: Tx, attempt: Attempt, result: PrintResult) -> Job:
    """Store what became of an attempt; returns the job as it is now."""
    job = _need(tx.conn, attempt.job_id)
    facts = JobFacts(job.attempts, job.copy, result.fault)
    state, effects = decide(job.state, _STEP[result.outcome], facts)
    next_at = 0
    for effect in effects:
        if isinstance(effect, Again):
            next_at = tx.now_ms + int(effect.after_s * 1000)
    moved = result.outcome is not Outcome.NOT_PRINTED
    tx.cursor.execute(
        _END_ATTEMPT,
        (state.value, result.outcome.value, tx.now_ms, attempt.started_at if moved else 0,
         f"{result.fault} {result.detail}".strip(), attempt.id),
    )  # fmt: skip
    tx.cursor.execute(_END_JOB, (state.value, result.fault, next_at, tx.now_ms, job.id))
    if state is JobState.UNCERTAIN:
        tx.journal("print.uncertain", str(job.id), _body(job, attempt.device, result.fault))
    return replace(job, state=state, reason=result.fault, next_at=next_at, updated_at=tx.now_ms)


def recover_txn(tx: Tx) -> tuple[Job, ...]:
    """Make every job that was streaming when the daemon ended uncertain; at start only."""
    rows = tx.conn.execute(
        select(_JOB).where(_JOB.c.state == JobState.STREAMING.value).order_by(_JOB.c.id)
    ).all()
    for row in rows:
        job = _job(row)
        state, _ = decide(job.state, Step.RESTART, JobFacts(job.attempts, job.copy))
        _set(tx, job.id, state=state.value, reason="PRN_UNCERTAIN")
        tx.conn.execute(
            update(_ATTEMPT)
            .where(_ATTEMPT.c.job_id == job.id, _ATTEMPT.c.ended_at == 0)
            .values(
                state=state.value, outcome=Outcome.UNCERTAIN.value, ended_at=tx.now_ms,
                detail="PRN_UNCERTAIN found streaming at start",
            )
        )  # fmt: skip
        tx.journal("print.uncertain", str(job.id), _body(job, job.device, "PRN_UNCERTAIN"))
    return tuple(_need(tx.conn, row.id) for row in rows)


def resolve_txn(tx: Tx, job_id: int, verdict: str, reason: str, who: str) -> Resolution:
    """Take a person's word: `printed`, or `reprint` (a new job with the next copy number).

    Raises Refused: PRN_JOB_NONE, PRN_JOB_STATE.
    """
    job = _need(tx.conn, job_id)
    step = Step.REPRINT if verdict == "reprint" else Step.SAY_PRINTED
    highest = tx.conn.execute(
        select(func.max(_JOB.c.copy)).where(_JOB.c.receipt_id == job.receipt_id)
    ).scalar_one()
    try:
        state, effects = decide(job.state, step, JobFacts(job.attempts, highest))
    except IllegalStep as error:
        raise _not_so(job) from error
    _set(tx, job_id, state=state.value, reason=reason[:200])
    reprint = None
    for effect in effects:
        if isinstance(effect, NewCopy):
            reprint = add_job_txn(tx, job.receipt_id, job.device_group, effect.copy)
    tx.journal(
        "print.resolved",
        str(job_id),
        {
            "receipt": job.receipt_id, "verdict": verdict, "reason": reason, "who": who,
            "was": job.state.value, "reprint": reprint.id if reprint else 0,
        },
    )  # fmt: skip
    return Resolution(_need(tx.conn, job_id), reprint)


def request_txn(tx: Tx, receipt_id: int, device_group: str, reason: str, who: str) -> Job:
    """Print a receipt on a person's wish: its first paper, or the next copy (补打)."""
    highest = tx.conn.execute(
        select(func.max(_JOB.c.copy)).where(_JOB.c.receipt_id == receipt_id)
    ).scalar()
    copy = FIRST_COPY if highest is None else highest + 1
    job = add_job_txn(tx, receipt_id, device_group, copy)
    tx.journal(
        "print.requested",
        str(job.id),
        {
            "receipt": receipt_id, "copy": copy, "reason": reason, "who": who,
            "reprint": job.id if copy > FIRST_COPY else 0,
        },
    )  # fmt: skip
    return job


def cancel_txn(tx: Tx, job_id: int, reason: str, who: str) -> Job:
    """Give up a job that has not been printed. Raises Refused PRN_JOB_STATE."""
    job = _need(tx.conn, job_id)
    try:
        state, _ = decide(job.state, Step.CANCEL, JobFacts(job.attempts, job.copy))
    except IllegalStep as error:
        raise _not_so(job) from error
    _set(tx, job_id, state=state.value, reason=reason[:200])
    tx.journal("print.cancelled", str(job_id), {"reason": reason, "who": who})
    return _need(tx.conn, job_id)


def next_due_q(conn: Connection, device_group: str, now_ms: int) -> Job | None:
    """Return the oldest job of the group that may be tried now.

    One that would have to wait longer than any pause lasts is due: the clock was set back.
    """
    asked = {"device_group": device_group, "now": now_ms, "late": now_ms + PAUSE_MAX_MS}
    row = conn.execute(_NEXT_DUE, asked).first()
    return None if row is None else _job(row)


def next_wake_q(conn: Connection, device_group: str) -> int | None:
    """Return when the earliest due job of the group may be tried, in ms; None for no job."""
    found = conn.execute(_NEXT_WAKE, {"device_group": device_group}).scalar()
    return None if found is None else int(found)


def groups_q(conn: Connection, first: int, last: int) -> tuple[str, ...]:
    """Return the groups that jobs `first` to `last` are for."""
    return tuple(conn.execute(_GROUPS, {"first": first, "last": last}).scalars())


def queue_length_q(conn: Connection, device_group: str) -> int:
    """Return how many jobs of the group wait for a device."""
    return int(
        conn.execute(
            select(func.count())
            .select_from(_JOB)
            .where(_JOB.c.state == JobState.DUE.value, _JOB.c.device_group == device_group)
        ).scalar_one()
    )


def uncertain_q(conn: Connection, limit: int = 100) -> tuple[Job, ...]:
    """Return the oldest jobs that wait for a person's word."""
    rows = conn.execute(
        select(_JOB)
        .where(_JOB.c.state == JobState.UNCERTAIN.value)
        .order_by(_JOB.c.id)
        .limit(limit)
    )
    return tuple(_job(row) for row in rows)


def due_q(conn: Connection, limit: int = 100) -> tuple[Job, ...]:
    """Return the oldest jobs that wait for a device."""
    rows = conn.execute(
        select(_JOB).where(_JOB.c.state == JobState.DUE.value).order_by(_JOB.c.id).limit(limit)
    )
    return tuple(_job(row) for row in rows)


def job_q(conn: Connection, job_id: int) -> Job | None:
    """Return one job."""
    row = conn.execute(_ONE_JOB, {"job_id": job_id}).first()
    return None if row is None else _job(row)


def jobs_of_q(conn: Connection, receipt_id: int) -> tuple[Job, ...]:
    """Return all jobs of a receipt, first copy first."""
    rows = conn.execute(select(_JOB).where(_JOB.c.receipt_id == receipt_id).order_by(_JOB.c.id))
    return tuple(_job(row) for row in rows)


def attempts_q(conn: Connection, job_id: int) -> tuple[Attempt, ...]:
    """Return the attempts of a job in order."""
    rows = conn.execute(
        select(_ATTEMPT).where(_ATTEMPT.c.job_id == job_id).order_by(_ATTEMPT.c.attempt)
    )
    return tuple(_attempt(row) for row in rows)


def fence_id(attempt_id: int) -> str:
    """Return the four characters a device gives back when this attempt is on paper.

    Unique for 1.6 million attempts in a row, far more than any buffer remembers.
    """
    text = ""
    for _ in range(4):
        attempt_id, digit = divmod(attempt_id, 36)
        text = _FENCE_DIGITS[digit] + text
    return text


def _not_so(job: Job) -> Refused:
    return refuse("PRN_JOB_STATE", state=job.state.value, state_zh=JOB_WORDS[job.state], job=job.id)


def _need(conn: Connection, job_id: int) -> Job:
    job = job_q(conn, job_id)
    if job is None:
        raise refuse("PRN_JOB_NONE", job=job_id)
    return job


def _set(tx: Tx, job_id: int, **values: object) -> None:
    tx.conn.execute(update(_JOB).where(_JOB.c.id == job_id).values(updated_at=tx.now_ms, **values))


def _body(job: Job, device: str, fault: str) -> dict[str, object]:
    return {"receipt": job.receipt_id, "device": device, "copy": job.copy, "fault": fault}


def _job(row: Row[tuple[object, ...]]) -> Job:
    values: list[Any] = list(row)  # in the order of the fields, as the table has them
    values[6] = JobState(values[6])
    return Job(*values)


def _attempt(row: Row[tuple[object, ...]]) -> Attempt:
    values = dict(row._mapping)
    return Attempt(**{**values, "state": JobState(values["state"])})
