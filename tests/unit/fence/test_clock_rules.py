"""The wall clock as pure rules, and the watch that applies them to a running store."""

from __future__ import annotations

from typing import Any

import pytest

from fep.domain.clock import (
    Bounds,
    Reading,
    Verdict,
    downtime_ms,
    judge,
    judge_start,
    step_ms,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BOUNDS = Bounds()
NOW = 1_795_219_200_000


def test_a_step_is_what_the_monotonic_clock_does_not_share():
    before, now = Reading(NOW, 1_000), Reading(NOW + 31_000, 2_000)

    assert 30_000 == step_ms(before, now)
    assert 0 == step_ms(before, Reading(NOW + 1_000, 2_000))


@pytest.mark.parametrize(
    ("step", "offset", "verdict"),
    [
        (2_000, None, Verdict.STEADY),
        (-2_000, None, Verdict.STEADY),
        (2_001, None, Verdict.NOTED),
        (-10 * MINUTE, None, Verdict.NOTED),
        (-10 * MINUTE - 1, None, Verdict.BACK),
        (-11 * MINUTE, -11 * MINUTE, Verdict.BACK),
        (DAY, None, Verdict.NOTED),
        (DAY + 1, None, Verdict.FORWARD),
        (3 * DAY, 3 * DAY, Verdict.NOTED),
        (3 * DAY, 0, Verdict.FORWARD),
    ],
)
def test_a_running_clock_is_judged(step: int, offset: int | None, verdict: Verdict):
    assert verdict == judge(step, BOUNDS, offset)


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (0, Verdict.STEADY),
        (NOW - DAY * 20, Verdict.STEADY),
        (NOW - DAY * 31, Verdict.FORWARD),
        (NOW + 2_000, Verdict.STEADY),
        (NOW + 5_000, Verdict.NOTED),
        (NOW + 11 * MINUTE, Verdict.BACK),
    ],
)
def test_a_clock_at_a_start_is_judged(last: int, verdict: Verdict):
    assert verdict == judge_start(last, NOW, BOUNDS)


@pytest.mark.parametrize(
    ("last", "now", "down"),
    [
        (Reading(NOW, 50_000), Reading(NOW + HOUR, 50_000 + HOUR), HOUR),
        (Reading(NOW, 50_000), Reading(NOW + HOUR, 10_000), HOUR),
        (Reading(NOW, 50_000), Reading(NOW + 5_000, 50_000 + DAY), DAY),  # set back meanwhile
        (Reading(NOW, 50_000), Reading(NOW + 5_000, 40_000), 40_000),
        (Reading(NOW, 50_000), Reading(NOW - 3_000, 10_000), 10 * MINUTE),
        (Reading(NOW, 50_000), Reading(NOW - 3_000, 50_000 + DAY), DAY),
        (Reading(NOW, 50_000), Reading(NOW - DAY, 10_000), None),
    ],
)
def test_time_down_is_never_hidden_by_the_wall_clock(last: Reading, now: Reading, down: int | None):
    assert down == downtime_ms(last, now, BOUNDS)


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self, wall_ms: int) -> None:
        self.wall_ms, self.mono_s = wall_ms, 1_000.0

    def wall(self) -> Any:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.wall_ms / 1000, UTC)

    def mono(self) -> float:
        return self.mono_s

    def pass_(self, seconds: float) -> None:
        self.mono_s += seconds
        self.wall_ms += int(seconds * 1000)


class Watched:
    """A store whose clock is watched; `held` are the refusals in the order they came."""

    def __init__(self, room: Any, hands: Hands) -> None:
        from fep.services.clockwatch import ClockWatch
        from fep.settings_types import ClockSettings
        from tests.unit.fence.guarded import Notes

        self.room, self.hands, self.held = room, hands, []
        self.watch = ClockWatch(
            hands, room.store, ClockSettings(), Notes(),
            hold=lambda refused: self.held.append(refused.code if refused else ""),
            offset_ms=lambda: None,
        )  # fmt: skip

    def ops(self) -> list[str]:
        self.room.clock.advance(0)
        return self.room.ops("clock.")


@pytest.fixture
def watched(room: Any) -> Watched:
    """Return a watch that has started on a steady clock."""
    hands = Hands(room.wall_ms + 1_000)
    told = Watched(room, hands)
    told.watch.start(0)
    return told


def test_a_steady_clock_leaves_no_record(watched: Watched):
    for _second in range(200):
        watched.hands.pass_(1)
        watched.watch.tick()

    assert [] == watched.ops()
    assert [] == watched.held


def test_a_big_step_back_stops_issuing_until_a_person_confirms(watched: Watched):
    watched.hands.pass_(1)
    watched.hands.wall_ms -= 11 * MINUTE
    watched.watch.tick()

    assert ["CLOCK_BACK"] == watched.held
    assert (1, -11 * MINUTE) == (watched.watch.steps, watched.watch.last_step[1])

    watched.room.run(watched.watch.confirm("校准", "admin"))
    assert ["CLOCK_BACK", ""] == watched.held
    assert ["clock.stepped", "clock.confirmed"] == watched.ops()
    assert watched.watch.fault is None


def test_a_stop_stays_over_a_restart_and_only_a_stop_can_be_confirmed(watched: Watched):
    from fep.domain.faults import Refused

    with pytest.raises(Refused, match="CLOCK_FINE"):
        watched.room.run(watched.watch.confirm("没有原因", "admin"))
    watched.hands.pass_(1)
    watched.hands.wall_ms += 2 * DAY
    watched.watch.tick()
    watched.ops()

    again = Watched(watched.room, watched.hands)
    again.watch.start(0)

    assert ["CLOCK_FORWARD"] == again.held


def test_steady_time_never_goes_back(watched: Watched):
    before = watched.watch.steady_ms()
    watched.hands.pass_(60)
    watched.hands.wall_ms -= DAY

    assert before + MINUTE == watched.watch.steady_ms()


def test_a_clock_set_back_while_down_counts_as_time_nobody_can_tell(watched: Watched):
    watched.hands.pass_(120)
    watched.watch.tick()
    watched.watch.stop()
    watched.ops()
    watched.hands.mono_s = 30.0  # a reboot
    watched.hands.wall_ms -= DAY

    again = Watched(watched.room, watched.hands)
    again.watch.start(0)

    assert again.watch.absent_ms is None
    assert ["CLOCK_BACK"] == again.held


def test_a_small_step_back_over_a_restart_is_noted_and_counted_as_the_largest(watched: Watched):
    watched.watch.stop()
    watched.ops()
    watched.hands.mono_s = 30.0
    watched.hands.wall_ms -= 5_000

    again = Watched(watched.room, watched.hands)
    again.watch.start(watched.hands.wall_ms)

    assert (10 * MINUTE, []) == (again.watch.absent_ms, again.held)
    assert ["clock.stepped"] == again.ops()
