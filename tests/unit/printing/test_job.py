"""The life of a print job: its table, and that no path prints twice without a person."""

from __future__ import annotations

import itertools

import pytest

from fep.domain.printing import (
    JOB_TABLE,
    RETRY_AFTER_S,
    RETRY_SLIP_AFTER_S,
    Again,
    AskPerson,
    IllegalStep,
    JobFacts,
    JobState,
    NewCopy,
    Step,
    decide,
)

PERSON = {Step.SAY_PRINTED, Step.REPRINT, Step.CANCEL}


def test_not_printed_is_due_again_later_each_time_later():
    pauses = []
    for attempts in range(1, 8):
        state, effects = decide(JobState.STREAMING, Step.NOT_PRINTED, JobFacts(attempts))
        assert JobState.DUE is state
        pauses += [effect.after_s for effect in effects if isinstance(effect, Again)]

    assert [*RETRY_AFTER_S, RETRY_AFTER_S[-1], RETRY_AFTER_S[-1]] == pauses


def test_a_slip_that_no_printer_can_print_is_tried_less_and_less():
    facts = [JobFacts(attempts, fault="PRN_CHAR") for attempts in range(1, 10)]

    pauses = [decide(JobState.STREAMING, Step.NOT_PRINTED, one)[1][0].after_s for one in facts]

    assert [*RETRY_SLIP_AFTER_S, RETRY_SLIP_AFTER_S[-1]] == pauses
    assert 300 == pauses[-1]


@pytest.mark.parametrize("step", [Step.UNCERTAIN, Step.RESTART])
def test_uncertain_asks_a_person(step):
    assert (JobState.UNCERTAIN, (AskPerson(),)) == decide(JobState.STREAMING, step, JobFacts())


def test_only_a_person_leaves_uncertain():
    assert {(JobState.UNCERTAIN, step) for step in (Step.SAY_PRINTED, Step.REPRINT)} == {
        row for row in JOB_TABLE if row[0] is JobState.UNCERTAIN
    }


def test_reprint_is_a_new_job_with_the_next_copy_number():
    for state in (JobState.UNCERTAIN, JobState.PRINTED, JobState.ACCEPTED):
        _, effects = decide(state, Step.REPRINT, JobFacts(1, copy=3))

        assert (NewCopy(4),) == effects


def test_every_pair_without_a_row_is_refused():
    for state, step in itertools.product(JobState, Step):
        if (state, step) not in JOB_TABLE:
            with pytest.raises(IllegalStep):
                decide(state, step, JobFacts())


def test_no_path_without_a_person_begins_again_once_paper_may_be_out():
    """Walk every path from due; after anything but `not_printed`, no second begin."""
    seen: set[tuple[JobState, bool]] = set()
    todo = [(JobState.DUE, False)]
    while todo:
        state, maybe_paper = todo.pop()
        if (state, maybe_paper) in seen:
            continue
        seen.add((state, maybe_paper))
        for (source, step), target in JOB_TABLE.items():
            if source is not state or step in PERSON:
                continue
            assert not (step is Step.BEGIN and maybe_paper)
            paper = maybe_paper or step in (
                Step.PRINTED, Step.ACCEPTED, Step.UNCERTAIN, Step.RESTART
            )  # fmt: skip
            todo.append((target, paper))
