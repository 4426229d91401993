"""Random days of a device: faults, crashes, swaps, claims, switches and resets in any order.

What must hold: nothing is begun on a device that somebody holds, that is off, or that is not
the one it was; when people and weather leave it alone again, every job has its paper, once.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fep.domain.device import DeviceState
from fep.domain.faults import Refused
from fep.domain.printing import JobState, Outcome, PrintResult
from tests.unit.printing.test_devices_desk import DeskWorld

STEPS = 60
WEATHER: tuple[tuple[str, ...], ...] = (
    (), (), ("PRN_PAPER_END",), ("PRN_COVER_OPEN",), ("PRN_PAPER_NEAR_END",),
    ("DEV_UNREACHABLE",), ("DEV_LOST",), ("DEV_BUSY",), ("PRN_FATAL",),
)  # fmt: skip
NOTHING = PrintResult(Outcome.NOT_PRINTED, "DEV_LOST")


class Weather:
    """One device, its people and its troubles, drawn from a seed."""

    def __init__(self, world: DeskWorld, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)
        self.loop = world.spool.loop("p1")
        self.printer: Any = world.printers["p1"]
        self.printer.on_print = self._printed
        self.in_hand = 0  # the job under way when a person last said something
        self.wrong: list[str] = []
        self.jobs: list[int] = []
        self.failed = 0  # how often the printer said that nothing came out

    def _printed(self) -> None:
        life, job = self.loop.life.life, self.loop._job
        stopped = life.lease is not None or life.state is DeviceState.DISABLED
        if stopped and job != self.in_hand:
            self.wrong.append(f"job {job} begun while {life}")
        if self.printer.expected not in (("", ""), (self.printer.model, self.printer.serial)):
            self.wrong.append(f"job {job} begun on another device")

    def step(self) -> None:
        """Let something happen, then some time pass."""
        getattr(self, self.dice.choice((
            "add", "add", "add", "blow", "blow", "crash", "swap", "say", "say", "fail",
        )))()  # fmt: skip
        self.world.turn(self.dice.choice((0.0, 0.2, 1.0, 4.0)))

    def add(self) -> None:
        self.jobs.append(self.world.add(len(self.jobs) + 1).id)

    def blow(self) -> None:
        self.printer.faults = self.dice.choice(WEATHER)

    def fail(self) -> None:
        self.printer.results.append(NOTHING)
        self.failed += 1

    def crash(self) -> None:
        self.printer.crash = self.dice.random() < 0.3

    def swap(self) -> None:
        if self.loop._job == 0 and self.dice.random() < 0.3:
            self.printer.serial = self.dice.choice(("A1", "B2"))

    def say(self) -> None:
        """Somebody says something; refusals are their answer."""
        verb = self.dice.choice(("claim", "drain", "release", "disable", "enable", "reset"))
        self._ask(verb)

    def _ask(self, verb: str) -> None:
        if verb == "reset":
            self.printer.expected = ("", "")  # a driver made anew expects nothing
        more = {"minutes": 1} if verb == "claim" else {}
        try:
            self.world.ask(f"devices.{verb}", device="p1", reason="天气", **more)
        except Refused:
            pass
        self.in_hand = self.loop._job

    def clear_up(self) -> None:
        """The sun comes out, and a person puts everything right."""
        self.failed -= len(self.printer.results)
        self.printer.faults, self.printer.crash, self.printer.results = (), False, []
        for verb in ("enable", "release", "reset"):
            self._ask(verb)
        self.world.turn(40)


@pytest.mark.parametrize("seed", range(8))
def test_a_day_of_any_weather_ends_with_every_receipt_on_paper_once(tmp_path: Path, seed: int):
    world = DeskWorld(tmp_path)
    weather = Weather(world, seed)
    for _ in range(STEPS):
        weather.step()
    weather.clear_up()

    states = Counter(world.job(job).state for job in weather.jobs)
    papers = len(weather.printer.papers)
    attempts = sum(world.job(job).attempts for job in weather.jobs)
    assert [] == weather.wrong
    assert {JobState.PRINTED: len(weather.jobs)} == dict(states), world.spool.devices()[0]
    assert (attempts, attempts - weather.failed) == (papers, len(weather.jobs))
    assert ("ready", None) == (world.state(), weather.loop.life.life.lease)
    world.stop()
