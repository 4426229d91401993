"""Whatever people and printer do in whatever order: no sheet gets ink twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from fep.domain.printing import Form, PrintResult
from tests.harness.storeroom import UNIT
from tests.unit.forms.office import ACCEPTED, OFF, POINT, TORN, Office

STEPS = 150
RESULTS = (ACCEPTED, ACCEPTED, TORN, OFF)


class Day:
    """A day at the window, out of a seed."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office = office
        self.dice = Random(seed)
        self.keys = 0
        self.given: list[PrintResult] = []
        self.refused: Counter[str] = Counter()
        office.printer.on_print = self._prints

    def step(self) -> None:
        """Do one thing; a refusal is as good as any other answer."""
        act = self.dice.choice(
            (self.exchange, self.exchange, self.confirm, self.confirm, self.confirm, self.wrong,
             self.printed, self.spoil, self.spoil, self.void, self.wait, self.restart)
        )  # fmt: skip
        told = act()
        if isinstance(told, str):
            self.refused[told] += 1

    def exchange(self) -> object:
        """Another receipt is to be printed."""
        self.keys += 1
        return self.office.exchanged(f"D{self.keys}")

    def confirm(self) -> object:
        """Somebody types the right number."""
        return self._on_job(lambda job: self._typed(job["id"], job["sheet"].partition("-")[2]))

    def wrong(self) -> object:
        """Somebody types the number of another sheet."""
        return self._on_job(lambda job: self.office.confirm(job["id"], "0199"))

    def _typed(self, job: int, number: str) -> object:
        return self.office.confirm(job, number)

    def _prints(self) -> None:
        """The printer was given a form, now or when it was fit again."""
        result = self.dice.choice(RESULTS)
        self.office.printer.results = [result]
        self.given.append(result)

    def printed(self) -> object:
        """Somebody says that a sheet is whole."""
        return self._on_job(lambda job: self.office.call("paper.printed", job=job["id"]))

    def spoil(self) -> object:
        """Somebody gives a sheet up, alone or not."""
        who = self.dice.choice(([], ["王"], ["王", "李"]))
        return self._on_job(
            lambda job: self.office.call("paper.spoil", job=job["id"], reason="坏", approve=who)
        )

    def void(self) -> object:
        """Somebody voids a sheet without looking at its job."""
        sheet = f"042126-{self.dice.randrange(1, 1 + 2 * self.keys + 1):04d}"
        return self.office.call("paper.void", unit=UNIT, point=POINT, first=sheet, reason="坏")

    def wait(self) -> None:
        """Nobody does anything for a while."""
        self.office.turn(40)

    def restart(self) -> object:
        """The daemon comes up again."""
        return self.office.reopen()

    def _on_job(self, act: Callable[[dict], object]) -> object:
        jobs = self.office.call("paper.jobs", unit=UNIT)["jobs"]
        return act(self.dice.choice(jobs[:3])) if jobs else None

    def inked(self) -> Counter[str]:
        """Return how often each sheet may have got ink."""
        found: Counter[str] = Counter()
        for paper, result in zip(self.office.printer.papers, self.given, strict=True):
            assert isinstance(paper, Form)
            (number,) = [t.text for t in paper.texts if t.text in self.office.numbers]
            found[number] += result is not OFF
        return found


@pytest.mark.parametrize("seed", [1, 2])
def test_no_sheet_gets_ink_twice_whatever_the_day_brings(office: Office, seed: int):
    day = Day(office, seed)
    for _ in range(STEPS):
        day.step()

    inked = day.inked()
    assert sum(inked.values()) > 5
    assert set(inked.values()) <= {0, 1}
    assert {"FRM_SHEET_MISMATCH", "FRM_OPEN"} <= set(day.refused)
