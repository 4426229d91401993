"""The life of a receipt after its number: sealed, reversed, or given up.

Rules: every step is a row of LIFE_TABLE; what the table does not hold is refused with the
reason and the next action; a blue receipt has at most one live red one, and the red one is a
receipt of its own with its own number. Flags (exchanged, booked, written off) are facts here,
never states: they come and go without touching the number. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fep.domain.faults import refuse
from fep.domain.life_marks import Booking


class Life(StrEnum):
    """Where a receipt stands. `REVERSING`: its red one has a number but no signature yet."""

    FROZEN = "frozen"
    SEALED = "sealed"
    REVERSING = "reversing"
    REVERSED = "reversed"
    BURNED = "burned"


class LifeStep(StrEnum):
    """What happens to a receipt, and who says so."""

    # from issue
    SEAL = "seal"
    BURN = "burn"
    # from the window
    REVERSE = "reverse"
    EXCHANGE = "exchange"
    PRINT = "print"
    # from issue, about the red receipt
    RED_SEALED = "red_sealed"
    RED_BURNED = "red_burned"


LIFE_TABLE: Mapping[tuple[Life, LifeStep], Life] = MappingProxyType(
    {
        (Life.FROZEN, LifeStep.SEAL): Life.SEALED,
        (Life.FROZEN, LifeStep.BURN): Life.BURNED,
        (Life.SEALED, LifeStep.EXCHANGE): Life.SEALED,
        (Life.SEALED, LifeStep.PRINT): Life.SEALED,
        (Life.SEALED, LifeStep.REVERSE): Life.REVERSING,
        (Life.REVERSING, LifeStep.RED_SEALED): Life.REVERSED,
        (Life.REVERSING, LifeStep.RED_BURNED): Life.SEALED,
        (Life.REVERSED, LifeStep.PRINT): Life.REVERSED,
    }
)
# Why a person's step is refused; every other pair without a row is a bug of ours.
LIFE_REFUSALS: Mapping[tuple[Life, LifeStep], str] = MappingProxyType(
    {
        (Life.FROZEN, LifeStep.REVERSE): "LIFE_UNSIGNED",
        (Life.FROZEN, LifeStep.EXCHANGE): "LIFE_UNSIGNED",
        (Life.FROZEN, LifeStep.PRINT): "LIFE_UNSIGNED",
        (Life.REVERSING, LifeStep.REVERSE): "LIFE_REVERSING",
        (Life.REVERSING, LifeStep.EXCHANGE): "LIFE_REVERSING",
        (Life.REVERSING, LifeStep.PRINT): "LIFE_REVERSING",
        (Life.REVERSED, LifeStep.REVERSE): "LIFE_REVERSED",
        (Life.REVERSED, LifeStep.EXCHANGE): "LIFE_REVERSED_PAPER",
        (Life.BURNED, LifeStep.REVERSE): "LIFE_BURNED",
        (Life.BURNED, LifeStep.EXCHANGE): "LIFE_BURNED",
        (Life.BURNED, LifeStep.PRINT): "LIFE_BURNED",
    }
)


class Verdict(StrEnum):
    """What configuration says of a reversal that may meet a payer's books."""

    ALLOWED = "allowed"
    FORCE = "force"  # only when the caller says `force`
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Policy:
    """[life] of fep.toml: reversing a booked receipt, or one whose booking is not known."""

    booked: Verdict = Verdict.FORCE
    unknown_booking: Verdict = Verdict.ALLOWED


@dataclass(frozen=True, slots=True)
class LifeFacts:
    """What `decide` may look at. `sheet` is the paper in the payer's hands, `red` its red one."""

    receipt: str
    is_red: bool = False
    sheet: str = ""
    red: str = ""
    booking: Booking = Booking.UNKNOWN
    force: bool = False
    policy: Policy = Policy()


@dataclass(frozen=True, slots=True)
class NoteBooking:
    """Journal what was known of the booking, and whether the caller insisted."""

    booking: Booking
    forced: bool


LifeEffect = NoteBooking


def decide(state: Life, step: LifeStep, facts: LifeFacts) -> tuple[Life, tuple[LifeEffect, ...]]:
    """Return the next state and the effects to release after the commit.

    Raises Refused LIFE_*; AssertionError for a step that no caller may ask for.
    """
    after = LIFE_TABLE.get((state, step))
    if after is None:
        code = LIFE_REFUSALS.get((state, step))
        assert code is not None, (state, step)
        raise refuse(code, receipt=facts.receipt, red=facts.red)
    if step is not LifeStep.REVERSE:
        return after, ()
    if facts.is_red:
        raise refuse("LIFE_RED", receipt=facts.receipt)
    if facts.sheet:
        raise refuse("LIFE_PAPER", receipt=facts.receipt, sheet=facts.sheet)
    return after, (_booking(facts),)


def _booking(facts: LifeFacts) -> NoteBooking:
    """Ask the configuration about the payer's books; not booked needs no asking."""
    wanted = {
        Booking.YES: (facts.policy.booked, "LIFE_BOOKED"),
        Booking.UNKNOWN: (facts.policy.unknown_booking, "LIFE_BOOKING"),
        Booking.NO: (Verdict.ALLOWED, ""),
    }
    verdict, code = wanted[facts.booking]
    insisted = verdict is Verdict.FORCE and facts.force
    if verdict is Verdict.ALLOWED or insisted:
        return NoteBooking(facts.booking, insisted)
    way = "force=true" if verdict is Verdict.FORCE else "[life]"
    raise refuse(code, receipt=facts.receipt, way=way)
