"""The life of a device: every turn of the table, readings, leases, pauses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fep.domain.device import (
    CRASHES_MAX,
    DEVICE_REFUSALS,
    DEVICE_TABLE,
    LEASE_MAX_MS,
    LOST_AFTER,
    PERSON_AT_DEVICE_S,
    SECOND_LOOK_S,
    DeviceState,
    IllegalTurn,
    Lease,
    Life,
    Refusals,
    Turn,
    blocking,
    leased,
    opening,
    pause_s,
    read,
    turned,
)

READY = Life(DeviceState.READY)
LEASE = Lease("li", 0)
COVER, END = ("PRN_COVER_OPEN",), ("PRN_PAPER_END",)
AWAY, BUSY, CRASH = ("DEV_UNREACHABLE",), ("DEV_BUSY",), ("DEV_DRIVER_CRASH",)


def _often(life: Life, faults: tuple[str, ...], times: int) -> Life:
    for _ in range(times):
        life = read(life, faults)
    return life


@pytest.mark.parametrize("state", DeviceState)
@pytest.mark.parametrize("turn", Turn)
def test_a_turn_is_taken_or_refused_as_the_table_says(state, turn):
    life = Life(state, doubt=COVER)

    if (state, turn) in DEVICE_TABLE:
        assert (DEVICE_TABLE[state, turn], ()) == (
            turned(life, turn).state,
            turned(life, turn).doubt,
        )
    else:
        with pytest.raises(IllegalTurn) as refused:
            turned(life, turn)
        assert (state, turn) == (refused.value.state, refused.value.turn)


def test_only_a_person_leaves_failed_and_disabled():
    ways_out = {turn for state, turn in DEVICE_TABLE if Life(state).resting}

    assert {Turn.RESET, Turn.DISABLE, Turn.ENABLE} == ways_out
    for state in (DeviceState.FAILED, DeviceState.DISABLED):
        for faults in ((), END, AWAY):
            assert Life(state) == read(Life(state), faults)


def test_no_refused_turn_stands_in_the_table():
    assert set() == set(DEVICE_REFUSALS) & set(DEVICE_TABLE)


def test_a_device_that_answers_well_is_ready_and_keeps_its_warnings():
    life = read(Life(), ("PRN_PAPER_NEAR_END",))

    assert (DeviceState.READY, ("PRN_PAPER_NEAR_END",), True) == (life.state, life.faults, life.fit)
    assert () == blocking(life.faults)


def test_a_sensor_that_flaps_once_is_not_believed():
    once = read(READY, COVER)
    well = read(once, ())

    assert (DeviceState.READY, False, COVER) == (once.state, once.fit, once.doubt)
    assert (DeviceState.READY, True) == (well.state, well.fit)


def test_a_sensor_is_believed_at_the_second_equal_reading():
    other = read(read(READY, COVER), ("PRN_OVERHEAT",))

    assert (DeviceState.READY, ("PRN_OVERHEAT",)) == (other.state, other.doubt)
    assert (DeviceState.DEGRADED, COVER) == (
        _often(READY, COVER, 2).state,
        _often(READY, COVER, 2).faults,
    )


@pytest.mark.parametrize(
    ("faults", "proved"), [(END, False), ((*COVER, *END), False), (COVER, True)]
)
def test_the_end_of_paper_and_what_a_job_ran_into_are_believed_at_once(faults, proved):
    assert DeviceState.DEGRADED is read(READY, faults, proved=proved).state


def test_a_printer_that_says_once_that_it_is_broken_is_asked_again():
    for state in (DeviceState.READY, DeviceState.DEGRADED):
        once = read(Life(state), ("PRN_FATAL",))
        assert (state, False) == (once.state, once.fit)
        assert DeviceState.READY is read(once, ()).state
    assert DeviceState.FAILED is read(READY, ("PRN_FATAL",), proved=True).state


def test_nothing_is_doubted_where_nothing_was_well():
    assert DeviceState.DEGRADED is read(Life(), COVER).state


def test_three_missed_polls_are_a_lost_device_and_one_answer_brings_it_back():
    twice = _often(READY, AWAY, LOST_AFTER - 1)
    lost = read(twice, AWAY)

    assert (DeviceState.DEGRADED, DeviceState.LOST) == (twice.state, lost.state)
    assert DeviceState.OPENING is opening(lost).state
    assert DeviceState.LOST is read(lost, AWAY).state
    assert (DeviceState.READY, 0) == (read(lost, ()).state, read(lost, ()).misses)


def test_a_connection_that_breaks_is_lost_at_once():
    lost = read(READY, ("DEV_LOST",))

    assert (DeviceState.LOST, 1) == (lost.state, pause_s(lost))
    assert DeviceState.LOST is read(lost, AWAY).state
    assert DeviceState.DEGRADED is read(read(lost, END), AWAY).state


def test_a_device_in_other_hands_is_not_lost():
    life = _often(READY, BUSY, 20)

    assert (DeviceState.DEGRADED, BUSY) == (life.state, life.faults)


def test_a_refusal_that_lasts_is_named_and_any_answer_begins_the_time_anew():
    fresh = Refusals().after(BUSY, 100.0)
    older = fresh.after(BUSY, 159.9)
    well = older.after((), 160.0)

    assert (BUSY, BUSY) == (fresh.named(BUSY, 100.0, 60.0), older.named(BUSY, 159.9, 60.0))
    assert ("DEV_REFUSED", *END) == older.named((*BUSY, *END), 160.0, 60.0)
    assert (END, BUSY) == (well.named(END, 161.0, 60.0), well.named(BUSY, 161.0, 60.0))


def test_a_device_that_keeps_refusing_is_lost_until_it_answers():
    refused = read(_often(READY, BUSY, 4), ("DEV_REFUSED",))

    assert (DeviceState.LOST, True) == (refused.state, refused.gone)
    assert DeviceState.LOST is read(refused, ("DEV_REFUSED",)).state
    assert (DeviceState.READY, False) == (read(refused, ()).state, read(refused, ()).gone)


def test_paper_that_is_out_for_long_does_not_count_as_missed():
    life = read(_often(READY, END, 50), AWAY)

    assert (DeviceState.DEGRADED, 1) == (life.state, life.misses)


@pytest.mark.parametrize("fault", ["DEV_CONFIG", "DEV_IDENTITY", "PRN_FATAL"])
def test_what_only_a_person_mends_is_failed(fault):
    life = _often(READY, ("PRN_OFFLINE", fault), 2)

    assert (DeviceState.FAILED, True, False) == (life.state, life.resting, life.fit)


def test_a_driver_is_restarted_three_times_and_a_job_that_went_well_forgives_it():
    crashed = _often(READY, CRASH, CRASHES_MAX)
    still = read(crashed, ())

    assert DeviceState.FAILED is not crashed.state
    assert DeviceState.FAILED is read(still, CRASH).state
    assert 0 == read(still, (), proved=True).crashes


def test_a_lease_outlives_a_fault_and_a_restart():
    held = leased(READY, LEASE)
    back = read(read(held, END), ())

    assert (DeviceState.CLAIMED, DeviceState.CLAIMED) == (held.state, back.state)
    assert DeviceState.CLAIMED is read(back, ()).state
    assert DeviceState.CLAIMED is read(Life(lease=LEASE), ()).state
    assert DeviceState.DEGRADED is leased(read(held, END), None).state
    assert DeviceState.READY is leased(held, None).state


def test_a_lease_ends_at_its_deadline_or_when_the_clock_was_set():
    lease = Lease("li", 1000)

    assert [False, True, True] == [
        lease.over(999),
        lease.over(1000),
        lease.over(999 - LEASE_MAX_MS),
    ]
    assert not Lease("li", 0).over(10**15)


_SAID = st.lists(st.sampled_from((*COVER, *END, *AWAY, *BUSY, *CRASH, "DEV_LOST", "DEV_TIMEOUT",
                                  "PRN_FATAL", "DEV_IDENTITY", "PRN_PAPER_NEAR_END")),
                 max_size=2).map(tuple)  # fmt: skip
_STEPS = st.lists(st.one_of(
    st.tuples(st.just("read"), _SAID, st.booleans()),
    st.tuples(st.just("lease"), st.sampled_from((LEASE, None)), st.just(False)),
    st.tuples(st.just("turn"), st.sampled_from((Turn.DISABLE, Turn.ENABLE, Turn.RESET)),
              st.just(False)),
), max_size=40)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_STEPS)
def test_whatever_happens_a_device_is_fit_only_when_nothing_holds_it_back(steps):
    life = Life()
    for kind, what, proved in steps:
        before = life
        if kind == "read":
            life = read(life, what, proved=proved)
        elif kind == "lease":
            life = leased(life, what)
        elif (life.state, what) in DEVICE_TABLE:
            life = turned(life, what)
        assert not (life.fit and blocking(life.faults))
        assert not (life.state is DeviceState.READY and life.lease is not None)
        assert (life.state is DeviceState.CLAIMED) <= (life.lease is not None)
        if before.resting and kind != "turn":
            assert life.state is before.state
        if life.state is DeviceState.LOST:
            assert life.gone
        assert 0 < pause_s(life) <= 30


def test_a_device_is_left_alone_for_as_long_as_its_fault_wants():
    assert SECOND_LOOK_S == pause_s(read(READY, COVER))
    assert PERSON_AT_DEVICE_S == pause_s(read(READY, END))
    assert [1, 2, 5, 10, 30, 30] == [
        pause_s(replace(_often(READY, AWAY, times), faults=AWAY)) for times in range(1, 7)
    ]
