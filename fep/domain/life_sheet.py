"""The life of a paper sheet (纸质票): blank, used for one receipt, or void with evidence.

Rules: sheets of a point are used in ascending order; a sheet that is passed over must be
void first, never silently; a used sheet belongs to exactly one receipt. Sheet numbers are
text with their zeros: 00012 and 12 are different papers. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fep.domain.faults import refuse

NUMBER_WIDTH_MAX = 18  # fits 64 bits
VOID_AT_ONCE_MAX = 1000
_NAME = re.compile(r"([0-9A-Za-z]{1,20})-([0-9]{1,18})", re.ASCII)


class SheetState(StrEnum):
    """Where a sheet is."""

    BLANK = "blank"
    USED = "used"
    VOID = "void"


class SheetStep(StrEnum):
    """What happens to a sheet: 换开, 重新换开 (to the old sheet), 作废."""

    EXCHANGE = "exchange"
    REPLACE = "replace"
    VOID = "void"


SHEET_TABLE: Mapping[tuple[SheetState, SheetStep], SheetState] = MappingProxyType(
    {
        (SheetState.BLANK, SheetStep.EXCHANGE): SheetState.USED,
        (SheetState.BLANK, SheetStep.VOID): SheetState.VOID,
        (SheetState.USED, SheetStep.REPLACE): SheetState.VOID,
        (SheetState.USED, SheetStep.VOID): SheetState.VOID,
    }
)
SHEET_REFUSALS: Mapping[tuple[SheetState, SheetStep], str] = MappingProxyType(
    {
        (SheetState.USED, SheetStep.EXCHANGE): "PAPER_USED",
        (SheetState.VOID, SheetStep.EXCHANGE): "PAPER_VOID",
        (SheetState.BLANK, SheetStep.REPLACE): "PAPER_NOT_EXCHANGED",
        (SheetState.VOID, SheetStep.REPLACE): "PAPER_VOID",
        (SheetState.VOID, SheetStep.VOID): "PAPER_VOID",
    }
)


def decide(state: SheetState, step: SheetStep, sheet: str) -> SheetState:
    """Return the next state of a sheet. Raises Refused PAPER_*."""
    after = SHEET_TABLE.get((state, step))
    if after is None:
        raise refuse(SHEET_REFUSALS[state, step], sheet=sheet, receipt="")
    return after


class SheetBlockState(StrEnum):
    """Durable states of a block of sheets."""

    ACTIVE = "active"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class SheetBlock:
    """纸质票号段 of one unit and point; `next` is the first sheet not yet used or void."""

    id: int
    unit: str
    point: str
    code: str
    first: int
    last: int
    next: int
    width: int

    @property
    def left(self) -> int:
        """Return how many sheets lie before us, void ones among them."""
        return self.last - self.next + 1

    def text(self, number: int) -> str:
        """Return a number of this block with its zeros."""
        return str(number).zfill(self.width)

    def ref(self, number: int) -> str:
        """Return the name of a sheet, code-number."""
        return f"{self.code}-{self.text(number)}"


def parse_range(first: str, last: str) -> tuple[int, int, int]:
    """Return (first, last, width) of two sheet numbers. Raises Refused PAPER_RANGE."""
    shaped = all(text.isascii() and text.isdigit() for text in (first, last))
    if not shaped or len(first) != len(last) or len(first) > NUMBER_WIDTH_MAX or first > last:
        raise refuse("PAPER_RANGE", first=first[:20], last=last[:20])
    return int(first), int(last), len(first)


def parse_sheet(name: str) -> tuple[str, str]:
    """Return (code, number) of a sheet's name. Raises Refused PAPER_NAME."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise refuse("PAPER_NAME", sheet=name[:40])
    return found[1], found[2]
