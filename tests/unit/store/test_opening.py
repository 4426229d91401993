"""Bringing a store up: migrated as declared, proved pragmas, one daemon, never a newer store."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from fep.domain.faults import Refused
from fep.store import opening, schema
from fep.store import sqlite as engine
from fep.store.lock import DataLock, Locked
from fep.store.opening import Commits, migrate, open_store, stored_version
from fep.store.sqlite import StoreUnsound, open_reader, open_writer
from tests.harness.storeroom import CODE, UNIT, Storeroom


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Connection]:
    """A migrated store's one committing connection."""
    connection = open_writer(tmp_path / "fep.db")
    migrate(connection)
    yield connection
    connection.close()
    connection.engine.dispose()


def _shape(connection: Connection) -> dict[str, Any]:
    """Everything a schema is: columns, keys, uniques, checks, indexes with their conditions."""
    told = inspect(connection)
    return {
        table: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in told.get_columns(table)
            ],
            "key": told.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted((u["name"] or "", tuple(u["column_names"]))
                             for u in told.get_unique_constraints(table)),
            "check": sorted(c["sqltext"] for c in told.get_check_constraints(table)),
            "index": sorted(
                (i["name"], tuple(i["column_names"]), i["unique"],
                 str(i.get("dialect_options", {}).get("sqlite_where", "")))
                for i in told.get_indexes(table)
            ),
        }
        for table in sorted(set(told.get_table_names()) - {"alembic_version"})
    }  # fmt: skip


def test_the_migrated_store_is_the_declared_one(writer: Connection):
    declared = create_engine("sqlite://")
    with declared.connect() as fresh:
        schema.metadata.create_all(fresh)
        assert _shape(fresh) == _shape(writer)
    declared.dispose()
    assert [] == compare_metadata(MigrationContext.configure(writer), schema.metadata)


def test_a_new_store_says_which_version_it_is_and_migrating_again_changes_nothing(
    writer: Connection,
):
    assert (schema.SCHEMA_VERSION, schema.COMPAT_VERSION) == stored_version(writer)
    before = _shape(writer)

    migrate(writer)

    assert before == _shape(writer)


def _pretend(path: Path, version: int, compat: int) -> None:
    with sqlite3.connect(path) as store:
        store.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(version),))
        store.execute("UPDATE meta SET value = ? WHERE name = 'compat_version'", (str(compat),))
    store.close()


def _opened(path: Path) -> Any:
    return open_store(
        Clock(), path, now_ms=lambda: 0, on_fatal=lambda why: None, pool=None,
    )  # fmt: skip


def test_a_store_that_needs_a_newer_build_is_refused_and_left_as_it_is(tmp_path: Path):
    path = tmp_path / "fep.db"
    _opened(path).close()
    newer = schema.SCHEMA_VERSION + 1
    _pretend(path, newer, newer)

    with pytest.raises(Refused) as refused:
        _opened(path)

    assert "STORE_NEWER" == refused.value.code
    assert str(newer) in refused.value.zh
    with sqlite3.connect(path) as store:
        found = dict(store.execute("SELECT name, value FROM meta"))
    store.close()
    assert {"schema_version": str(newer), "compat_version": str(newer)} == found


def test_a_newer_store_that_this_build_may_still_open_is_opened_and_not_migrated_back(
    tmp_path: Path,
):
    path = tmp_path / "fep.db"
    _opened(path).close()
    _pretend(path, schema.SCHEMA_VERSION + 1, schema.SCHEMA_VERSION)

    store = _opened(path)

    assert (schema.SCHEMA_VERSION + 1, schema.SCHEMA_VERSION) == store.read(stored_version)
    store.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Fails:
        """Fails in the last statement of the migration."""

        def __str__(self) -> str:
            raise OSError("no space")

    path = tmp_path / "fep.db"
    with monkeypatch.context() as change:
        change.setattr(schema, "COMPAT_VERSION", Fails())
        with pytest.raises(OSError, match="no space"):
            _opened(path)

    with sqlite3.connect(path) as store:
        assert [] == store.execute("SELECT name FROM sqlite_master").fetchall()
    store.close()
    _opened(path).close()


@pytest.mark.parametrize(("pragma", "expected"), [
    ("journal_mode", "wal"), ("synchronous", 2), ("locking_mode", "normal"), ("foreign_keys", 1),
    ("journal_size_limit", 64 * 1024 * 1024),
])  # fmt: skip
def test_the_writer_runs_with_what_durability_needs(
    writer: Connection, pragma: str, expected: object
):
    assert [(expected,)] == writer.exec_driver_sql(f"PRAGMA {pragma}").fetchall()


