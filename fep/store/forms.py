"""Form jobs and their attempts (套打).

Rules: every change of state goes through `fep.domain.form.decide`; a sheet has one job for
good; an attempt is in the store before its first byte leaves; what people say is journalled.
Times are integer ms since the epoch, taken from the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from fep.domain.faults import refuse
from fep.domain.form import (
    AT_PRINTER,
    OPEN,
    STEP_OF,
    FormState,
    FormStep,
    compare,
    decide,
    fresh,
    two_people,
)
from fep.domain.printing import FIRST_COPY, Outcome, PrintResult
from fep.store import schema_forms
from fep.store.printing import fence_id
from fep.store.tx import Tx

_JOB = schema_forms.form_job
_ATTEMPT = schema_forms.form_attempt
_OPEN = tuple(state.value for state in OPEN)
_AT_PRINTER = tuple(state.value for state in AT_PRINTER)


@dataclass(frozen=True, slots=True)
class FormJob:
    """A receipt that is to be printed on one sheet; `device` is that of its confirmation."""

    id: int
    receipt_id: int
    unit: str
    point: str
    device_group: str
    device: str
    form: str
    sheet: str
    state: FormState
    reason: str
    attempts: int
    confirmed_at: int
    confirmed_by: str
    created_at: int
    updated_at: int

    @property
    def copy(self) -> int:
        """Return the copy number: a sheet is an original."""
        return FIRST_COPY


@dataclass(frozen=True, slots=True)
class FormAttempt:
    """One try at a form job."""

    id: int
    job_id: int
    attempt: int
    device: str
    started_at: int

    @property
    def fence_id(self) -> str:
        """Return the mark of this attempt, for drivers that want one."""
        return fence_id(self.id)


@dataclass(frozen=True, slots=True)
class FormWish:
    """What is to be printed where."""

    receipt_id: int
    unit: str
    point: str
    device_group: str
    form: str
    sheet: str


def add_txn(tx: Tx, wish: FormWish, who: str) -> FormJob:
    """Bind a receipt's form to its sheet; it waits until the sheet is confirmed."""
    job = FormJob(
        tx.next_id("form_job"), wish.receipt_id, wish.unit, wish.point, wish.device_group, "",
        wish.form, wish.sheet, FormState.WAITING, "FRM_CONFIRM", 0, 0, "", tx.now_ms, tx.now_ms,
    )  # fmt: skip
    tx.conn.execute(
        insert(_JOB).values(
            {name: getattr(job, name) for name in FormJob.__dataclass_fields__}
            | {"state": job.state.value}
        )
    )
    tx.journal("form.queued", str(job.id), {
        "form": wish.form, "point": wish.point, "receipt": wish.receipt_id,
        "sheet": wish.sheet, "unit": wish.unit, "who": who,
    })  # fmt: skip
    return job


def confirm_txn(tx: Tx, job_id: int, given: str, device: str, who: str) -> FormJob:
    """Take the number a person read on the sheet in the tractor of `device`.

    Raises Refused FRM_JOB_NONE, FRM_JOB_STATE, FRM_SHEET_MISMATCH, FRM_OPEN.
    """
    job = need(tx.conn, job_id)
    state = decide(job.state, FormStep.CONFIRM, job.id)
    compare(given, job.sheet)
    other = tx.conn.execute(
        select(_JOB.c.id, _JOB.c.sheet)
        .where(and_(_JOB.c.state.in_(_AT_PRINTER), _JOB.c.device == device, _JOB.c.id != job_id))
        .limit(1)
    ).first()
    if other is not None:
        raise refuse("FRM_OPEN", job=other.id, sheet=other.sheet)
    _set(tx, job_id, state=state.value, device=device, reason="", confirmed_at=tx.now_ms,
         confirmed_by=who[:80])  # fmt: skip
    tx.journal("form.confirmed", str(job_id), {
        "device": device, "given": given[:40], "sheet": job.sheet, "who": who,
    })  # fmt: skip
    return need(tx.conn, job_id)


