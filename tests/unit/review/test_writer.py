"""The group commit under trouble: one bad work never touches its neighbours, however many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from fep.store.opening import open_store
from fep.store.tx import Tx
from fep.store.writer import MAX_GROUP, Store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = open_store(
        clock, tmp_path / "fep.db", now_ms=lambda: 1, on_fatal=lambda why: None, pool=None
    )
    yield store
    store.close()


def _note(tx: Tx, index: int) -> int:
    tx.journal("test.noted", str(index), {})
    return index


def _broken(_tx: Tx) -> None:
    raise ValueError("bad row")


def test_a_bad_work_in_a_full_group_fails_alone(store: Store, clock: Clock):
    good: list[int] = []
    bad: list[str] = []
    store.do("bad", _broken).addErrback(lambda failure: bad.append(str(failure.value)))
    for index in range(MAX_GROUP - 1):
        store.do("note", _note, index).addCallback(good.append)

    for _ in range(MAX_GROUP + 2):
        clock.advance(0)

    assert ["bad row"] == bad
    assert list(range(MAX_GROUP - 1)) == good
    assert MAX_GROUP - 1 == store.heads.journal_seq


def test_works_that_come_while_a_group_is_taken_apart_keep_their_turn(store: Store, clock: Clock):
    said: list[str] = []
    store.do("first", _note, 1).addCallback(
        lambda _: store.do("late", _note, 9).addCallback(lambda _: said.append("late"))
    )
    store.do("bad", _broken).addErrback(lambda _: said.append("bad"))
    store.do("last", _note, 2).addCallback(lambda _: said.append("last"))

    for _ in range(10):
        clock.advance(0)

    assert ["bad", "last", "late"] == said
    assert not store._suspects


def test_drained_waits_for_a_group_that_is_taken_apart(store: Store, clock: Clock):
    done: list[str] = []
    store.do("good", _note, 1).addCallback(lambda _: done.append("good"))
    store.do("bad", _broken).addErrback(lambda _: done.append("bad"))
    store.drained().addCallback(lambda _: done.append("drained"))

    for _ in range(10):
        clock.advance(0)

    assert ["good", "bad", "drained"] == done
