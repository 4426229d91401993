"""The life of a device in its loop: leases, switching off, resets, swapped printers, crashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from fep.domain.device import Lease, Turn
from fep.domain.faults import Refused
from fep.domain.printing import JobState, Outcome, PrintResult
from fep.services.devices_life import DeviceLife
from fep.store import devices as notes
from fep.store.devices import Word
from tests.unit.printing.world import NoDice, ToldPrinter, World

WORD = Word("li(1000)", "换色带")


@dataclass
class KnownPrinter(ToldPrinter):
    """A printer that says who it is, and refuses to be another one than expected."""

    model: str = "TM-T88"
    serial: str = "A1"
    expected: tuple[str, str] = ("", "")
    crash: bool = False
    identified: int = 0
    says: list[tuple[str, ...]] = field(default_factory=list)
    on_status: Callable[[], object] = lambda: None

    async def status(self) -> tuple[str, ...]:
        self.calls.append("status")
        self.on_status()
        if self.crash:
            raise RuntimeError("boom")
        if self.expected not in (("", ""), (self.model, self.serial)):
            return ("DEV_IDENTITY",)
        return self.says.pop(0) if self.says else self.faults

    async def identify(self) -> Any:
        self.identified += 1
        return SimpleNamespace(maker="EPSON", model=self.model, serial=self.serial)

    def expect(self, model: str, serial: str) -> None:
        self.expected = (model, serial)


class KnownWorld(World):
    """A world whose printers say who they are."""

    def __init__(self, path: Any, devices: Any = (("p1", "w1"),)) -> None:
        self.made: list[str] = []
        super().__init__(path, devices)
        self.printers = {id_: KnownPrinter() for id_, _ in devices}
        self.open()

    def restart(self) -> None:
        """End in good order and start again."""
        self.stop()
        for printer in self.printers.values():
            printer.expected = ("", "")
        self.open()
        self.start()
        self.turn(1)

    def state(self, device: str = "p1") -> str:
        return next(row.state for row in self.spool.devices() if row.id == device)

    def claim(self, device: str = "p1", until: int = 0) -> None:
        """Have the technician hold a device."""
        lease, loop = Lease(WORD.who, until), self.spool.loop(device)
        self.wait(self.store.do("claim", notes.claim_txn, device, lease, WORD))
        loop.life.hold(lease)
        loop.look_again()


@pytest.fixture
def world(tmp_path):
    world = KnownWorld(tmp_path)
    world.start()
    world.turn(1)
    yield world
    if not world.store.dead:
        world.stop()


def test_a_claimed_device_takes_no_job_and_goes_on_when_it_is_released(world):
    world.claim()
    job = world.add(1)
    world.turn(30)
    held = (world.state(), world.job(job.id).state, world.job(job.id).attempts)

    world.spool.loop("p1").life.hold(None)
    world.spool.loop("p1").look_again()
    world.turn(1)

    assert ("claimed", JobState.DUE, 0) == held
    assert ("ready", JobState.PRINTED) == (world.state(), world.job(job.id).state)


def test_a_claim_while_the_device_is_asked_holds_the_job_back(world):
    life = world.spool.loop("p1").life
    world.printers["p1"].on_status = lambda: life.hold(Lease("li", 0))
    job = world.add(1)
    world.turn(5)

    assert (JobState.DUE, 0) == (world.job(job.id).state, world.job(job.id).attempts)


def test_a_lease_ends_by_itself_and_the_queue_goes_on(world):
    world.claim(until=world._now_ms() + 20_000)
    job = world.add(1)
    world.turn(15)
    before = world.job(job.id).state
    world.turn(10)

    assert (JobState.DUE, JobState.PRINTED) == (before, world.job(job.id).state)


def test_a_lease_and_a_switch_outlive_the_daemon(world):
    world.claim()
    world.restart()
    claimed = world.state()
    world.wait(world.store.do("off", notes.disable_txn, "p1", WORD))
    world.restart()
    calls = len(world.printers["p1"].calls)
    job = world.add(1)
    world.turn(60)

    assert ("claimed", "disabled") == (claimed, world.state())
    assert JobState.DUE is world.job(job.id).state
    assert calls == len(world.printers["p1"].calls)


def test_a_device_that_is_switched_off_finishes_its_job_and_is_given_back(world):
    printer, life = world.printers["p1"], world.spool.loop("p1").life
    printer.hold = True
    first, second = world.add(1), world.add(2)
    world.turn(1)
    life.switch(Turn.DISABLE)
    world.spool.loop("p1").look_again()
    world.turn(5)
    kept = printer.calls[-1]
    printer.held[0].callback(PrintResult(Outcome.PRINTED))
    world.turn(5)

    assert ("print", "close") == (kept, printer.calls[-1])
    assert (JobState.PRINTED, JobState.DUE) == (
        world.job(first.id).state,
        world.job(second.id).state,
    )
    assert "DEV_DISABLED" == world.wait(world.spool.test("p1")).fault


def test_the_other_printer_of_the_group_takes_over(tmp_path):
    world = KnownWorld(tmp_path, (("p1", "w1"), ("p2", "w1")))
    world.start()
    world.claim("p1")
    job = world.add(1)
    world.turn(2)

    assert ("p2", JobState.PRINTED) == (world.job(job.id).device, world.job(job.id).state)
    world.stop()


def test_a_cover_that_flaps_once_holds_no_job_and_one_that_stays_does(world):
    printer = world.printers["p1"]
    printer.says = [("PRN_COVER_OPEN",)]
    job = world.add(1)
    world.turn(1)
    flapped = world.job(job.id).state
    printer.faults = ("PRN_COVER_OPEN",)
    later = world.add(2)
    world.turn(3)

    assert JobState.PRINTED is flapped
    assert ("degraded", JobState.DUE) == (world.state(), world.job(later.id).state)


def test_a_device_is_asked_who_it_is_once_and_a_swapped_one_gets_no_job(world):
    printer = world.printers["p1"]
    noted = world.store.read(notes.notes_q)["p1"].identity
    world.restart()
    asked = printer.identified
    printer.serial = "B2"
    job = world.add(1)
    world.turn(60)

    assert ("EPSON", "TM-T88", "A1") == (noted.maker, noted.model, noted.serial)
    assert (1, "TM-T88 A1") == (asked, world.spool.devices()[0].identity)
    assert ("failed", ("DEV_IDENTITY",)) == (world.state(), world.spool.devices()[0].faults)
    assert (JobState.DUE, 0) == (world.job(job.id).state, world.job(job.id).attempts)


def test_a_failed_device_is_not_asked_and_a_reset_takes_the_new_printer(world):
    printer, life = world.printers["p1"], world.spool.loop("p1").life
    printer.serial = "B2"
    job = world.add(1)
    world.turn(1)
    calls = len(printer.calls)
    world.turn(120)
    asked = len(printer.calls) - calls
    printer.expected = ("", "")

    world.wait(world.store.do("reset", notes.reset_txn, "p1", WORD))
    life.reset(life.settings)
    world.spool.loop("p1").look_again()
    world.turn(1)

    assert 0 == asked
    assert ("ready", JobState.PRINTED) == (world.state(), world.job(job.id).state)
    assert "B2" == world.store.read(notes.notes_q)["p1"].identity.serial


def test_a_silent_device_is_not_asked_again_and_again(tmp_path):
    world = KnownWorld(tmp_path)
    world.printers["p1"].model = world.printers["p1"].serial = ""
    world.start()
    world.turn(100)

    assert ("ready", 1) == (world.state(), world.printers["p1"].identified)
    assert {} == world.store.read(notes.notes_q)
    world.stop()


def test_a_driver_that_crashes_is_made_anew_three_times_and_then_waits(world):
    printer = world.printers["p1"]
    printer.crash = True
    world.turn(200)
    closed = printer.calls.count("close")

    assert ("failed", ("DEV_DRIVER_CRASH",)) == (world.state(), world.spool.devices()[0].faults)
    assert 4 == closed
    assert "distrust" in printer.calls


def test_a_driver_made_anew_is_told_what_the_old_one_knew(world):
    old = world.spool.loop("p1").life
    made: list[KnownPrinter] = []

    def make(_settings: Any) -> KnownPrinter:
        made.append(KnownPrinter())
        return made[-1]

    life = DeviceLife(
        world.reactor, world.clock, NoDice(), world.store, world.log, old.settings, make
    )
    life.remember(old.note)
    life.ended(Outcome.UNCERTAIN)
    life.remake(old.settings)
    life.ended(Outcome.PRINTED)
    life.remake(old.settings)

    assert [("TM-T88", "A1")] * 3 == [printer.expected for printer in made]
    assert [["close"], ["distrust", "close"], []] == [printer.calls for printer in made]


def test_a_bug_of_the_loop_stops_nothing_for_good(world, monkeypatch):
    loop = world.spool.loop("p1")
    monkeypatch.setattr(loop, "_next_due", lambda: 1 / 0)
    world.turn(15)
    broken = world.state()
    monkeypatch.undo()
    job = world.add(1)
    world.turn(60)

    assert "degraded" == broken
    assert JobState.PRINTED is world.job(job.id).state


def test_too_many_questions_at_once_are_refused_and_a_stop_answers_the_rest(world):
    printer = world.printers["p1"]
    printer.hold = True
    world.add(1)
    world.turn(1)
    tests = [world.spool.test("p1") for _ in range(5)]
    assert tests[-1].called
    printer.held[0].callback(PrintResult(Outcome.PRINTED))
    printer.hold = False
    world.stop()

    results = []
    for test in tests:
        test.addBoth(results.append)
    assert {"DEV_BUSY", ""} >= {result.fault for result in results}
    assert 5 == len(results)


def test_waiting_slips_move_to_another_group_and_sheets_do_not(world):
    world.claim()
    first, second = world.add(1), world.add(2)
    world.wait(world.store.do("sheet", _as_sheet_txn, second.id))

    moved = world.wait(world.store.do("move", notes.move_txn, "w1", "w2", WORD))

    assert 1 == moved
    assert ("w2", "w1") == (world.job(first.id).device_group, world.job(second.id).device_group)


def _as_sheet_txn(tx, job: int) -> None:
    from sqlalchemy import update

    from fep.store.schema import print_job

    tx.conn.execute(update(print_job).where(print_job.c.id == job).values(kind_of_sheet="sheet"))


@pytest.mark.parametrize(
    ("state", "turn", "code"),
    [
        (Turn.DISABLE, Turn.CLAIM, "DEV_DISABLED"),
        (Turn.DISABLE, Turn.DISABLE, "DEV_DISABLED"),
        (Turn.DISABLE, Turn.RESET, "DEV_DISABLED"),
        (None, Turn.ENABLE, "DEV_NOT_DISABLED"),
    ],
)
def test_a_turn_that_makes_no_sense_is_refused_with_its_reason(world, state, turn, code):
    life = world.spool.loop("p1").life
    if state is not None:
        life.switch(state)

    with pytest.raises(Refused) as refused:
        life.allow(turn)

    assert code == refused.value.code


def test_an_old_note_is_read_back_as_it_was_written(world):
    world.wait(world.store.do("off", notes.disable_txn, "p9", WORD))
    world.wait(world.store.do("claim", notes.claim_txn, "p9", Lease("wang", 5), WORD))

    note = world.store.read(notes.notes_q)["p9"]
    world.wait(world.store.do("on", notes.enable_txn, "p9", WORD))
    world.wait(world.store.do("free", notes.release_txn, "p9", WORD))
    after = world.store.read(notes.notes_q)["p9"]

    assert (True, Lease("wang", 5), "换色带", "li(1000)") == (
        note.disabled, note.lease, note.reason, note.who
    )  # fmt: skip
    assert replace(note, disabled=False, lease=None, at=after.at) == after
