"""Reversals and paper under any order of wishes, late signatures and restarts, against what an
accountant with two columns would write: one red a blue, one receipt a sheet, money adds up."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fep.domain.faults import Refused
from fep.store.sheets import Exchanged
from tests.unit.life.ward import Ward, sheet

NUMBERS, SHEETS = 200, 40


class Accountant(RuleBasedStateMachine):
    """The store on one side, two columns on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="fep-life-"))
        self.ward = Ward(self.place / "site", numbers=NUMBERS, paper=SHEETS)
        self.blues: list[Any] = []
        self.reds: dict[int, Any] = {}  # blue id -> red receipt, signed
        self.pending: dict[int, tuple[str, Any]] = {}  # blue id -> key, red receipt, unsigned
        self.paper: dict[int, int] = {}  # receipt id -> sheet
        self.used: set[int] = set()
        self.void: set[int] = set()
        self.keys = 0

    @initialize()
    def begin(self) -> None:
        """Something to begin with."""
        self.issue(100)

    def _pick(self, data: st.DataObject) -> Any:
        return data.draw(st.sampled_from(self.blues))

    def _next(self) -> int | None:
        free = [n for n in range(1, SHEETS + 1) if n not in self.used | self.void]
        return min(free, default=None)

    def _refused(self, call: Any, *args: Any) -> str:
        try:
            call(*args)
        except Refused as refused:
            return refused.code
        return ""

    # what may happen
    @rule(amount=st.integers(1, 10_000))
    def issue(self, amount: int) -> None:
        """A new blue receipt."""
        if len(self.blues) + self.keys < NUMBERS - 2:
            self.blues.append(self.ward.issue(amount))

    @rule(data=st.data(), signed=st.booleans())
    def reverse(self, data: st.DataObject, signed: bool) -> None:
        """A reversal under a key of its own; its signature may be late."""
        blue = self._pick(data)
        self.keys += 1
        expected = (
            "LIFE_REVERSED" if blue.id in self.reds
            else "LIFE_REVERSING" if blue.id in self.pending
            else "LIFE_PAPER" if blue.id in self.paper
            else ""
        )  # fmt: skip
        key = f"R{self.keys}"
        assert expected == self._refused(self.ward.freeze_red, blue, key)
        if not expected:
            red = self.ward.freeze_red(blue, key)  # the same key again
            self.pending[blue.id] = (key, red)
            if signed:
                self.sign(blue)

    def sign(self, blue: Any) -> None:
        """The signature of a red receipt arrives."""
        _, red = self.pending.pop(blue.id)
        self.ward.room.seal(red)
        self.reds[blue.id] = red

    @rule(data=st.data(), in_time=st.booleans())
    def settle(self, data: st.DataObject, in_time: bool) -> None:
        """A late signature comes, or the deadline passes and the number is burned."""
        if not self.pending:
            return
        blue_id = data.draw(st.sampled_from(sorted(self.pending)))
        blue = next(one for one in self.blues if one.id == blue_id)
        if in_time:
            self.sign(blue)
        else:
            self.ward.burn(self.pending.pop(blue_id)[1])

    @rule(data=st.data(), again=st.booleans())
    def exchange(self, data: st.DataObject, again: bool) -> None:
        """For paper, or for another sheet."""
        blue, free = self._pick(data), self._next()
        held = self.paper.get(blue.id)
        life = "LIFE_REVERSED_PAPER" if blue.id in self.reds else "LIFE_REVERSING"
        dead = blue.id in self.reds or blue.id in self.pending
        if again:
            expected = "PAPER_NOT_EXCHANGED" if held is None else "PAPER_NONE" if not free else ""
        else:
            expected = (
                "PAPER_EXCHANGED" if held else life if dead else "PAPER_NONE" if not free else ""
            )
        call = self.ward.reexchange if again else self.ward.exchange
        try:
            done: Any = call(blue)
        except Refused as refused:
            done = refused.code
        if expected:
            assert expected == done
            return
        assert free is not None
        old = sheet(held) if again and held else ""
        assert Exchanged(sheet(free), old) == done
        if held:
            self.used.discard(held)
            self.void.add(held)
        self.used.add(free)
        self.paper[blue.id] = free

    @rule(first=st.integers(1, SHEETS), count=st.integers(1, 3))
    def void_sheets(self, first: int, count: int) -> None:
        """Blank ones, used ones, any of them."""
        last = min(first + count - 1, SHEETS)
        wanted = set(range(first, last + 1))
        code = self._refused(self.ward.void, first, last, f"第{len(self.void)}次")
        assert ("PAPER_VOID" if wanted & self.void else "") == code
        if not code:
            self.void |= wanted
            self.used -= wanted
            self.paper = {one: held for one, held in self.paper.items() if held not in wanted}

    @rule()
    def restart(self) -> None:
        """Everything that was committed is still true."""
        self.ward.room.close()
        self.ward.room.open()

    def teardown(self) -> None:
        """Settle what is open, then let the general checkers and the two columns speak."""
        for _key, red in self.pending.values():
            self.ward.room.seal(red)
        for blue_id, (_key, red) in self.pending.items():
            self.reds[blue_id] = red
        sealed = [row for row in self.ward.rows("receipt") if row.state == "sealed"]
        expected = sum(blue.amount_fen for blue in self.blues if blue.id not in self.reds)
        found = self.ward.violations()
        shutil.rmtree(self.place)
        assert [] == found
        assert expected == sum(row.amount_fen for row in sealed)


Accountant.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestLife = Accountant.TestCase
