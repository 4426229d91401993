"""The single writer: one transaction a group, one bad row costs that row, an I/O error is
the end."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred, fail

from fep.crypto import sm3
from fep.domain.faults import Refused
from fep.domain.journal import GENESIS
from fep.store import writer
from fep.store.tx import Fence, Tx
from tests.harness.books import ask, read
from tests.harness.storeroom import Storeroom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Storeroom]:
    """An empty store."""
    room = Storeroom(tmp_path / "site")
    room.open()
    yield room
    room.close()


def _note_txn(tx: Tx, name: str) -> str:
    tx.journal("note", name, {})
    return name


def _bad_txn(tx: Tx, name: str) -> str:
    tx.journal("bad", name, {})
    raise ValueError(name)


def _notes(room: Storeroom) -> list[str]:
    path = room.site / "data" / "fep.db"
    lines = [bytes(row.line).decode() for row in read(path)["journal"]]
    return [line.split('"ref":"')[1].split('"')[0] for line in lines if '"op":"note"' in line]


def _chain_holds(room: Storeroom) -> bool:
    before = GENESIS
    rows = read(room.site / "data" / "fep.db")["journal"]
    for seq, row in enumerate(rows, 1):
        before = sm3.digest(before + bytes(row.line))
        if (seq, before) != (row.seq, bytes(row.hash)):
            return False
    heads = room.store.heads
    return (heads.journal_seq, heads.journal_hash) == (len(rows), before)


def _shown(answers: list[Any]) -> list[Any]:
    return [type(each).__name__ if isinstance(each, Exception) else each for each in answers]


def test_all_that_arrive_in_one_turn_share_one_commit_and_keep_their_order(room: Storeroom):
    before = room.store.commits

    answers = room.all_of([room.store.do("note", _note_txn, f"n{i}") for i in range(20)])

    assert [f"n{i}" for i in range(20)] == answers == _notes(room)
    assert before + 1 == room.store.commits


def test_a_group_is_bounded(room: Storeroom):
    before = room.store.commits
    count = 2 * writer.MAX_GROUP + 1

    answers = room.all_of([room.store.do("note", _note_txn, f"n{i}") for i in range(count)])

    assert count == len(answers) == len(_notes(room))
    assert before + 3 == room.store.commits


def test_a_deferred_fires_only_after_its_commit(room: Storeroom):
    path = room.site / "data" / "fep.db"
    seen: list[int] = []
    work = room.store.do("note", _note_txn, "n")
    work.addCallback(lambda _: seen.append(ask(path, "SELECT count(*) FROM journal")[0][0]))

    assert ask(path, "SELECT count(*) FROM journal") == [(1,)]
    room.clock.advance(0)
    assert [2] == seen


def test_works_during_a_commit_form_the_next_group(room: Storeroom):
    done: Deferred[None] = Deferred()
    commits: list[Any] = []
    inline = room.store._commits
    room.store._commits = lambda commit: (commits.append(commit), done)[1]
    first = room.store.do("note", _note_txn, "a")
    room.clock.advance(0)
    room.store._commits = inline
    rest = [room.store.do("note", _note_txn, name) for name in "bc"]
    before = room.store.commits
    room.clock.advance(0)
    assert [] == _notes(room)

    commits[0]()
    done.callback(None)

    assert ["a", "b", "c"] == room.all_of([first, *rest])
    assert before + 2 == room.store.commits
    assert _chain_holds(room)


@pytest.mark.parametrize("size", [1, 2, 60, writer.MAX_GROUP])
def test_one_bad_row_costs_that_row_alone_whatever_the_size_of_the_group(
    room: Storeroom, size: int
):
    """Trap 1, up to the largest group there is."""
    bad = size // 2
    works = [
        room.store.do("note", _bad_txn if i == bad else _note_txn, f"n{i}") for i in range(size)
    ]

    answers = room.all_of(works)

    expected: list[Any] = [f"n{i}" for i in range(size)]
    expected[bad] = "ValueError"
    assert expected == _shown(answers)
    assert [f"n{i}" for i in range(size) if i != bad] == _notes(room)
    assert _chain_holds(room)


def test_after_a_bad_row_groups_are_groups_again(room: Storeroom):
    room.all_of([room.store.do("x", fn, "n") for fn in (_note_txn, _bad_txn, _note_txn)])
    before = room.store.commits

    room.all_of([room.store.do("note", _note_txn, "m") for _ in range(10)])

    assert before + 1 == room.store.commits


def test_a_caller_that_waits_for_a_second_work_does_not_hold_up_the_bisected(room: Storeroom):
    def again(_: object) -> Any:
        return room.store.do("note", _note_txn, "second")

    first = room.store.do("note", _note_txn, "first").addCallback(again)
    bad = room.store.do("bad", _bad_txn, "bad")
    last = room.store.do("note", _note_txn, "last")

    assert ["second", "ValueError", "last"] == _shown(room.all_of([first, bad, last]))
    assert _chain_holds(room)


def test_works_of_one_name_run_once_for_the_group_at_the_place_of_the_first(room: Storeroom):
    calls: list[list[str]] = []

    def several_txn(tx: Tx, items: list[str]) -> list[Any]:
        calls.append(list(items))
        for item in items:
            tx.journal("note", item, {})
        return [item.upper() if item != "bad" else ValueError(item) for item in items]

    store = room.store
    answers = room.all_of([
        store.group("s", several_txn, "a"), store.do("note", _note_txn, "x"),
        store.group("s", several_txn, "bad"), store.group("s", several_txn, "b"),
    ])  # fmt: skip

    assert ["A", "x", "ValueError", "B"] == _shown(answers)
    assert [["a", "bad", "b"]] == calls
    assert ["a", "bad", "b", "x"] == _notes(room)


def test_heads_of_a_failed_transaction_leave_no_trace(room: Storeroom):
    def takes_and_fails_txn(tx: Tx) -> None:
        tx.next_id("receipt")
        tx.heads.issued_ms["42060126"] = 99
        raise ValueError

    before = room.store.heads.copy()
    (answer,) = room.all_of([room.store.do("x", takes_and_fails_txn)])

    assert isinstance(answer, ValueError)
    assert before == room.store.heads


def test_a_fence_is_remembered_and_its_neighbours_are_kept(room: Storeroom):
    def fence_txn(_tx: Tx) -> None:
        raise Fence("found used")

    answers = room.all_of([
        room.store.do("note", _note_txn, "a"), room.store.do("f", fence_txn),
        room.store.do("note", _note_txn, "b"),
    ])  # fmt: skip

    assert ["a", "Fence", "b"] == _shown(answers)
    assert "found used" == room.store.fenced
    assert "" == room.store.dead


def _io_error() -> OperationalError:
    return OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))


def _dead(room: Storeroom, answers: list[Any]) -> None:
    """The store is dead, everybody was told, and nothing is taken any more."""
    assert ["STORE_DEAD"] * len(answers) == [
        each.code if isinstance(each, Refused) else each for each in answers
    ]
    assert 1 == len(room.fatal)
    assert room.store.dead == room.fatal[0]
    (later,) = room.all_of([room.store.do("note", _note_txn, "later")])
    assert "STORE_DEAD" == later.code
    room.done(room.store.drained())


def test_a_failed_commit_is_the_end_and_everybody_is_told(room: Storeroom):
    room.store._commits = lambda _commit: fail(_io_error())
    works = [room.store.do("note", _note_txn, f"n{i}") for i in range(3)]
    waiting: list[Any] = []

    def late(error: Any) -> Any:
        waiting.append(room.store.do("note", _note_txn, "late"))
        return error

    works[0].addErrback(late)
    _dead(room, room.all_of(works))
    assert ["STORE_DEAD"] == [each.code for each in room.all_of(waiting)]
    assert [] == _notes(room)


@pytest.mark.parametrize("error", [
    sqlite3.OperationalError("disk I/O error"), sqlite3.OperationalError("database is full"),
    sqlite3.DatabaseError("database disk image is malformed"), _io_error(),
])  # fmt: skip
def test_a_failing_statement_of_the_file_is_the_end_not_a_bad_row(
    room: Storeroom, error: Exception
):
    def failing_txn(_tx: Tx) -> None:
        raise error

    works = [room.store.do("note", _note_txn, "a"), room.store.do("x", failing_txn)]

    _dead(room, room.all_of(works))
    assert [] == _notes(room)


def test_a_rollback_that_fails_is_the_end_too(room: Storeroom):
    class Broken:
        def commit(self) -> None:
            raise AssertionError

        def rollback(self) -> None:
            raise _io_error()

    class Wrapped:
        connection = room.store._conn.connection

        def begin(self) -> Broken:
            return Broken()

    real, room.store._conn = room.store._conn, Wrapped()
    try:
        answers = room.all_of([room.store.do("bad", _bad_txn, "x") for _ in range(2)])
    finally:
        room.store._conn = real

    _dead(room, answers)


def test_a_store_that_another_process_writes_to_is_the_end(room: Storeroom):
    other = sqlite3.connect(room.site / "data" / "fep.db", isolation_level=None)
    room.store._conn.exec_driver_sql("PRAGMA busy_timeout=20").fetchall()
    room.store._conn.rollback()
    other.execute("BEGIN IMMEDIATE")
    try:
        answers = room.all_of([room.store.do("note", _note_txn, "a")])
    finally:
        other.execute("ROLLBACK")
        other.close()

    _dead(room, answers)


def test_an_integrity_error_is_a_row_not_a_disk(room: Storeroom):
    def doubled_txn(tx: Tx) -> None:
        tx.cursor.execute("INSERT INTO burn VALUES ('1', '2', 3, '', '')")
        tx.cursor.execute("INSERT INTO burn VALUES ('1', '2', 3, '', '')")

    answers = room.all_of([
        room.store.do("note", _note_txn, "a"), room.store.do("x", doubled_txn),
    ])  # fmt: skip

    assert ["a", "IntegrityError"] == _shown(answers)
    assert "" == room.store.dead


def test_another_thread_is_refused(room: Storeroom):
    caught: list[BaseException] = []

    def stranger() -> None:
        for call in (
            lambda: room.store.do("note", _note_txn, "a"),
            lambda: room.store.read(lambda conn: None),
        ):
            try:
                call()
            except AssertionError as error:
                caught.append(error)

    thread = threading.Thread(target=stranger)
    thread.start()
    thread.join()

    assert 2 == len(caught)
    assert [] == _notes(room)


def test_a_read_cannot_write_and_ends_its_transaction_even_when_it_fails(room: Storeroom):
    with pytest.raises(OperationalError, match="readonly"):
        room.store.read(lambda conn: conn.exec_driver_sql("DELETE FROM journal"))
    with pytest.raises(ZeroDivisionError):
        room.store.read(lambda conn: 1 / 0)

    assert not room.store._reader.in_transaction()
    assert room.store._reader.connection.dbapi_connection.in_transaction is False


def test_drained_fires_when_the_last_work_is_durable(room: Storeroom):
    fired: list[None] = []
    room.store.drained().addCallback(fired.append)
    assert [None] == fired

    room.store.do("note", _note_txn, "a")
    room.store.drained().addCallback(fired.append)
    assert [None] == fired
    room.clock.advance(0)
    assert [None, None] == fired
