"""Opening the SQLite store: pragmas that are proved, not hoped for.

Rules: one connection commits and checkpoints (Debian 12's SQLite 3.40.1 has the WAL-reset
bug when two do); every PRAGMA is fetched to its end and compared, because an unfetched one
swallows I/O errors; readers are query-only and never checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool


class StoreUnsound(Exception):
    """The store did not take a setting it must have; nothing may be issued on it."""


def open_writer(path: Path) -> Connection:
    """Return the one committing connection. Raises StoreUnsound, sqlalchemy DBAPIError."""
    fresh = not path.exists()
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        hide_parameters=True,  # an error's text ends in logs; payers do not
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": 5},
    )
    event.listen(engine, "connect", _writer_pragmas)
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    connection = engine.connect()
    if fresh:
        _sync_dir(path.parent)
    return connection


def _sync_dir(path: Path) -> None:
    """Make names inside `path` durable: SQLite ignores a failed fsync of its directory."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_reader(path: Path) -> Engine:
    """Return an engine whose connections can only read and never checkpoint."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None,
            timeout=5,
        ),
        poolclass=StaticPool,
        hide_parameters=True,  # an error's text ends in logs; payers do not
    )  # fmt: skip
    event.listen(engine, "connect", _reader_pragmas)
    return engine


def _pragma(cursor: sqlite3.Cursor, statement: str) -> list[tuple[object, ...]]:
    cursor.execute(f"PRAGMA {statement}")
    return cursor.fetchall()


def _writer_pragmas(dbapi: sqlite3.Connection, _record: object) -> None:
    cursor = dbapi.cursor()
    wanted: tuple[tuple[str, str, object], ...] = (
        ("journal_mode=WAL", "journal_mode", "wal"),
        ("synchronous=FULL", "synchronous", 2),
        ("locking_mode=NORMAL", "locking_mode", "normal"),
        ("wal_autocheckpoint=2000", "wal_autocheckpoint", 2000),
        ("journal_size_limit=67108864", "journal_size_limit", 67108864),
        ("foreign_keys=ON", "foreign_keys", 1),
        ("cache_size=-16384", "cache_size", -16384),
        ("temp_store=MEMORY", "temp_store", 2),
    )
    for setting, name, expected in wanted:
        _pragma(cursor, setting)
        found = _pragma(cursor, name)
        if found != [(expected,)]:
            raise StoreUnsound(f"PRAGMA {name} is {found}, not {expected}")
    cursor.close()


def _reader_pragmas(dbapi: sqlite3.Connection, _record: object) -> None:
    cursor = dbapi.cursor()
    for setting in ("query_only=ON", "wal_autocheckpoint=0", "cache_size=-4096"):
        _pragma(cursor, setting)
    if _pragma(cursor, "query_only") != [(1,)]:
        raise StoreUnsound("PRAGMA query_only did not hold")
    cursor.close()
