"""Random schedules of a till: payments with faults and deaths on both sides, by the dice.

Each schedule is one payment with a fault of its own; the HIS may repeat its call, press again
with a new key, or let the payer go; now and then money is given back, or a batch is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fep.sim.dice import Dice
from tests.device.till_town import UNIT, TillTown

FAULTS = ("", "", "lost_acks", "lost_replies", "bad_replies", "doubled_replies", "wrong_ids",
          "wrong_amounts", "naks", "sour_replies", "crash", "die", "both")  # fmt: skip
CRASHES = ("before_ack", "after_ack", "after_host", "after_approval", "mid_reply")
LONG_S = 420


class Schedules:
    """One site that lives through many schedules."""

    yuan_max = 500

    def __init__(self, place: Path) -> None:
        self.town = self.make_town(place)
        self.town.start()
        self.did: Counter[str] = Counter()

    def make_town(self, place: Path) -> Any:
        """Return the site."""
        return TillTown(place)

    def play(self, numbers: Iterable[int]) -> None:
        """Live through schedules by their numbers, then let everything be found out."""
        for number in numbers:
            self._one(Dice("schedule", number), number)
        self.town.knobs.__init__()  # back to no fault at all
        self.town.pass_time(900, 5.0)

    def wrong(self) -> list[str]:
        """Return where the books differ, and what never ended."""
        rows = self.town.rows()
        open_ = [row.key for row in rows if row.state.value in ("created", "sent", "acked")]
        return [*self.town.differences(), *self._charged_twice(), *open_]

    def known_share(self) -> float:
        """Return the share of payments whose outcome was found out."""
        rows = self.town.rows()
        return sum(row.state.value != "unknown" for row in rows) / len(rows)

    def close(self) -> None:
        """Close the store."""
        self.town.store.close()

    def _charged_twice(self) -> list[str]:
        """Return the events whose payer was charged more than once by a second press."""
        debits: Counter[str] = Counter()
        for row in self.town.rows():
            if row.op.value == "pay" and row.receipt_key:
                debits[row.receipt_key] += self.town.host.debits(row.serial)
        return [f"{key}: charged {count} times" for key, count in debits.items() if count > 1]

    def _trouble(self, dice: Dice) -> str:
        """Turn the knobs for the next payment; says which fault it meets."""
        knobs = self.town.knobs
        knobs.__init__()  # back to no fault at all
        knobs.card_s, knobs.host_s = dice.between(0, 3), dice.between(0, 2)
        knobs.answer = dice.pick(("approve", "approve", "approve", "decline", "cancel",
                                  "host_timeout"))  # fmt: skip
        fault = dice.pick(FAULTS)
        if fault in ("crash", "both"):
            knobs.crash = dice.pick(CRASHES)
        elif fault not in ("", "die"):
            setattr(knobs, fault, dice.between(1, 4))
        if dice.chance(0.15):
            knobs.lost_acks, knobs.sour_replies = 1, 1
        return fault

    def _one(self, dice: Dice, number: int) -> None:
        town, fault = self.town, self._trouble(dice)
        amount = f"{dice.between(1, self.yuan_max)}.00"
        self._sale(f"k{number}", amount, number)
        if dice.chance(0.1):
            self._sale(f"k{number}", amount, number, "again")
        if dice.chance(0.1):
            town.pass_time(dice.between(0, 40) / 10, 0.1)
            self._call("cancel", "payment.cancel", unit=UNIT, key=f"k{number}")
        if fault in ("die", "both") or dice.chance(0.05):
            self._deaths(dice, fault)
        if dice.chance(0.15):
            # The cashier does not wait for an answer and presses again, with a new key.
            town.pass_time(dice.between(0, 60) / 10, 0.1)
            self._sale(f"c{number}", amount, number, "careless")
            self._sale(f"k{number}", amount, number, "again")
        town.settle_down(LONG_S)
        self._after(dice, number)

    def _deaths(self, dice: Dice, fault: str) -> None:
        town = self.town
        town.pass_time(dice.between(0, 60) / 10, 0.1)
        town.crash_quickly()
        self.did["both" if fault == "both" else "die"] += 1
        if dice.chance(0.3):
            town.pass_time(dice.between(0, 30) / 10, 0.1)
            town.crash_quickly()
            self.did["twice"] += 1

    def _after(self, dice: Dice, number: int) -> None:
        town = self.town
        done = town.newest()
        if done.state.value == "approved" and dice.chance(0.3):
            op, more = dice.pick((("void", {}), ("refund", {"amount": "1.00"})))
            self._call(op, f"payment.{op}", unit=UNIT, key=f"b{number}", of=done.key, **more)
            if dice.chance(0.2):
                town.pass_time(dice.between(0, 40) / 10, 0.1)
                town.crash_quickly()
            town.settle_down(LONG_S)
        if dice.chance(0.03):
            self._night()
        if dice.chance(0.03):
            self._call("settle", "payment.settle", terminal="pos-1")
            if dice.chance(0.3):
                town.pass_time(0.2, 0.1)
                town.crash_quickly()
            town.settle_down(LONG_S)

    def _night(self) -> None:
        self.town.terminal.night()
        self.did["night"] += 1

    def _sale(self, key: str, amount: str, number: int, what: str = "sale") -> None:
        self.did[what] += 1
        self.town.sale(key, amount, receipt_key=f"e{number}").addErrback(_refused)

    def _call(self, what: str, method: str, **params: Any) -> None:
        self.did[what] += 1
        self.town.call(method, **params).addErrback(_refused)


def _refused(_failure: Any) -> None:
    """A refusal is an answer; what the books say is looked at in the end."""