def test_a_pragma_that_does_not_hold_is_the_end_not_a_hope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = engine._pragma

    def deaf(cursor: sqlite3.Cursor, statement: str) -> Any:
        return [(1,)] if statement == "synchronous" else real(cursor, statement)

    monkeypatch.setattr(engine, "_pragma", deaf)

    with pytest.raises(StoreUnsound, match="synchronous"):
        open_writer(tmp_path / "fep.db")


def test_a_reader_can_neither_write_nor_checkpoint(writer: Connection, tmp_path: Path):
    readers = open_reader(tmp_path / "fep.db")
    with readers.connect() as reader:
        assert [(1,)] == reader.exec_driver_sql("PRAGMA query_only").fetchall()
        assert [(0,)] == reader.exec_driver_sql("PRAGMA wal_autocheckpoint").fetchall()
        with pytest.raises(Exception, match="readonly"):
            reader.exec_driver_sql("DELETE FROM journal")
    readers.dispose()


def test_the_heads_come_back_as_they_were(tmp_path: Path):
    room = Storeroom(tmp_path / "site")
    room.open()
    room.grant(1, 3)
    room.grant(101, 103)
    room.issue("A", "B", device_group="w")
    room.wall_ms += 5000
    room.issue("C", "D")
    before = room.store.heads.copy()
    room.close()

    room.open()

    assert before == room.store.heads
    assert [102] == [block.next for block in room.store.heads.blocks[UNIT, CODE]]
    room.close()


# one daemon
def test_a_second_daemon_is_refused_and_told_by_whom(tmp_path: Path):
    held = tmp_path / "fep.lock"
    script = (
        "import sys; from pathlib import Path; from fep.store.lock import DataLock\n"
        f"DataLock(Path({str(held)!r})).acquire('fepd', 17); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert b"held\n" == other.stdout.readline()
        with pytest.raises(Locked) as locked:
            DataLock(held).acquire("fepd", 18)
        assert {"pid": other.pid, "role": "fepd", "since_ms": 17} == locked.value.holder
        other.kill()
    mine = DataLock(held)
    mine.acquire("fepd", 19)  # a lock goes with its process, even by SIGKILL
    assert 19 == json.loads(held.read_text())["since_ms"]
    mine.release()
    mine.release()


def test_two_locks_in_one_process_exclude_each_other(tmp_path: Path):
    first, second = DataLock(tmp_path / "l"), DataLock(tmp_path / "l")
    first.acquire("fepd", 1)
    with pytest.raises(Locked):
        second.acquire("fepctl", 2)
    first.release()
    second.acquire("fepctl", 2)
    second.release()


# a slow disk
class _Pool:
    """A thread pool whose thread is the test."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def callInThreadWithCallback(self, on_result: Any, work: Any, *args: Any) -> None:
        self.given.append(lambda: on_result(True, work(*args)))


class _ThreadedClock(Clock):
    def callFromThread(self, call: Any, *args: Any) -> None:
        call(*args)


def _commit(commits: Commits, reactor: Clock, seconds: float) -> tuple[Deferred[None], list[str]]:
    ran: list[str] = []

    def work() -> None:
        ran.append("commit")
        reactor.rightNow += seconds

    return commits(work), ran


def test_quick_commits_stay_on_the_reactor_thread(tmp_path: Path):
    reactor, pool = _ThreadedClock(), _Pool()
    commits: Any = Commits(reactor, pool)
    for _ in range(3):
        done, ran = _commit(commits, reactor, opening.SLOW_COMMIT_S / 2)
        assert (["commit"], True) == (ran, done.called)
    assert [] == pool.given


def test_a_slow_commit_moves_the_next_ones_to_the_thread_for_a_while():
    reactor, pool = _ThreadedClock(), _Pool()
    commits: Any = Commits(reactor, pool)
    _commit(commits, reactor, opening.SLOW_COMMIT_S * 2)

    done, ran = _commit(commits, reactor, 0.5)
    assert ([], False) == (ran, done.called)
    pool.given.pop()()
    assert (["commit"], True) == (ran, done.called)

    reactor.advance(opening.THREAD_FOR_S)
    done, ran = _commit(commits, reactor, 0)
    assert (["commit"], []) == (ran, pool.given)