def begin_txn(tx: Tx, job_id: int, device: str) -> FormAttempt | None:
    """Begin a confirmed job; None when it is not, or was confirmed too long ago."""
    job = need(tx.conn, job_id)
    if job.state is not FormState.CONFIRMED or job.device != device:
        return None
    if not fresh(job.confirmed_at, tx.now_ms):
        state = decide(job.state, FormStep.EXPIRE, job_id)
        _set(tx, job_id, state=state.value, reason="FRM_CONFIRM_OLD")
        return None
    state = decide(job.state, FormStep.BEGIN, job_id)
    _set(tx, job_id, state=state.value, attempts=job.attempts + 1)
    attempt = FormAttempt(tx.next_id("form_attempt"), job_id, job.attempts + 1, device, tx.now_ms)
    tx.conn.execute(
        insert(_ATTEMPT).values(
            id=attempt.id, job_id=job_id, attempt=attempt.attempt, device=device,
            started_at=tx.now_ms, ended_at=0, outcome="", detail="",
        )
    )  # fmt: skip
    return attempt


def end_txn(tx: Tx, attempt: FormAttempt, result: PrintResult) -> FormJob:
    """Store what became of an attempt; returns the job as it is now."""
    job = need(tx.conn, attempt.job_id)
    state = decide(job.state, STEP_OF[result.outcome], job.id)
    tx.conn.execute(
        update(_ATTEMPT)
        .where(_ATTEMPT.c.id == attempt.id)
        .values(ended_at=tx.now_ms, outcome=result.outcome.value,
                detail=f"{result.fault} {result.detail}".strip())
    )  # fmt: skip
    _set(tx, job.id, state=state.value, reason=result.fault)
    if state is FormState.UNCERTAIN:
        _uncertain(tx, job, result.fault)
    return need(tx.conn, job.id)


def recover_txn(tx: Tx) -> tuple[FormJob, ...]:
    """Make every job that was streaming when the daemon ended uncertain; at start only."""
    rows = tx.conn.execute(select(_JOB).where(_JOB.c.state == FormState.STREAMING.value)).all()
    for row in rows:
        job = _job(row)
        state = decide(job.state, FormStep.RESTART, job.id)
        _set(tx, job.id, state=state.value, reason="PRN_UNCERTAIN")
        tx.conn.execute(
            update(_ATTEMPT)
            .where(_ATTEMPT.c.job_id == job.id, _ATTEMPT.c.ended_at == 0)
            .values(ended_at=tx.now_ms, outcome=Outcome.UNCERTAIN.value,
                    detail="PRN_UNCERTAIN found streaming at start")
        )  # fmt: skip
        _uncertain(tx, job, "PRN_UNCERTAIN")
    return tuple(need(tx.conn, row.id) for row in rows)


def printed_txn(tx: Tx, job_id: int, reason: str, who: str) -> FormJob:
    """Take a person's word that the sheet is printed as a whole. Raises Refused FRM_*."""
    return _settle(tx, need(tx.conn, job_id), FormStep.SAY_PRINTED, reason, who, ())


def spoil_txn(tx: Tx, job_id: int, reason: str, who: str, approved: Sequence[str]) -> FormJob:
    """Give the sheet of a job up; the caller voids it. Raises Refused FRM_*."""
    job = need(tx.conn, job_id)
    names = two_people(job.state, approved)
    return _settle(tx, job, FormStep.SPOIL, reason, who, names)


def voided_txn(tx: Tx, sheet: str, reason: str, who: str) -> None:
    """End the job of a sheet that is voided another way.

    Raises Refused FRM_OPEN while ink may be on its way to it.
    """
    job = of_sheet_q(tx.conn, sheet)
    if job is None or job.state is FormState.SPOILED:
        return
    if job.state in AT_PRINTER:
        raise refuse("FRM_OPEN", job=job.id, sheet=sheet)
    _settle(tx, job, FormStep.SPOIL, reason, who, ())


