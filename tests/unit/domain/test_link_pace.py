"""A gate's hours and rate, and how a closed gate is told."""

from __future__ import annotations

import pytest

from fep.domain.link import CLOSED, LinkFacts, LinkState, LinkStatus, Standing, standing
from fep.domain.link_pace import Limits, parse_span


@pytest.mark.parametrize(
    ("minute", "opens_in"),
    [(0, 0), (90, 0), (120, 360), (479, 1), (480, 0), (1079, 0), (1080, 300)],
)
def test_a_gate_is_open_within_its_spans_also_over_midnight(minute: int, opens_in: int):
    limits = Limits(hours=(parse_span("08:00-18:00"), parse_span("23:00-02:00")))

    assert opens_in == limits.opens_in(minute)


def test_no_hours_at_all_means_always():
    assert 0 == Limits().opens_in(3)
    assert not Limits().any()
    assert Limits(files_per_minute=1).any()


@pytest.mark.parametrize("text", ["", "8-18", "24:00-01:00", "08:00-24:30", "07:00-07:00"])
def test_what_is_no_span_is_refused(text: str):
    with pytest.raises(ValueError):
        parse_span(text)


def test_the_scarcer_of_two_rates_spreads_the_files():
    assert 0.0 == Limits().share_s(1000)
    assert 10.0 == Limits(bytes_per_s=100).share_s(1000)
    assert 30.0 == Limits(bytes_per_s=100, files_per_minute=2).share_s(1000)


def test_only_a_file_above_the_limit_is_too_big():
    assert [False, False, True] == [Limits(file_bytes=9).too_big(size) for size in (8, 9, 10)]
    assert not Limits().too_big(1 << 40)


@pytest.mark.parametrize(
    ("silent_s", "state"), [(10.0, LinkState.DEGRADED), (1000.0, LinkState.OFFLINE)]
)
def test_a_gate_that_is_closed_by_its_hours_is_said_to_be(silent_s: float, state: LinkState):
    before = Standing(LinkState.ONLINE, "", 1)
    facts = LinkFacts(silent_s=silent_s, carrier_fault=CLOSED)

    now = standing(facts, before, 7, silent_after_s=120, late_after_s=900)

    assert Standing(state, "closed", 7) == now


def test_a_one_way_link_is_never_said_to_be_silent():
    facts = LinkFacts(silent_s=None, one_way=True)

    now = standing(facts, Standing(LinkState.ONLINE, "", 1), 7, silent_after_s=1, late_after_s=1)

    assert Standing(LinkState.OFFLINE, "one-way", 7) == now


@pytest.mark.parametrize(
    ("state", "reason", "paused", "moving"),
    [
        ("online", "", False, True),
        ("online", "", True, False),
        ("degraded", "late", False, True),
        ("degraded", "closed", False, False),
        ("degraded", "carrier", False, False),
        ("offline", "silent", False, False),
        ("stalled", "chain", False, False),
    ],
)
def test_a_backlog_gets_smaller_only_where_something_leaves(state, reason, paused, moving):
    status = LinkStatus(
        "province", LinkState(state), reason, 0, 9, 9, 1.0, 0, 0, 0, 2.0, 0, 0.0, 0, 0, 0, paused
    )

    assert moving is status.moving
