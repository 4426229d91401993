"""Stock: in which state each block is, and how many days the numbers in hand will last.

The durable states stand in fep/domain/numbers.py; a person is told finer ones: a block that is
`granted` has not begun. The forecast goes by the busiest day, for a stock must last through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fep.domain.numbers import BlockState

LOW_DAYS = 7
LOOK_BACK_DAYS = 28
GRANTED = "granted"


def phase(state: str, first: int, next_: int, not_after: int, now_ms: int) -> str:
    """Return the state of a block as a person reads it."""
    if state != BlockState.ACTIVE:
        return state
    if 0 < not_after < now_ms:
        return BlockState.EXPIRED.value
    return GRANTED if next_ == first else BlockState.ACTIVE.value


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a stock lasts; `days` is None when nothing was used lately."""

    left: int
    busiest: int
    days: int | None

    @property
    def low(self) -> bool:
        """Say whether it is time to ask for more."""
        return self.days is not None and self.days < LOW_DAYS


def forecast(left: int, used_by_day: Sequence[int]) -> Forecast:
    """Return for how many days of the busiest rate the numbers last."""
    busiest = max(used_by_day, default=0)
    return Forecast(left, busiest, left // busiest if busiest else None)


@dataclass(frozen=True, slots=True)
class Totals:
    """Every number of one unit and code, each counted in exactly one member."""

    granted: int
    used: int = 0
    unsigned: int = 0
    burned: int = 0
    returned: int = 0
    expired: int = 0
    reserve: int = 0
    left: int = 0

    @property
    def accounted(self) -> int:
        """Return how many numbers are in one of the states."""
        return (self.used + self.unsigned + self.burned + self.returned + self.expired
                + self.reserve + self.left)  # fmt: skip


REST = {
    BlockState.ACTIVE.value: "left",
    BlockState.EXHAUSTED.value: "left",  # none is left; one that is shows as a wrong sum
    BlockState.RESERVE.value: "reserve",
    BlockState.EXPIRED.value: "expired",
    BlockState.RETURNED.value: "returned",
    BlockState.BURNED.value: "burned",
}


def added(totals: Totals, counts: Mapping[str, int]) -> Totals:
    """Return totals with counts added, member by member."""
    values = {name: getattr(totals, name) for name in Totals.__slots__}
    for name, count in counts.items():
        values[name] += count
    return Totals(**values)