def _settle(tx: Tx, job: FormJob, step: FormStep, reason: str, who: str,
            approved: Sequence[str]) -> FormJob:  # fmt: skip
    state = decide(job.state, step, job.id)
    _set(tx, job.id, state=state.value, reason=reason[:200])
    tx.journal(f"form.{state.value}", str(job.id), {
        "approved": list(approved), "reason": reason, "receipt": job.receipt_id,
        "sheet": job.sheet, "was": job.state.value, "who": who,
    })  # fmt: skip
    return need(tx.conn, job.id)


def job_q(conn: Connection, job_id: int) -> FormJob | None:
    """Return one job."""
    row = conn.execute(select(_JOB).where(_JOB.c.id == job_id)).first()
    return None if row is None else _job(row)


def need(conn: Connection, job_id: int) -> FormJob:
    """Return one job. Raises Refused FRM_JOB_NONE."""
    job = job_q(conn, job_id)
    if job is None:
        raise refuse("FRM_JOB_NONE", job=job_id)
    return job


def of_sheet_q(conn: Connection, sheet: str) -> FormJob | None:
    """Return the job of a sheet."""
    row = conn.execute(select(_JOB).where(_JOB.c.sheet == sheet)).first()
    return None if row is None else _job(row)


def open_q(conn: Connection, limit: int = 100, unit: str = "") -> tuple[FormJob, ...]:
    """Return the oldest jobs that wait for a person or for their printer."""
    narrowed = select(_JOB).where(_JOB.c.state.in_(_OPEN))
    if unit:
        narrowed = narrowed.where(_JOB.c.unit == unit)
    return tuple(_job(row) for row in conn.execute(narrowed.order_by(_JOB.c.id).limit(limit)))


def unknown_q(conn: Connection, limit: int, *, live: bool = True) -> tuple[FormJob, ...]:
    """Return the oldest jobs whose sheet nobody knows about.

    What was streaming when the daemon ended is one of them, its next start will say so.
    """
    states = [FormState.UNCERTAIN.value] + [FormState.STREAMING.value] * (not live)
    rows = conn.execute(
        select(_JOB).where(_JOB.c.state.in_(states)).order_by(_JOB.c.id).limit(limit)
    )
    return tuple(_job(row) for row in rows)


class FormQueue:
    """The jobs of one form printer, as its loop asks for them."""

    def __init__(self, device: str) -> None:
        self._device = device

    begin_txn = staticmethod(begin_txn)
    end_txn = staticmethod(end_txn)

    def next_due_q(self, conn: Connection, _group: str, _now_ms: int) -> FormJob | None:
        """Return the job whose sheet was confirmed in this printer."""
        row = conn.execute(
            select(_JOB)
            .where(and_(_JOB.c.state == FormState.CONFIRMED.value, _JOB.c.device == self._device))
            .order_by(_JOB.c.id)
            .limit(1)
        ).first()
        return None if row is None else _job(row)

    def next_wake_q(self, conn: Connection, group: str) -> int | None:
        """Return None: a form job is due when it is confirmed, never by itself."""
        return None

    def queue_length_q(self, conn: Connection, group: str) -> int:
        """Return how many jobs of the group wait for a person or a printer."""
        waiting = (FormState.WAITING.value, FormState.CONFIRMED.value)
        return int(
            conn.execute(
                select(func.count())
                .select_from(_JOB)
                .where(and_(_JOB.c.state.in_(waiting), _JOB.c.device_group == group))
            ).scalar_one()
        )


def _uncertain(tx: Tx, job: FormJob, fault: str) -> None:
    tx.journal("form.uncertain", str(job.id), {
        "device": job.device, "fault": fault, "receipt": job.receipt_id, "sheet": job.sheet,
    })  # fmt: skip


def _set(tx: Tx, job_id: int, **values: object) -> None:
    tx.conn.execute(update(_JOB).where(_JOB.c.id == job_id).values(updated_at=tx.now_ms, **values))


def _job(row: Row[tuple[object, ...]]) -> FormJob:
    values = dict(row._mapping)
    return FormJob(**{**values, "state": FormState(values["state"])})
