"""The life of a form job: what a step leads to, and what a person must say."""

from __future__ import annotations

import pytest

from fep.domain.faults import Refused
from fep.domain.form import (
    AT_PRINTER,
    CONFIRM_HOLDS_S,
    FORM_TABLE,
    OPEN,
    STEP_OF,
    FormState,
    FormStep,
    compare,
    decide,
    fresh,
    two_people,
)
from fep.domain.printing import Outcome


def test_nothing_leads_back_to_the_printer_once_ink_may_have_flowed():
    reached = {after for (state, _step), after in FORM_TABLE.items() if state in _INKED}

    assert reached <= {FormState.PRINTED, FormState.SPOILED}


_INKED = (FormState.ACCEPTED, FormState.UNCERTAIN, FormState.PRINTED, FormState.SPOILED)


def test_only_a_confirmed_job_is_begun():
    assert [FormState.CONFIRMED] == [
        state for (state, step) in FORM_TABLE if step is FormStep.BEGIN
    ]


def test_no_outcome_of_a_device_is_called_printed():
    reached = {decide(FormState.STREAMING, STEP_OF[outcome], 1) for outcome in Outcome}

    assert {FormState.ACCEPTED, FormState.WAITING, FormState.UNCERTAIN} == reached


def test_a_step_that_is_not_in_the_table_is_refused():
    with pytest.raises(Refused, match="FRM_JOB_STATE"):
        decide(FormState.SPOILED, FormStep.CONFIRM, 1)


def test_the_number_is_compared_with_its_zeros():
    compare(" 0012 ", "042126-0012")
    compare("042126-0012", "042126-0012")
    for given in ("12", "042126-12", "0013", ""):
        with pytest.raises(Refused, match="FRM_SHEET_MISMATCH"):
            compare(given, "042126-0012")


def test_two_different_people_give_up_a_sheet_nobody_knows_about():
    assert ("王", "李") == two_people(FormState.UNCERTAIN, ["王", " 李 ", "王"])
    assert () == two_people(FormState.ACCEPTED, [" "])
    with pytest.raises(Refused, match="FRM_TWO"):
        two_people(FormState.UNCERTAIN, ["王", "王 "])


def test_a_confirmation_holds_for_a_while_whatever_the_clock_does():
    limit = CONFIRM_HOLDS_S * 1000

    assert fresh(1000, 1000 + limit)
    assert not fresh(1000, 1001 + limit)
    assert not fresh(1001 + limit, 1000)


def test_a_job_at_the_printer_is_open():
    assert set(AT_PRINTER) < set(OPEN)
