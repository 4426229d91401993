"""The store as a stranger reads it: straight SQL, read-only, no code of the product.

`read` takes a copy of what a crash left behind, so that looking never changes the evidence.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TABLES = (
    "event", "receipt", "original", "signature", "certificate", "supervision", "print_job",
    "print_attempt", "upload", "link_batch", "number_block", "burn", "journal", "reversal",
    "mark", "sheet_block", "sheet", "sheet_act", "receipt_fact", "day_close", "form_job",
    "form_attempt", "payment", "settlement",
)  # fmt: skip


@dataclass
class Books:
    """All rows by table; a row is a namespace with the columns as attributes."""

    tables: dict[str, list[Any]]

    def __getitem__(self, table: str) -> list[Any]:
        return self.tables[table]

    @cached_property
    def receipts(self) -> dict[int, Any]:
        """Receipts by id; `ref` is code-number."""
        return {row.id: row for row in self["receipt"]}

    @cached_property
    def events(self) -> dict[int, Any]:
        """Events by id."""
        return {row.id: row for row in self["event"]}

    @cached_property
    def by_ref(self) -> dict[str, Any]:
        """Receipts by code-number; the first where a planted double exists."""
        found: dict[str, Any] = {}
        for row in self["receipt"]:
            found.setdefault(row.ref, row)
        return found

    @cached_property
    def originals(self) -> dict[int, bytes]:
        """Literal signed bytes by receipt id."""
        return {row.receipt_id: zlib.decompress(row.body) for row in self["original"]}

    def live(self) -> list[Any]:
        """Return receipts whose number was not given up."""
        return [row for row in self["receipt"] if row.state != "burned"]

    def sealed(self) -> list[Any]:
        """Return receipts that are signed."""
        return [row for row in self["receipt"] if row.state == "sealed"]


def read(store: Path) -> Books:
    """Read the store file, its write-ahead log included, from a copy of both."""
    with _copy(store) as connection:
        return Books({table: _rows(connection, table) for table in TABLES})


def integrity(store: Path) -> list[str]:
    """Return what SQLite itself finds wrong with a copy of the store; empty when sound."""
    with _copy(store) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check").fetchall()]
    return [] if found == ["ok"] else found


@contextmanager
def _copy(store: Path) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="fep-books-") as place:
        copy = Path(place) / "fep.db"
        for suffix in ("", "-wal"):
            source = store.with_name(store.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        connection = sqlite3.connect(copy, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


def _rows(connection: sqlite3.Connection, table: str) -> list[Any]:
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY rowid")
    names = [column[0] for column in cursor.description]
    rows = [SimpleNamespace(**dict(zip(names, values, strict=True))) for values in cursor]
    if table == "receipt":
        for row in rows:
            row.ref = f"{row.code}-{row.number}"
    return rows


def ask(store: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the store of a running daemon one question, on a connection that can only read."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5)
    try:
        connection.execute("PRAGMA query_only=ON").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
