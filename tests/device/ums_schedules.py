"""Random schedules of a till with a UMS terminal: every part of the way may die, by the dice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fep.sim.dice import Dice
from tests.device.pay_schedules import Schedules
from tests.device.ums_town import UmsTown

# Few of those after which nobody can know; most harm comes to the way, not to the library.
FAULTS = ("", "", "", "", "before_host", "after_host", "after_host", "wrong_nonces",
          "wrong_amounts", "short_replies", "cut", "cut", "cut", "deaf", "bridge", "bridge",
          "bridge", "power", "power", "die", "both", "both")  # fmt: skip


@contextmanager
def ram() -> Iterator[Path]:
    """Lend a directory in memory, where there is one: the journals are synced at every step."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        yield Path(place)


class UmsSchedules(Schedules):
    """One site that lives through many schedules; amounts repeat, so that slips can mislead."""

    yuan_max = 4

    def make_town(self, place: Path) -> Any:
        """Return the site."""
        return UmsTown(place)

    def _trouble(self, dice: Dice) -> str:
        town, knobs = self.town, self.town.knobs
        knobs.__init__()  # back to no fault at all
        knobs.card_s, town.host_s = dice.between(0, 3), dice.between(0, 2)
        knobs.answer = dice.pick(("approve", "approve", "approve", "decline", "cancel", "unsure"))
        fault = dice.pick(FAULTS)
        self.did[fault] += 1
        if fault in ("before_host", "after_host"):
            knobs.crash = fault
        elif fault in ("wrong_nonces", "wrong_amounts", "short_replies"):
            setattr(knobs, fault, 1)
        strikes = {"cut": town.link_breaks, "deaf": town.link_is_deaf,
                   "bridge": town.bridge_dies, "power": town.power_fails,
                   "both": town.power_fails}  # fmt: skip
        for _ in range(dice.between(1, 3) if fault in strikes else 0):
            town.clock.callLater(dice.between(0, 600) / 100, strikes[fault])
        return fault

    def _night(self) -> None:
        """The terminal of this library closes no batch by itself."""
