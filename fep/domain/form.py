"""The life of a form job (套打任务): one receipt on one numbered sheet, told by people.

Rules: nothing is printed before somebody compared the sheet in the tractor with the job's; a
job is bound to its sheet for good, so a number is never printed on twice; an attempt that may
have left ink is never repeated. What happened to a sheet whose outcome is unknown takes a
person's word, giving it up takes two. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from fep.domain.faults import refuse
from fep.domain.printing import Outcome

# A sheet that was compared longer ago may have been changed since.
CONFIRM_HOLDS_S = 120


class FormState(StrEnum):
    """Where a form job is."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    STREAMING = "streaming"
    ACCEPTED = "accepted"
    UNCERTAIN = "uncertain"
    PRINTED = "printed"
    SPOILED = "spoiled"


FORM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        FormState.WAITING: "待核对", FormState.CONFIRMED: "已核对",
        FormState.STREAMING: "打印中", FormState.ACCEPTED: "已送出",
        FormState.UNCERTAIN: "结果不明", FormState.PRINTED: "已打印", FormState.SPOILED: "已作废",
    }
)  # fmt: skip


class FormStep(StrEnum):
    """What happens to a form job, and who says so."""

    # from a person at the printer
    CONFIRM = "confirm"
    SAY_PRINTED = "say_printed"
    SPOIL = "spoil"
    # from the spool
    BEGIN = "begin"
    EXPIRE = "expire"
    RESTART = "restart"
    # from the driver
    ACCEPTED = "accepted"
    NOT_PRINTED = "not_printed"
    UNCERTAIN = "uncertain"


_S, _T = FormState, FormStep
FORM_TABLE: Mapping[tuple[FormState, FormStep], FormState] = MappingProxyType(
    {
        (_S.WAITING, _T.CONFIRM): _S.CONFIRMED,
        (_S.WAITING, _T.SPOIL): _S.SPOILED,
        (_S.CONFIRMED, _T.CONFIRM): _S.CONFIRMED,
        (_S.CONFIRMED, _T.BEGIN): _S.STREAMING,
        (_S.CONFIRMED, _T.EXPIRE): _S.WAITING,
        (_S.CONFIRMED, _T.SPOIL): _S.SPOILED,
        (_S.STREAMING, _T.ACCEPTED): _S.ACCEPTED,
        (_S.STREAMING, _T.NOT_PRINTED): _S.WAITING,
        (_S.STREAMING, _T.UNCERTAIN): _S.UNCERTAIN,
        (_S.STREAMING, _T.RESTART): _S.UNCERTAIN,
        (_S.UNCERTAIN, _T.SAY_PRINTED): _S.PRINTED,
        (_S.UNCERTAIN, _T.SPOIL): _S.SPOILED,
        (_S.ACCEPTED, _T.SAY_PRINTED): _S.PRINTED,
        (_S.ACCEPTED, _T.SPOIL): _S.SPOILED,
        (_S.PRINTED, _T.SPOIL): _S.SPOILED,
    }
)
# Paper cannot prove itself: what a device calls printed still waits for a person's look.
STEP_OF: Mapping[Outcome, FormStep] = MappingProxyType(
    {
        Outcome.PRINTED: FormStep.ACCEPTED,
        Outcome.ACCEPTED: FormStep.ACCEPTED,
        Outcome.NOT_PRINTED: FormStep.NOT_PRINTED,
        Outcome.UNCERTAIN: FormStep.UNCERTAIN,
    }
)
# A job in one of these may have, or is about to put, ink on the sheet in the tractor.
AT_PRINTER = (FormState.CONFIRMED, FormState.STREAMING, FormState.UNCERTAIN)
OPEN = (FormState.WAITING, *AT_PRINTER, FormState.ACCEPTED)


def decide(state: FormState, step: FormStep, job: int) -> FormState:
    """Return the next state. Raises Refused FRM_JOB_STATE."""
    after = FORM_TABLE.get((state, step))
    if after is None:
        raise refuse("FRM_JOB_STATE", job=job, state=state.value, state_zh=FORM_WORDS[state])
    return after


def compare(given: str, sheet: str) -> None:
    """Compare what a person read on the paper with the sheet of the job, CODE-NUMBER.

    The number alone will do; its zeros belong to it. Raises Refused FRM_SHEET_MISMATCH.
    """
    shown = given.strip()
    if shown not in (sheet, sheet.partition("-")[2]):
        raise refuse("FRM_SHEET_MISMATCH", given=shown[:40], sheet=sheet)


def two_people(state: FormState, approved: Sequence[str]) -> tuple[str, ...]:
    """Return who approve that a sheet is given up. Raises Refused FRM_TWO.

    Two different people where nobody knows what is on the sheet, else nobody beside who asks.
    """
    names = tuple(dict.fromkeys(" ".join(name.split())[:50] for name in approved if name.strip()))
    if state is FormState.UNCERTAIN and len(names) < 2:
        raise refuse("FRM_TWO")
    return names


def fresh(confirmed_ms: int, now_ms: int) -> bool:
    """Say whether a sheet compared at `confirmed_ms` still counts as compared."""
    return abs(now_ms - confirmed_ms) <= CONFIRM_HOLDS_S * 1000
