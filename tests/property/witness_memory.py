"""The witness against somebody who saw every number: copies put back never give one again (I1).

Pure: lines as they are written after each commit, torn or lost by a crash; a store that is
copied and put back; fences that are lifted; a platform that repeats its grants.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from fep.domain import witness
from fep.domain.witness import Finding, Line, Span, StoreSide
from tests.property.stepping import Stepping

UNIT, CODES = "U", ("42060126", "42060226")


@dataclass(slots=True)
class Block:
    """A block as a store has it."""

    code: str
    first: int
    last: int
    next: int
    id: int
    burned: bool = False

    def span(self) -> Span:
        """Return it as the witness is told."""
        upto = self.last + 1 if self.burned else self.next
        return Span(UNIT, self.code, self.first, self.last, upto, self.id)


@dataclass(slots=True)
class Disk:
    """All that a copy of the data directory holds."""

    instance: str = ""
    epoch: int = 0
    hashes: list[bytes] = field(default_factory=lambda: [bytes(32)])
    blocks: list[Block] = field(default_factory=list)


class Witnessed(Stepping):
    """One store, its copies, and a witness on another disk."""

    EXAMPLES = 90
    LENGTH = 120

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.copies: list[Disk] = []
        self.lines: list[bytes] = []
        self.commits = self.names = 0
        self.granted: list[tuple[str, int, int]] = []  # by the platform, each once
        self.free = 1
        self.seen: set[tuple[str, int]] = set()  # every number that ever left
        self.newest: bytes | None = None  # chain hash of what the witness saw last
        self._open()

    # what the platform does
    @rule(code=st.sampled_from(CODES), gap=st.integers(0, 1), count=st.integers(1, 5))
    def grant(self, code: str, gap: int, count: int) -> None:
        """A new block comes in."""
        first = self.free + gap
        self.free = first + count
        self.granted.append((code, first, first + count - 1))
        self._take_in(*self.granted[-1])

    @rule(pick=st.integers(0, 40))
    def grant_again(self, pick: int) -> None:
        """The platform repeats itself; what is here, burned or used up is not taken again."""
        if self.granted:
            self._take_in(*self.granted[pick % len(self.granted)])

    # what the store does
    @rule(code=st.sampled_from(CODES), times=st.integers(1, 4), told=st.sampled_from("yyyytl"))
    def give(self, code: str, times: int, told: str) -> None:
        """Numbers leave, each after its line; at a crash the last line is torn or lost."""
        for _ in range(times):
            if not self.open:
                return
            held = [b for b in self.disk.blocks if b.code == code and not b.burned]
            block = next((b for b in held if b.next <= b.last), None)
            if block is None:
                return
            number = (code, block.next)
            block.next += 1
            if told == "y":
                assert number not in self.seen
                self.seen.add(number)
                self._commit([block])
            else:  # nobody was answered: the number is in the store alone
                self._commit([block], torn=told == "t", lost=told == "l")
                self._open()

    @rule()
    def copy(self) -> None:
        """Somebody copies the data directory."""
        self.copies = [*self.copies[-3:], copy.deepcopy(self.disk)]

    @rule(pick=st.integers(0, 3))
    def put_a_copy_back(self, pick: int) -> None:
        """It is the newest state, or the fence is closed."""
        if self.copies:
            self.disk = copy.deepcopy(self.copies[pick % len(self.copies)])
            self._open()

    @rule()
    def restart(self) -> None:
        """Nothing has happened: nothing is fenced that was not."""
        before = self.open
        self._open()
        assert before == self.open

    @rule()
    def the_witness_is_gone(self) -> None:
        """A store that had one gives nothing without it, until the disk is found again."""
        away, self.lines = (self.lines, self.newest), []
        self.newest = None
        self._open()
        assert not self.open
        self.lines, self.newest = away
        self._open()

    @rule()
    def a_person_lifts_the_fence(self) -> None:
        """Every open block is burned, and whatever else the witness saw."""
        told = witness.testimony(self.lines)
        if self.open or told is None:
            return
        for block in self.disk.blocks:
            block.burned = True
        ranges = {code: [(b.first, b.last) for b in self.disk.blocks if b.code == code]
                  for code in CODES}  # fmt: skip
        for span in told.spans.values():
            for first, last in witness.unknown(span, ranges[span.code]):
                self.disk.blocks.append(
                    Block(span.code, first, last, first, len(self.disk.blocks) + 1, True)
                )
        self.disk.instance = told.line.instance
        self.disk.epoch = max(self.disk.epoch, told.line.epoch) + 1
        self._hash()
        self.lines = [self._line(self.disk.blocks, full=True)]
        self._open()
        assert self.open

    @rule()
    def a_segment_ends(self) -> None:
        """The next begins with a full line, short and telling the same."""
        if self.open:
            before = witness.testimony(self.lines)
            self.lines = [self._line(self.disk.blocks, full=True)]
            after = witness.testimony(self.lines)
            assert before is not None
            assert after is not None
            assert self._numbers(before) == self._numbers(after)

    # what must hold
    @invariant()
    def the_witness_saw_what_left(self) -> None:
        """Every number that left lies below the `next` of a span."""
        told = witness.testimony(self.lines)
        assert told is not None
        assert self.seen <= self._numbers(told)

    # inside
    def _open(self) -> None:
        """Start: compare, and begin a witness where there never was one."""
        told = witness.testimony(self.lines)
        disk, seq = self.disk, len(self.disk.hashes) - 1
        there = None
        if told is not None and told.line.seq <= seq:
            there = disk.hashes[told.line.seq]
        found = witness.compare(StoreSide(disk.instance, disk.epoch, seq, there), told)
        self.open = found in witness.OPEN
        assert self._expected() is self.open
        if found is Finding.NEW:
            self.names += 1
            disk.instance, disk.epoch = f"n{self.names}", 1
            self._commit([], full=True)
        elif self.open:  # lines that were torn or lost are made good
            self.lines = [*self.lines, self._line(disk.blocks, full=True)]

    def _expected(self) -> bool:
        """Open when the store holds all the witness saw, or neither has a past."""
        if self.newest is None:
            return not self.disk.instance
        return self.newest in self.disk.hashes

    def _hash(self) -> None:
        self.commits += 1
        self.disk.hashes.append(self.commits.to_bytes(32, "big"))

    def _commit(self, changed: list[Block], *, full: bool = False, torn: bool = False,
                lost: bool = False) -> None:  # fmt: skip
        self._hash()
        if lost or (torn and not self.lines):
            return
        if torn:
            seq = len(self.disk.hashes) - 1
            told = Line(self.disk.instance, self.disk.epoch, seq, self.disk.hashes[-1], 7)
            line = witness.encode(told)
            self.lines.append(line[: len(line) // 2])
            return
        self.lines.append(self._line(changed, full=full))

    def _line(self, blocks: list[Block], *, full: bool) -> bytes:
        spans = tuple(block.span() for block in blocks)
        self.newest = self.disk.hashes[-1]
        seq = len(self.disk.hashes) - 1
        line = Line(self.disk.instance, self.disk.epoch, seq, self.newest, 7,
                    witness.merged(spans) if full else spans, full)  # fmt: skip
        raw = witness.encode(line)
        assert line == witness.decode(raw)
        return raw

    def _take_in(self, code: str, first: int, last: int) -> None:
        overlaps = any(
            block.code == code and block.first <= last and block.last >= first
            for block in self.disk.blocks
        )
        if self.open and not overlaps:
            block = Block(code, first, last, first, len(self.disk.blocks) + 1)
            self.disk.blocks.append(block)
            self._commit([block])

    def _numbers(self, told: witness.Testimony) -> set[tuple[str, int]]:
        """Return the numbers below the `next` of each span that ever left."""
        return {
            (span.code, number)
            for span in told.spans.values()
            for number in range(span.first, span.next)
        } & self.seen
