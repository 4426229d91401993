"""Guessing addresses: counted per source, bounded, forgiven after a minute."""

from __future__ import annotations

import pytest

from fep.services.web_wrong import SOURCES_MAX, WINDOW_S, Wrong, source_of
from tests.unit.desk.desk_site import WallClock

PROXIES = frozenset({"10.0.0.5", "10.0.0.6"})


def test_the_tenth_wrong_token_is_the_last_of_its_minute() -> None:
    clock = WallClock(0)
    wrong = Wrong(clock, 10)

    for _ in range(10):
        assert not wrong.over("a")
        wrong.note("a")

    assert wrong.over("a")
    assert not wrong.over("b")
    clock.seconds += WINDOW_S
    assert not wrong.over("a")


def test_a_new_minute_counts_from_one() -> None:
    clock = WallClock(0)
    wrong = Wrong(clock, 2)
    wrong.note("a")
    clock.seconds += WINDOW_S

    wrong.note("a")

    assert not wrong.over("a")


def test_memory_is_bounded_and_the_longest_unseen_source_goes_first() -> None:
    wrong = Wrong(WallClock(0), 1)
    wrong.note("first")

    for number in range(SOURCES_MAX - 1):
        wrong.note(str(number))
    assert wrong.over("first")
    wrong.note("last")

    assert not wrong.over("first")
    assert wrong.over("last")


@pytest.mark.parametrize(("peer", "forwarded", "source"), [
    ("9.9.9.9", "", "9.9.9.9"),
    ("9.9.9.9", "1.2.3.4", "9.9.9.9"),  # nobody's proxy: what it says is not believed
    ("10.0.0.5", "1.2.3.4", "1.2.3.4"),
    ("10.0.0.5", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the first one is the reader's own invention
    ("10.0.0.5", "1.2.3.4, 10.0.0.6", "1.2.3.4"),
    ("10.0.0.5", "", "10.0.0.5"),
    ("2400:3200::1", "", "2400:3200::/64"),
    ("2400:3200::ffff", "", "2400:3200::/64"),
    ("::ffff:9.9.9.9", "", "9.9.9.9"),
    ("10.0.0.5", "not-an-address", "not-an-address"),
])  # fmt: skip
def test_who_counts_as_the_source(peer: str, forwarded: str, source: str) -> None:
    assert source_of(peer, forwarded, PROXIES) == source
