"""What the wall clock may do. It is compared with the monotonic clock, which nobody can set.

Rules: a step is journalled; a big one stops automatic issuing until a person has looked, for
its dates would stand on receipts; time that the machine was down is counted for the offline
budget even when the clock was set back meanwhile (I12, I13). Pure; all times in ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MS_PER_MINUTE = 60_000
# A machine may well be off over the holidays; later than this at a start looks like a wrong year.
START_FORWARD_MS = 30 * 86_400_000
# A clock that agrees with the platform's to this is right, however far it has just moved.
BORNE_OUT_MS = 10 * MS_PER_MINUTE


class Verdict(StrEnum):
    """What to do about a step: nothing, a record, or a stop."""

    STEADY = "steady"
    NOTED = "noted"
    BACK = "CLOCK_BACK"
    FORWARD = "CLOCK_FORWARD"


STOPPING = (Verdict.BACK, Verdict.FORWARD)


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where a step is journalled, and from where it stops issuing."""

    step_ms: int = 2_000
    back_ms: int = 10 * MS_PER_MINUTE
    forward_ms: int = 24 * 60 * MS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment."""

    wall_ms: int
    mono_ms: int


def step_ms(before: Reading, now: Reading) -> int:
    """Return by how much the wall clock was set, backwards negative."""
    return (now.wall_ms - before.wall_ms) - (now.mono_ms - before.mono_ms)


def judge(step: int, bounds: Bounds, offset_before_ms: int | None) -> Verdict:
    """Return what a step means while running.

    `offset_before_ms` is platform minus ours before it, None when the platform was never
    heard: a step forward that the platform bears out is a repair.
    """
    if abs(step) <= bounds.step_ms:
        return Verdict.STEADY
    if step < -bounds.back_ms:
        return Verdict.BACK
    borne_out = offset_before_ms is not None and abs(offset_before_ms - step) <= BORNE_OUT_MS
    if step > bounds.forward_ms and not borne_out:
        return Verdict.FORWARD
    return Verdict.NOTED


def judge_start(last_wall_ms: int, now_wall_ms: int, bounds: Bounds) -> Verdict:
    """Return what the clock at a start means, given the last time that was written down."""
    gap = now_wall_ms - last_wall_ms
    if not last_wall_ms or gap >= 0:
        return Verdict.FORWARD if last_wall_ms and gap > START_FORWARD_MS else Verdict.STEADY
    if gap < -bounds.back_ms:
        return Verdict.BACK
    return Verdict.NOTED if gap < -bounds.step_ms else Verdict.STEADY


def downtime_ms(last: Reading, now: Reading, bounds: Bounds) -> int | None:
    """Return how long the machine or daemon was down at least; None when nobody can tell.

    The monotonic clock begins anew with a boot, so what it shows is a lower bound either way.
    A small step back is a clock that drifted; it is counted as the largest such step.
    """
    ran = now.mono_ms - last.mono_ms
    least = ran if ran >= 0 else now.mono_ms
    gap = now.wall_ms - last.wall_ms
    if gap >= 0:
        return max(gap, least)
    return max(bounds.back_ms, least) if gap >= -bounds.back_ms else None
