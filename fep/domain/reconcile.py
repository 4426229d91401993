"""Our books beside the platform's: totals first, then receipts only where totals differ.

Rules: a difference has a type, and each type one safe repair; what the platform alone has is
never invented here; an amount is never changed by a machine; what is still on its way is no
difference. A difference is gone only when a later comparison agrees. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fep.domain.faults import refuse
from fep.domain.money import Fen

IN_TRANSIT = ("due", "sent")
REFUSED = ("rejected", "conflict", "closed", "")


@dataclass(frozen=True, slots=True)
class Line:
    """One receipt in one side's books. What only our side knows has a default.

    `unsure`: our red receipt for it is on its way, so whether it counts as reversed there
    cannot be known. `delivery` is where its own record is.
    """

    code: str
    number: str
    kind: str
    fen: Fen
    reversed: bool = False
    written_off: bool = False
    booked: bool = False
    delivery: str = "applied"
    unsure: bool = False
    unit: str = ""
    check_code: str = ""

    @property
    def state(self) -> str:
        """Return the state in words: normal, reversed, written_off, booked, joined by +."""
        names = ("reversed", "written_off", "booked")
        return "+".join(name for name in names if getattr(self, name)) or "normal"


def with_state(line: Line, state: str) -> Line:
    """Return the line with the flags that a state in words names."""
    words = state.split("+")
    return Line(line.code, line.number, line.kind, line.fen, "reversed" in words,
                "written_off" in words, "booked" in words)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Total:
    """What one side holds of a code and kind on a day of issue.

    `digest` is over all its lines; empty where a platform cannot tell one.
    """

    code: str
    kind: str
    blue: int = 0
    blue_fen: Fen = 0
    red: int = 0
    red_fen: Fen = 0
    reversed: int = 0
    written_off: int = 0
    booked: int = 0
    digest: str = ""

    def agrees(self, other: Total) -> bool:
        """Say whether both sides hold the same; a digest counts when both have one."""
        mine, others = self.figures(), other.figures()
        undigested = not (self.digest and other.digest)
        return mine == others and (undigested or self.digest == other.digest)

    def figures(self) -> tuple[int, ...]:
        """Return the figures in the order of the fields."""
        return (self.blue, self.blue_fen, self.red, self.red_fen, self.reversed,
                self.written_off, self.booked)  # fmt: skip


def totals(lines: Iterable[Line], sm3_hex: Callable[[bytes], str]) -> list[Total]:
    """Return the totals of lines, by code and kind."""
    grouped: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        grouped[line.code, line.kind].append(line)
    found = []
    for (code, kind), rows in sorted(grouped.items()):
        blue = [row.fen for row in rows if row.fen >= 0]
        red = [row.fen for row in rows if row.fen < 0]
        text = "\n".join(sorted(f"{row.number}|{row.fen}|{row.state}" for row in rows))
        found.append(
            Total(
                code, kind, len(blue), sum(blue), len(red), sum(red),
                sum(row.reversed for row in rows), sum(row.written_off for row in rows),
                sum(row.booked for row in rows), sm3_hex(text.encode()),
            )
        )  # fmt: skip
    return found


def differing(here: Iterable[Total], there: Iterable[Total]) -> list[tuple[str, str]]:
    """Return the codes and kinds whose totals differ, those of one side alone included."""
    ours = {(total.code, total.kind): total for total in here}
    theirs = {(total.code, total.kind): total for total in there}
    return [
        key
        for key in sorted(ours.keys() | theirs.keys())
        if not ours.get(key, Total(*key)).agrees(theirs.get(key, Total(*key)))
    ]


class Gap(StrEnum):
    """The type of a difference."""

    ONLY_HERE = "only_here"
    ONLY_THERE = "only_there"
    AMOUNT = "amount"
    STATE = "state"


class Repair(StrEnum):
    """What is done about a difference."""

    RESEND = "resend"  # deliver the receipt again, as a new record
    RESEND_RED = "resend_red"  # deliver the receipt that reverses it again
    MARK = "mark"  # take over what the platform says of it
    REPORT = "report"  # a person has told the platform; nothing changes here
    DECIDE = "decide"  # a person decides; nothing changes here
    ASK_AGAIN = "ask_again"  # the next comparison shows whether it is still so


@dataclass(frozen=True, slots=True)
class Difference:
    """One receipt on which the books differ."""

    gap: Gap
    code: str
    number: str
    kind: str
    here: Line | None
    there: Line | None

    @property
    def name(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found; `in_transit` and `refused` are known and no differences.

    `apart` is these receipts themselves: they stand in our totals and not in the platform's.
    """

    differences: tuple[Difference, ...]
    in_transit: int = 0
    refused: int = 0
    apart: tuple[Line, ...] = ()


