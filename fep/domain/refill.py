"""Refill: how many numbers a kind should have in hand, and what is asked for when it has less.

A stock should last through the busiest TARGET_DAYS days on end that were seen lately. What is
asked for is a whole target, so that one request is enough; a code of last year is never asked
for, and that of the next year only in December, by what this year's code used. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from fep.domain.kind_check import Stocked, year_ends

TARGET_DAYS = 14
ROUND_TO = 100
REQUESTED = "requested"  # the state of numbers that were asked for and are not here yet

Used = Mapping[str, int]
"""Numbers used by business day YYYY-MM-DD."""


@dataclass(frozen=True, slots=True)
class Need:
    """A stock below its target; `count` is how many numbers to ask for."""

    unit: str
    code: str
    left: int
    target: int

    @property
    def count(self) -> int:
        """Return the target, rounded up to what a bureau would grant."""
        return -(-self.target // ROUND_TO) * ROUND_TO


def target(used: Used) -> int:
    """Return the numbers of the busiest TARGET_DAYS days on end."""
    days = {date.fromisoformat(day).toordinal(): count for day, count in used.items()}
    return max(
        (sum(days.get(first + step, 0) for step in range(TARGET_DAYS)) for first in days),
        default=0,
    )


def needs(rows: Iterable[Stocked], used: Mapping[tuple[str, str], Used], at_ms: int) -> list[Need]:
    """Return what is to be asked for; `used` is by unit and code."""
    found: list[Need] = []
    for row in rows:
        aim = target(used.get((row.unit, row.code), {}))
        if row.left < aim:
            found.append(Need(row.unit, row.code, row.left, aim))
        if year_ends(at_ms) and row.next_code != row.code and row.next_left < aim:
            found.append(Need(row.unit, row.next_code, row.next_left, aim))
    return found
