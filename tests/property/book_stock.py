"""The store's number blocks against a clerk: granted, used, expired, returned, burned, reserve.

The part of the store's machines that brings time and numbers; receipts are in life_books.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from fep.store import fencing, numbers, stock
from fep.store.audit import AuditWalk
from tests.harness.storeroom import UNIT
from tests.property.book_room import Room
from tests.property.stepping import Stepping

HOUR_MS = 3_600_000
TURN_MS = 1_798_732_800_000  # 2027-01-01 00:00 +08:00
CODES = {2026: "42060126", 2027: "42060127"}

PICK = st.integers(0, 30)
AUDIT_SLICES_MAX = 50
LOTS_FEW = 2


@dataclass(slots=True)
class Lot:
    """A block of numbers in the clerk's hands; `state` as it was last told."""

    code: str
    first: int
    numbers: list[int]  # not yet given
    until: int | None
    state: str = "active"


class Stock(Stepping):
    """One unit, one kind, the numbers of two years."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.lots: list[Lot] = []
        self.free = 1
        for code in CODES.values():
            self._take_in(code, 6, None, False)

    @property
    def code(self) -> str:
        """The code of the day."""
        return CODES[2026 if self.room.wall_ms < TURN_MS else 2027]

    @rule(
        now=st.sampled_from([True, True, True, False]),
        count=st.integers(1, 5),
        days=st.sampled_from([None, None, 5]),
        reserve=st.sampled_from([False, False, False, True]),
    )
    def grant(self, now: bool, count: int, days: int | None, reserve: bool) -> None:
        """A block comes in, twice the same; now and then one of the other year."""
        code = self.code if now else next(code for code in CODES.values() if code != self.code)
        self._take_in(code, count, days, reserve)

    def _take_in(self, code: str, count: int, days: int | None, reserve: bool) -> None:
        first, last = self.free, self.free + count - 1
        until = None if days is None else self.room.wall_ms + days * 24 * HOUR_MS
        block = numbers.Grant(UNIT, code, f"{first:010d}", f"{last:010d}", "person", "1",
                              until or 0, reserve)  # fmt: skip
        assert (True, False) == tuple(self.room.do(numbers.grant_txn, block) for _ in range(2))
        state = "reserve" if reserve else "active"
        self.lots.append(Lot(code, first, list(range(first, last + 1)), until, state))
        self.free = last + 1

    @rule(pick=PICK)
    def grant_again(self, pick: int) -> None:
        """The platform repeats a grant: nothing of it comes back."""
        if self.lots:
            lot = self.lots[pick % len(self.lots)]
            (row,) = self.room.rows(f"SELECT last FROM number_block WHERE first = {lot.first}")
            block = numbers.Grant(UNIT, lot.code, f"{lot.first:010d}", f"{row[0]:010d}",
                                  "platform", "2")  # fmt: skip
            assert self.room.do(numbers.grant_txn, block) is False

    @rule(hours=st.sampled_from([1, 24, 130, -30]))
    def time_passes(self, hours: int) -> None:
        """The turn of the year may come, or the clock be set back."""
        self.room.wall_ms += hours * HOUR_MS

    @rule(now=st.sampled_from([True, False, False]))
    def restart(self, now: bool) -> None:
        """Memory is lost; open blocks are used in the order they came in."""
        if now:
            self.room.restart()

    @precondition(lambda self: len(self.lots) > LOTS_FEW)
    @rule(chance=st.sampled_from([True, False]))
    def everything_open_is_burned(self, chance: bool) -> None:
        """Two people lift a fence: no open number is ever given, a sealed reserve stays."""
        if chance:
            lift = fencing.Lift("FENCE_OLDER", "演练", "王芳", ("王芳", "李强"), False)
            self.room.do(fencing.lift_txn, "n1", lift, (), 2)
            for lot in self.lots:
                self._end(lot, "burned")

    @precondition(lambda self: any(lot.until and lot.numbers for lot in self.lots))
    @rule()
    def old_blocks_expire(self) -> None:
        """What is past its last moment is ended, and nothing else."""
        old = [lot for lot in self.lots if lot.state == "active" and lot.numbers
               and lot.until is not None and lot.until < self.room.wall_ms]  # fmt: skip
        old.sort(key=lambda lot: lot.first)
        told = self.room.do(stock.expire_txn, self.room.wall_ms)
        assert [(f"{lot.numbers[0]:010d}", len(lot.numbers)) for lot in old] == [
            (ended.first, ended.count) for ended in told
        ]
        for lot in old:
            self._end(lot, "expired")

    @rule(pick=PICK, back=st.booleans())
    def return_or_open(self, pick: int, back: bool) -> None:
        """The rest of a block goes back; or a sealed reserve is opened."""
        wanted = "active" if back else "reserve"
        fit = [lot for lot in self.lots if lot.state == wanted and lot.numbers] or self.lots
        fit = [lot for lot in fit if lot.code == self.code] or fit
        lot = fit[pick % len(fit)]
        work: Any = stock.return_txn if back else stock.open_reserve_txn
        told = self.room.do(work, lot.code, f"{lot.first:010d}", "年终", "王芳")
        if lot.state != wanted or not lot.numbers:
            assert "NUM_BLOCK" == told
        elif back:
            assert len(lot.numbers) == told.count
            self._end(lot, "returned")
        else:
            lot.state = "active"  # in its place: blocks are used in the order they came in

    @invariant()
    def the_writer_holds_what_is_open(self) -> None:
        """The numbers in memory are those of open blocks, in the order they will be given."""
        for code in CODES.values():
            held = self.room.store.heads.blocks.get((UNIT, code), ())
            numbers_ = [n for block in held for n in range(block.next, block.last + 1)]
            lots = [lot for lot in self.lots if (lot.code, lot.state) == (code, "active")]
            assert [number for lot in lots for number in lot.numbers] == numbers_

    def _end(self, lot: Lot, state: str) -> None:
        if lot.state == "active" and lot.numbers:
            lot.state = state

    def next_number(self, code: str) -> int | None:
        """Cross out the next number of a code, None when there is none."""
        now = self.room.wall_ms
        for lot in self.lots:
            good = lot.until is None or now <= lot.until
            if lot.code == code and lot.state == "active" and lot.numbers and good:
                return lot.numbers.pop(0)
        return None

    def close_the_books(self) -> None:
        """Close; the audit of numbers must find nothing, and count what the clerk counts."""
        walk = AuditWalk()
        for _slice in range(AUDIT_SLICES_MAX):
            if not walk.done:
                self.room.store.read(walk.step)
        totals = walk.audit.verdict()
        assert [] == [str(finding) for finding in walk.audit.findings]
        names = {"active": "left", "reserve": "reserve", "expired": "expired",
                 "returned": "returned"}  # fmt: skip
        for code in CODES.values():
            expected: Counter[str] = Counter()
            for lot in self.lots:
                if lot.code == code and lot.state in names:
                    expected[names[lot.state]] += len(lot.numbers)
            found = totals.get((UNIT, code))
            told = {name: getattr(found, name, 0) for name in names.values()}
            assert told == {name: expected[name] for name in names.values()}
        self.room.close()