def compare(here: Iterable[Line], there: Iterable[Line]) -> Compared:
    """Return the differences between two lists of receipts."""
    ours = {(line.code, line.number): line for line in here}
    theirs = {(line.code, line.number): line for line in there}
    found: list[Difference] = []
    in_transit = refused = 0
    apart: list[Line] = []
    for key in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(key), theirs.get(key)
        if mine is not None and other is None and mine.delivery in IN_TRANSIT:
            in_transit += 1
            apart.append(mine)
            continue
        if mine is not None and other is None and mine.delivery in REFUSED:
            refused += 1
            apart.append(mine)
            continue
        gap = _gap(mine, other)
        if gap is not None:
            kind = (mine or other or _NOBODY).kind
            found.append(Difference(gap, *key, kind, mine, other))
    return Compared(tuple(found), in_transit, refused, tuple(apart))


_NOBODY = Line("", "", "", 0)


def _gap(mine: Line | None, other: Line | None) -> Gap | None:
    if other is None:
        return Gap.ONLY_HERE
    if mine is None:
        return Gap.ONLY_THERE
    if (mine.fen, mine.kind) != (other.fen, other.kind):
        return Gap.AMOUNT
    same = (mine.written_off, mine.booked) == (other.written_off, other.booked)
    reversal = mine.unsure or mine.reversed == other.reversed
    return None if same and reversal else Gap.STATE


def repair_of(gap: Gap, here: str, there: str) -> Repair:
    """Return the safe repair of a difference; `here` and `there` are states in words."""
    if gap is not Gap.STATE:
        return _REPAIRS[gap]
    ours, theirs = set(here.split("+")), set(there.split("+"))
    if "reversed" in ours - theirs:
        return Repair.RESEND_RED
    if "reversed" in theirs - ours:
        return Repair.DECIDE
    if {"written_off", "booked"} & (theirs - ours):
        return Repair.MARK
    return Repair.ASK_AGAIN


_REPAIRS: Mapping[Gap, Repair] = MappingProxyType(
    {
        Gap.ONLY_HERE: Repair.RESEND,
        Gap.ONLY_THERE: Repair.REPORT,
        Gap.AMOUNT: Repair.DECIDE,
    }
)


class GapState(StrEnum):
    """Where a difference stands."""

    OPEN = "differs"
    REPAIRING = "repairing"  # something was done; the next comparison tells whether it helped
    NOTED = "noted"  # a person has reported or decided it; it still differs
    GONE = "gone"  # both books agree again


_STATE_ZH = {
    GapState.OPEN: "待处理", GapState.REPAIRING: "已处理、待复核", GapState.NOTED: "已登记",
    GapState.GONE: "已一致",
}  # fmt: skip


class GapStep(StrEnum):
    """What happens to a difference."""

    # from a comparison
    FOUND = "found"
    AGREES = "agrees"
    # from a person
    REPAIR = "repair"
    NOTE = "note"


GAP_TABLE: Mapping[tuple[GapState, GapStep], GapState] = MappingProxyType(
    {
        (GapState.OPEN, GapStep.FOUND): GapState.OPEN,
        (GapState.OPEN, GapStep.AGREES): GapState.GONE,
        (GapState.OPEN, GapStep.REPAIR): GapState.REPAIRING,
        (GapState.OPEN, GapStep.NOTE): GapState.NOTED,
        (GapState.REPAIRING, GapStep.FOUND): GapState.OPEN,
        (GapState.REPAIRING, GapStep.AGREES): GapState.GONE,
        (GapState.NOTED, GapStep.FOUND): GapState.NOTED,
        (GapState.NOTED, GapStep.AGREES): GapState.GONE,
        (GapState.NOTED, GapStep.NOTE): GapState.NOTED,
        (GapState.GONE, GapStep.FOUND): GapState.OPEN,
    }
)


def step_of(repair: Repair) -> GapStep:
    """Return what a repair does to the difference: what only a person can settle is noted."""
    return GapStep.NOTE if repair in (Repair.REPORT, Repair.DECIDE) else GapStep.REPAIR


def decide(state: GapState, step: GapStep, name: str) -> GapState:
    """Return the next state. Raises Refused REC_STATE."""
    after = GAP_TABLE.get((state, step))
    if after is None:
        raise refuse("REC_STATE", name=name, state=state.value, state_zh=_STATE_ZH[state])
    return after
