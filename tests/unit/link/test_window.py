"""Window, time-outs, gaps, states and the offline budget as tables."""

from __future__ import annotations

import pytest

from fep.domain.link import LinkFacts, LinkState, Standing, standing
from fep.domain.link_budget import MS_PER_HOUR, OfflineBudget, OfflineUse
from fep.domain.link_gap import GapWatch, missing, ranges
from fep.domain.link_window import RoundTrip, Timing, Window, timeout_s
from fep.settings_link import LinkSettings, OfflineSettings

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("batches", "size", "expected"),
    [(0, 0, True), (63, 0, True), (64, 0, False), (1, 64 * MIB - 1, True), (1, 64 * MIB, False)],
)
def test_the_window_bounds_batches_and_bytes(batches: int, size: int, expected: bool):
    assert expected == Window().open(batches, size)


@pytest.mark.parametrize(
    ("tries", "expected"),
    [(1, 120), (2, 240), (3, 480), (4, 960), (5, 1800), (6, 1800), (1000, 1800)],
)
def test_each_writing_doubles_the_wait_up_to_half_an_hour(tries: int, expected: float):
    assert expected == pytest.approx(timeout_s(RoundTrip(), Timing(), tries, 0.5))


def test_jitter_is_a_fifth_either_way():
    low = timeout_s(RoundTrip(), Timing(), 1, 0.0)
    high = timeout_s(RoundTrip(), Timing(), 1, 1 - 1e-12)

    assert (96.0, 144.0) == (pytest.approx(low), pytest.approx(high))


def test_the_measured_round_trip_replaces_the_first_guess():
    trip = RoundTrip()
    for _ in range(50):
        trip = trip.measured(20.0)

    assert 20.0 == pytest.approx(timeout_s(trip, Timing(), 1, 0.5), abs=0.1)
    assert 15.0 == timeout_s(RoundTrip().measured(0.01), Timing(), 1, 0.5)


@pytest.mark.parametrize(
    ("head", "held", "expected"),
    [(0, [], ()), (0, [1], ()), (0, [2], ((1, 1),)), (3, [7, 5], ((4, 4), (6, 6))),
     (5, [4, 6, 9], ((7, 8),))],
)  # fmt: skip
def test_holes_lie_between_the_head_and_what_is_held(head, held, expected):
    assert expected == missing(head, held)


def test_ranges_are_closed_and_bounded():
    assert ((1, 3), (5, 5)) == ranges([5, 2, 1, 3, 3])
    assert 64 == len(ranges(range(0, 1000, 2)))


def test_a_hole_is_asked_for_when_old_and_then_ever_more_rarely():
    watch, asks = GapWatch(60.0), []
    for second in range(0, 1000, 10):
        watch, ask = watch.look(((4, 4),), float(second))
        if ask:
            asks.append(second)

    assert [60, 180, 420, 900] == asks


def test_a_hole_that_closes_and_another_start_afresh():
    watch, _ = GapWatch(60.0).look(((4, 4),), 0.0)
    watch, _ = watch.look((), 59.0)
    watch, ask = watch.look(((5, 5),), 61.0)

    assert ((), 121.0) == (ask, watch.next_ask_s)


CALM = LinkFacts(silent_s=1.0)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (CALM, (LinkState.ONLINE, "")),
        (LinkFacts(), (LinkState.OFFLINE, "never-heard")),
        (LinkFacts(silent_s=121.0), (LinkState.OFFLINE, "silent")),
        (LinkFacts(silent_s=121.0, stopped="head"), (LinkState.STALLED, "head")),
        (LinkFacts(silent_s=1.0, paused=True), (LinkState.DEGRADED, "paused")),
        (LinkFacts(silent_s=1.0, carrier_fault="EIO"), (LinkState.DEGRADED, "carrier")),
        (LinkFacts(silent_s=1.0, refused="version"), (LinkState.DEGRADED, "refused-version")),
        (LinkFacts(silent_s=1.0, oldest_sent_s=901.0), (LinkState.DEGRADED, "late")),
        (LinkFacts(silent_s=1.0, oldest_sent_s=899.0), (LinkState.ONLINE, "")),
        (LinkFacts(silent_s=1.0, damaged=1), (LinkState.DEGRADED, "damaged")),
    ],
)
def test_the_state_follows_from_the_facts(facts, expected):
    found = standing(facts, Standing(LinkState.ONLINE, "x", 0), 5, silent_after_s=120,
                     late_after_s=900)  # fmt: skip

    assert (*expected, 5) == (found.state, found.reason, found.since_at)


def test_since_stays_while_state_and_reason_stay():
    before = Standing(LinkState.ONLINE, "", 3)

    assert before is standing(CALM, before, 99, silent_after_s=120, late_after_s=900)


FULL = OfflineBudget(hours=10, count=100, amount_fen=1000)


@pytest.mark.parametrize(
    ("use", "amount", "expected"),
    [
        (OfflineUse(), 1000, None),
        (OfflineUse(), 1001, "OFF_AMOUNT"),
        (OfflineUse(10 * MS_PER_HOUR - 1), 1, None),
        (OfflineUse(10 * MS_PER_HOUR), 1, "OFF_HOURS"),
        (OfflineUse(0, 99), 1, None),
        (OfflineUse(0, 100), 1, "OFF_COUNT"),
        (OfflineUse(0, 0, 1000), 1, "OFF_AMOUNT"),
    ],
)
def test_the_budget_is_never_passed(use, amount, expected):
    verdict = FULL.verdict(use, amount)

    assert expected == (verdict.code if verdict else None)


@pytest.mark.parametrize(
    ("count", "mark"), [(0, 0), (49, 0), (50, 50), (80, 80), (95, 95), (100, 100), (200, 100)]
)
def test_warnings_come_at_50_80_and_95_percent(count: int, mark: int):
    assert mark == FULL.warning(OfflineUse(0, count))


def test_without_limits_nothing_is_ever_used_up():
    free = OfflineBudget(None, None, None)

    assert (None, 0) == (free.verdict(OfflineUse(10**15, 10**9, 10**15), 1),
                         free.warning(OfflineUse(10**15, 10**9, 10**15)))  # fmt: skip


def test_the_tighter_limit_binds_whoever_set_it():
    signed = OfflineBudget(hours=20, count=None, amount_fen=500)

    assert OfflineBudget(10, 100, 500) == FULL.bound_by(signed)


def test_a_limit_of_zero_signed_by_the_platform_stops_at_once():
    assert "OFF_COUNT" == OfflineBudget(count=0).verdict(OfflineUse(), 1).code


def test_settings_say_the_same_defaults():
    settings = LinkSettings()

    assert (Window(), Timing()) == (settings.window(), settings.timing())
    assert OfflineBudget(336, None, None) == OfflineSettings().budget()
    assert (
        OfflineBudget(None, 5, 1050)
        == OfflineSettings(hours_max=0, count_max=5, amount_max="10.50").budget()
    )
