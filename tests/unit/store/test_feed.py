"""The feed: every kind of entry, in order, bounded pages, only the units asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.store import feed, issuing
from tests.harness.storeroom import UNIT, Storeroom

EVERY = frozenset({"*"})


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Storeroom]:
    """A store with numbers."""
    made = Storeroom(tmp_path / "site")
    made.open()
    made.grant(1, 1000)
    yield made
    made.close()


def page(room: Storeroom, since: int, limit: int = 100, units: frozenset[str] = EVERY) -> feed.Feed:
    found: feed.Feed = room.store.read(feed.feed_q, since, limit, units)
    return found


def test_a_refusal_is_told_whether_it_had_a_number_or_not(room: Storeroom):
    since = page(room, 0).head
    (refused,) = room.freeze(room.draft("dry", code_at=lambda _ms: "42060199"))
    (frozen,) = room.freeze(room.draft("late"))
    room.done(room.store.do("refuse", issuing.refuse_txn, frozen.receipt, "SIG_TIMEOUT"))

    entries = page(room, since).entries

    assert isinstance(refused, Refused)
    assert [("refused", "dry", "NUM_NONE"), ("refused", "late", "SIG_TIMEOUT")] == [
        (one.kind, one.more["key"], one.more["reason"]) for one in entries
    ]
    assert [UNIT, UNIT] == [one.unit for one in entries]


def test_a_page_without_entries_is_not_the_end(room: Storeroom):
    since = page(room, 0).head
    for _ in range(3):
        room.done(room.store.do("noise", _noise_txn, feed.SCAN_ROWS))
    room.issue("a")

    pages = [page(room, since)]
    while pages[-1].cursor < pages[-1].head:
        pages.append(page(room, pages[-1].cursor))

    assert [0, 0, 0, 1] == [len(one.entries) for one in pages]
    (told,) = (one.receipt for one in pages[-1].entries)
    assert told is not None
    assert "a" == told.key


def test_other_units_are_passed_over_and_the_cursor_goes_on(room: Storeroom):
    since = page(room, 0).head
    room.issue("a", "b")

    mine = page(room, since, units=frozenset({UNIT}))
    other = page(room, since, units=frozenset({"U9"}))

    assert (2, 0) == (len(mine.entries), len(other.entries))
    assert mine.cursor == other.cursor == other.head


def test_any_limit_tells_each_entry_once(room: Storeroom):
    since = page(room, 0).head
    keys = [f"k{n}" for n in range(20)]
    room.issue(*keys)

    for limit in (1, 3, 7, 100):
        cursor, told = since, []
        while True:
            found = page(room, cursor, limit)
            told += [one.receipt.key for one in found.entries if one.receipt]
            cursor = found.cursor
            if cursor == found.head:
                break
        assert keys == told


def _noise_txn(tx: Any, count: int) -> None:
    for _ in range(count):
        tx.journal("day.changed", "", {"detail": ""})
