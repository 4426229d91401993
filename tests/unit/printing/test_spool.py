"""The spool over a real store and a clock by hand: order, recovery, pauses, a person's word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select
from twisted.internet.defer import ensureDeferred

from fep.domain.faults import Refused
from fep.domain.printing import JobState, Outcome, PrintResult
from fep.store import printing, schema
from tests.unit.printing.world import World, lines_of

NOT_PRINTED = PrintResult(Outcome.NOT_PRINTED, "DEV_LOST", "x")
UNCERTAIN = PrintResult(Outcome.UNCERTAIN, "PRN_PAPER_END", "x")


@pytest.fixture
def world(tmp_path: Path):
    """Return a world with one printer, stopped at the end."""
    world = World(tmp_path)
    yield world
    world.stop()


def _journal(world: World) -> list[dict]:
    lines = world.store.read(
        lambda conn: conn.execute(select(schema.journal.c.line)).scalars().all()
    )
    return [json.loads(line) for line in lines]


def test_jobs_come_out_in_order_each_with_one_attempt(world):
    jobs = [world.add(at) for at in (7, 8, 9)]
    world.start()
    world.turn(1)

    numbers = [next(p for p in paper.parts if "票据号码" in str(p)) for paper in _papers(world)]

    assert [JobState.PRINTED] * 3 == [world.job(job.id).state for job in jobs]
    assert [True] * 3 == [
        str(at) in str(number) for at, number in zip((7, 8, 9), numbers, strict=True)
    ]
    assert [1, 1, 1] == [world.job(job.id).attempts for job in jobs]


def test_a_backlog_costs_one_commit_a_sheet(world):
    world.start()
    world.turn(1)
    before = world.store.commits
    jobs = [world.store.do("add", printing.add_job_txn, at, "w1") for at in range(1, 11)]
    world.turn(0)
    world.spool.wake()
    world.turn(1)

    assert [JobState.PRINTED] * 10 == [world.job(job.result.id).state for job in jobs]
    # One for all that was added, one a sheet, and the first sheet's beginning.
    assert world.store.commits - before <= 1 + 10 + 1


def _papers(world: World):
    return world.printers["p1"].papers


def test_a_seal_wakes_the_loop_at_once(world):
    world.start()
    world.turn(1)

    job = world.add(1)
    world.turn(0)

    assert JobState.PRINTED is world.job(job.id).state


def test_the_attempt_is_committed_before_the_first_byte(world):
    seen = []
    world.printers["p1"].on_print = lambda: seen.append(
        world.store.read(printing.attempts_q, 1)[0].state
    )
    world.add(1)
    world.start()
    world.turn(1)

    assert [JobState.STREAMING] == seen


def test_what_streamed_when_the_daemon_died_is_uncertain_and_not_printed_again(world):
    world.printers["p1"].hold = True
    job = world.add(1)
    later = world.add(2)
    world.start()
    world.turn(1)
    world.kill()

    world.printers["p1"].hold = False
    world.printers["p1"].calls.clear()
    world.open()
    world.start()
    world.turn(60)

    assert (JobState.UNCERTAIN, "PRN_UNCERTAIN") == (
        world.job(job.id).state, world.job(job.id).reason
    )  # fmt: skip
    assert JobState.PRINTED is world.job(later.id).state
    assert 1 == world.printers["p1"].calls.count("print")
    assert "distrust" == world.printers["p1"].calls[0]
    assert ["print.uncertain"] == [line["op"] for line in _journal(world)]


def test_a_printer_without_paper_costs_no_attempt_and_goes_on_when_loaded(world):
    world.printers["p1"].faults = ("PRN_PAPER_END",)
    world.start()
    job = world.add(1)
    world.turn(30)

    waiting = world.spool.devices()[0]
    world.printers["p1"].faults = ()
    world.turn(3)

    assert ("degraded", ("PRN_PAPER_END",), 1) == (waiting.state, waiting.faults, waiting.queue)
    assert (JobState.PRINTED, 1) == (world.job(job.id).state, world.job(job.id).attempts)
    assert "ready" == world.spool.devices()[0].state


def test_not_printed_is_tried_again_with_growing_pauses(world):
    world.printers["p1"].results = [NOT_PRINTED] * 3
    job = world.add(1)
    world.start()
    world.turn(0.5)
    first = world.job(job.id)
    world.turn(40)

    assert (JobState.DUE, "DEV_LOST") == (first.state, first.reason)
    assert (JobState.PRINTED, 4) == (world.job(job.id).state, world.job(job.id).attempts)
    outcomes = [attempt.outcome for attempt in world.store.read(printing.attempts_q, job.id)]
    assert ["not_printed"] * 3 + ["printed"] == outcomes


def test_a_clock_that_is_set_back_holds_no_paper_up(world):
    world.printers["p1"].results = [NOT_PRINTED]
    job = world.add(1)
    world.start()
    world.turn(0.5)
    world.clock.shift_s = -7200.0
    world.turn(5)

    assert (JobState.PRINTED, 2) == (world.job(job.id).state, world.job(job.id).attempts)


def test_uncertain_stays_and_the_next_job_goes_on(world):
    world.printers["p1"].results = [UNCERTAIN]
    first, second = world.add(1), world.add(2)
    world.start()
    world.turn(120)

    assert JobState.UNCERTAIN is world.job(first.id).state
    assert JobState.PRINTED is world.job(second.id).state
    assert [first.id] == [job.id for job in world.store.read(printing.uncertain_q)]


def test_a_person_says_printed(world):
    world.printers["p1"].results = [UNCERTAIN]
    job = world.add(1)
    world.start()
    world.turn(1)

    resolution = world.wait(world.spool.resolve(job.id, "printed", "票已在患者手中", "wang"))

    assert (JobState.PRINTED, None) == (resolution.job.state, resolution.reprint)
    last = _journal(world)[-1]
    assert ("print.resolved", "printed", "wang") == (
        last["op"], last["body"]["verdict"], last["body"]["who"]
    )  # fmt: skip


def test_a_reprint_is_a_new_job_with_its_mark(world):
    world.printers["p1"].results = [UNCERTAIN]
    job = world.add(1)
    world.start()
    world.turn(1)

    resolution = world.wait(world.spool.resolve(job.id, "reprint", "未出纸", "wang"))
    world.turn(10)

    assert JobState.CANCELLED is world.job(job.id).state
    assert (2, JobState.PRINTED) == (
        resolution.reprint.copy, world.job(resolution.reprint.id).state
    )  # fmt: skip
    assert "【补打 第1次】" == lines_of(_papers(world)[-1])[0]


def test_reprint_of_a_printed_receipt_counts_on(world):
    world.add(1)
    world.start()
    world.turn(1)

    copies = [world.wait(world.spool.request(1, "w1", "患者丢失", "wang")).copy for _ in range(2)]

    assert [2, 3] == copies


def test_only_what_is_uncertain_or_printed_takes_a_word(world):
    job = world.add(1)

    for verdict in ("printed", "reprint"):
        with pytest.raises(Refused) as told:
            world.wait(world.spool.resolve(job.id, verdict, "x", "wang"))
        assert "PRN_JOB_STATE" == told.value.code
    with pytest.raises(Refused) as told:
        world.wait(world.spool.resolve(99, "printed", "x", "wang"))
    assert "PRN_JOB_NONE" == told.value.code


def test_a_job_of_its_own_fault_lets_the_others_pass(world):
    rare = PrintResult(Outcome.NOT_PRINTED, "PRN_CHAR", "\ue863")
    world.printers["p1"].results = [rare]
    bad, unshowable, good = world.add(1), world.add(666), world.add(3)
    world.start()
    world.turn(0.5)

    assert (JobState.DUE, "PRN_CHAR") == (world.job(bad.id).state, world.job(bad.id).reason)
    assert JobState.DUE is world.job(unshowable.id).state
    assert JobState.PRINTED is world.job(good.id).state


def test_a_driver_that_crashes_in_a_job_leaves_it_uncertain_and_runs_on(world):
    world.printers["p1"].results = [RuntimeError("boom")]
    first = world.add(1)
    world.start()
    world.turn(1)
    second = world.add(2)
    world.turn(60)

    assert JobState.UNCERTAIN is world.job(first.id).state
    assert JobState.PRINTED is world.job(second.id).state


def test_stop_waits_for_the_job_in_hand_and_starts_no_other(world):
    printer = world.printers["p1"]
    printer.hold = True
    first, second = world.add(1), world.add(2)
    world.start()
    world.turn(1)

    stopping = ensureDeferred(world.spool.stop())
    world.turn(5)
    assert not stopping.called
    printer.held[0].callback(PrintResult(Outcome.PRINTED))
    world.turn(1)

    assert stopping.called
    assert JobState.PRINTED is world.job(first.id).state
    assert JobState.DUE is world.job(second.id).state
    assert "close" == printer.calls[-1]


def test_two_devices_of_a_group_share_the_queue_and_never_a_job(tmp_path):
    world = World(tmp_path, (("p1", "w1"), ("p2", "w1"), ("p3", "w2")))
    world.start()
    world.printers["p1"].hold = True
    jobs = [world.add(at) for at in range(1, 5)]
    world.turn(5)
    for held in world.printers["p1"].held:
        held.callback(PrintResult(Outcome.PRINTED))
    world.turn(5)

    assert [(JobState.PRINTED, 1)] * 4 == [
        (world.job(job.id).state, world.job(job.id).attempts) for job in jobs
    ]
    assert 4 == sum(p.calls.count("print") for p in world.printers.values())
    assert "print" not in world.printers["p3"].calls
    world.printers["p1"].hold = False
    world.stop()


def test_the_test_page_goes_out_between_jobs_and_leaves_no_job(world):
    world.start()
    world.turn(1)

    result = world.wait(world.spool.test("p1"))

    assert Outcome.PRINTED is result.outcome
    assert "此页不是票据" in lines_of(_papers(world)[-1])
    assert 0 == world.spool.devices()[0].queue
    with pytest.raises(Refused):
        world.spool.test("p9")


def test_an_unreachable_device_is_lost_after_three_looks_and_asked_less_and_less(world):
    world.printers["p1"].faults = ("DEV_UNREACHABLE",)
    world.start()
    world.turn(1)
    early = world.spool.devices()[0].state
    world.turn(300)

    assert ("degraded", "lost") == (early, world.spool.devices()[0].state)
    assert world.printers["p1"].calls.count("status") < 20


def test_a_warning_is_shown_and_does_not_hold_a_job(world):
    world.printers["p1"].faults = ("PRN_PAPER_NEAR_END",)
    job = world.add(1)
    world.start()
    world.turn(1)

    assert JobState.PRINTED is world.job(job.id).state


def test_nothing_personal_is_logged(world):
    world.add(1)
    world.start()
    world.turn(1)

    assert "张三" not in str(world.log.lines)
    assert "print.ended" in [event for event, _ in world.log.lines]


def test_a_job_wakes_the_printers_of_its_group_and_no_other(tmp_path):
    world = World(tmp_path, (("p1", "w1"), ("p2", "w1"), ("p3", "w2")))
    world.start()
    world.turn(1)
    looked: list[str] = []
    for loop in world.spool.loops():
        loop._next_due = lambda id_=loop.settings.id: looked.append(id_)
    job = world.wait(world.store.do("add", printing.add_job_txn, 1, "w2"))
    world.spool.queued(job.id)
    world.turn()
    mine = list(looked)
    world.spool.wake()

    assert (["p3"], ["p1", "p2", "p3"]) == (mine, sorted(looked[1:]))
    world.stop()


def test_what_one_printer_gave_back_is_taken_by_the_other_one_at_once(tmp_path):
    world = World(tmp_path, (("p1", "w1"), ("p2", "w1")))
    broken = world.printers["p1"]
    broken.results = [PrintResult(Outcome.NOT_PRINTED, "DEV_LOST")]
    broken.on_print = lambda: setattr(broken, "faults", ("DEV_UNREACHABLE",))
    world.start()
    world.turn(1)
    job = world.add(1)
    world.turn(2)

    assert (JobState.PRINTED, "p2", 2) == (
        world.job(job.id).state, world.job(job.id).device, world.job(job.id).attempts
    )  # fmt: skip
    world.stop()
