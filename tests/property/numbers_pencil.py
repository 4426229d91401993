"""Number blocks against a clerk's pencil: every number once, in order, none invented or lost.

Pure: `take` over blocks of a code that are granted, used up, that expire, and that are read
back after a restart. The numbers go up to the last one that fits ten digits.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from fep.domain import numbers
from fep.domain.numbers import Block, Blocks
from tests.property.stepping import Stepping

LAST = 9_999_999_999
DAY_MS = 86_400_000


@dataclass(slots=True)
class Slip:
    """What the clerk wrote down of one block."""

    id: int
    first: int
    last: int
    numbers: list[int]  # not yet given
    until: int | None


class Pencil(Stepping):
    """Grants, numbers given, time, restarts."""

    EXAMPLES = 220
    LENGTH = 150

    def __init__(self) -> None:
        super().__init__()
        self.blocks: Blocks = ()
        self.slips: list[Slip] = []
        self.now = 1_000 * DAY_MS
        self.free = 1
        self.granted = self.block_id = 0
        self.given: list[int] = []
        self.in_order = 0  # numbers ascend from here on: the clock was not set back since

    # what may happen
    @rule(gap=st.integers(0, 3), count=st.integers(1, 5), days=st.sampled_from([None, 0, 1, 3]))
    def grant(self, gap: int, count: int, days: int | None) -> None:
        """A block behind all others comes in."""
        first, last = self.free + gap, self.free + gap + count - 1
        if last > LAST:
            return
        until = None if days is None else self.now + days * DAY_MS
        self.block_id += 1
        number = self.block_id
        self.slips.append(Slip(number, first, last, list(range(first, last + 1)), until))
        block = Block(number, "U", "C", first, last, first, until or 0)
        self.blocks = (*self.blocks, block)
        self.free = last + 1
        self.granted += count

    @rule()
    def the_rest_of_the_code_is_near(self) -> None:
        """Go on with the last numbers there are."""
        if 300 < self.free < LAST - 1_000:
            self.free = LAST - 40

    @rule(times=st.integers(1, 4))
    def give(self, times: int) -> None:
        """Numbers are asked for."""
        for _ in range(times):
            expected = self._next()
            taken = numbers.take(self.blocks, self.now)
            assert expected == (taken and taken[:2])
            if taken is not None:
                self.blocks = taken[2]
                assert taken[0] > max(self.given[self.in_order : -1], default=0)
                self._text_is_read_back(taken[0])

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        """Time passes, perhaps beyond the last day of a block."""
        self.now += hours * DAY_MS // 24

    @rule()
    def wait_to_the_last_moment(self) -> None:
        """A block is good up to its last millisecond, and not one longer."""
        ends = [slip.until for slip in self.slips if slip.until and slip.until >= self.now]
        if ends:
            self.now = min(ends)
            self.give(1)
            self.now += 1

    @rule(hours=st.integers(1, 30))
    def set_the_clock_back(self, hours: int) -> None:
        """It was wrong: a block that had expired is good again."""
        self.now -= hours * DAY_MS // 24
        self.in_order = len(self.given)

    @rule()
    def restart(self) -> None:
        """Only what was written down is left: open blocks, expired ones among them."""
        self.blocks = tuple(
            Block(slip.id, "U", "C", slip.first, slip.last, slip.numbers[0], slip.until or 0)
            for slip in self.slips
        )

    # what must hold
    @invariant()
    def every_number_is_somewhere(self) -> None:
        """Given once or still to come (I1, I2, I3)."""
        left = [number for slip in self.slips for number in slip.numbers]
        here = [n for block in self.blocks for n in range(block.next, block.last + 1)]
        assert left == here
        assert len(left) == numbers.left(self.blocks)
        assert self.granted == len(self.given) + len(left)
        assert len(self.given) == len({*self.given})

    # the clerk
    def _next(self) -> tuple[int, int] | None:
        """Cross out the next number; blocks past their last day are passed over and stay."""
        for place, slip in enumerate(self.slips):
            if slip.until is None or self.now <= slip.until:
                number = slip.numbers.pop(0)
                if not slip.numbers:
                    del self.slips[place]
                self.given.append(number)
                return number, slip.id
        return None

    def _text_is_read_back(self, number: int) -> None:
        text = numbers.number_text(number)
        assert f"{number:0>10}" == text
        assert number == numbers.parse_number(text)
        wrong = [text[1:], f"0{text}", f" {text[1:]}", f"{text[:9]}x", "0" * 10]
        assert [None] * 5 == [numbers.parse_number(each) for each in wrong]
