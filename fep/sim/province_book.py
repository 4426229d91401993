"""The province's books: one SQLite file, kept apart from everything the node believes.

Two rules: one transaction per batch or command, made durable before anybody is told;
nothing is ever deleted. The shape of a row stays inside the province's modules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fep.sim import sm
from fep.sim.fpb import Party, Self

SCHEMA = """
CREATE TABLE IF NOT EXISTS identity(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tally(name TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS node(
    id TEXT PRIMARY KEY, certificate BLOB NOT NULL, heard_ms INTEGER,
    out_seq INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS unit(
    code TEXT, serial TEXT, node TEXT NOT NULL, certificate BLOB NOT NULL,
    PRIMARY KEY(code, serial));
CREATE TABLE IF NOT EXISTS block(
    grant_id TEXT PRIMARY KEY, node TEXT NOT NULL, unit TEXT NOT NULL, code TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, not_after INTEGER, quota TEXT NOT NULL,
    granted_at INTEGER NOT NULL, rec_seq INTEGER, result TEXT);
CREATE INDEX IF NOT EXISTS block_code ON block(code, first);
CREATE TABLE IF NOT EXISTS stream_in(
    node TEXT, epoch INTEGER, batch_seq INTEGER NOT NULL DEFAULT 0,
    rec_seq INTEGER NOT NULL DEFAULT 0, batch_sm3 BLOB NOT NULL, head TEXT NOT NULL,
    stopped TEXT, PRIMARY KEY(node, epoch));
CREATE TABLE IF NOT EXISTS batch_in(
    node TEXT, epoch INTEGER, seq INTEGER, sm3 BLOB NOT NULL, prev BLOB NOT NULL,
    first_rec INTEGER NOT NULL, n_rec INTEGER NOT NULL, plain BLOB NOT NULL,
    received_at INTEGER NOT NULL, PRIMARY KEY(node, epoch, seq));
CREATE TABLE IF NOT EXISTS record(
    node TEXT, epoch INTEGER, rec_seq INTEGER, batch_seq INTEGER NOT NULL,
    idem TEXT NOT NULL, body_sm3 BLOB NOT NULL, code TEXT, number TEXT,
    result TEXT NOT NULL, fault TEXT NOT NULL, detail TEXT NOT NULL, supervision TEXT,
    at INTEGER NOT NULL, PRIMARY KEY(node, epoch, rec_seq));
CREATE INDEX IF NOT EXISTS record_idem ON record(idem);
CREATE INDEX IF NOT EXISTS record_batch ON record(node, epoch, batch_seq);
CREATE TABLE IF NOT EXISTS receipt(
    code TEXT, number TEXT, idem TEXT NOT NULL UNIQUE, node TEXT NOT NULL, unit TEXT NOT NULL,
    event_key TEXT NOT NULL, amount_fen INTEGER NOT NULL, kind TEXT NOT NULL,
    applied_at INTEGER NOT NULL, PRIMARY KEY(code, number));
CREATE TABLE IF NOT EXISTS red(
    code TEXT, number TEXT, blue_code TEXT, blue_number TEXT,
    PRIMARY KEY(code, number), UNIQUE(blue_code, blue_number));
CREATE TABLE IF NOT EXISTS sheet(
    name TEXT PRIMARY KEY, state TEXT NOT NULL, code TEXT NOT NULL, number TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sheet_receipt ON sheet(code, number);
CREATE TABLE IF NOT EXISTS request(
    node TEXT NOT NULL, unit TEXT NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL,
    at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS returned(
    code TEXT, first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(code, first));
CREATE TABLE IF NOT EXISTS mark(
    mark_id TEXT PRIMARY KEY, node TEXT NOT NULL, code TEXT NOT NULL, number TEXT NOT NULL,
    mark TEXT NOT NULL, at INTEGER NOT NULL, evidence TEXT NOT NULL, rec_seq INTEGER,
    result TEXT);
CREATE TABLE IF NOT EXISTS stream_out(
    node TEXT PRIMARY KEY, seq INTEGER NOT NULL, rec_seq INTEGER NOT NULL,
    batch_sm3 BLOB NOT NULL, head TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS record_out(
    node TEXT, rec_seq INTEGER, head TEXT NOT NULL, PRIMARY KEY(node, rec_seq));
CREATE TABLE IF NOT EXISTS batch_out(
    node TEXT, seq INTEGER, first_rec INTEGER NOT NULL, n_rec INTEGER NOT NULL,
    content BLOB NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    freed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(node, seq));
CREATE TABLE IF NOT EXISTS paper_of(
    code TEXT, number TEXT, check_code TEXT NOT NULL, original BLOB NOT NULL,
    PRIMARY KEY(code, number));
CREATE TABLE IF NOT EXISTS kind_of(code TEXT PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stock(id TEXT PRIMARY KEY, code TEXT NOT NULL, number TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notice(
    pay_code TEXT PRIMARY KEY, unit TEXT NOT NULL, total TEXT NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS batch_out_due ON batch_out(node, seq) WHERE freed=0;
"""


class Book:
    """The open store. Use one per process; several processes may have it open."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.conn = sqlite3.connect(
            state / "province.db", timeout=30, isolation_level=None, check_same_thread=False
        )
        self.conn.row_factory = sqlite3.Row
        self.conn.execute("PRAGMA journal_mode=WAL").fetchall()
        self.conn.execute("PRAGMA synchronous=FULL").fetchall()
        self.conn.executescript(SCHEMA)

    def close(self) -> None:
        """Close the store."""
        self.conn.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction; rolled back when its body raises."""
        self.conn.execute("BEGIN IMMEDIATE")
        try:
            yield self.conn
        except BaseException:
            self.conn.execute("ROLLBACK")
            raise
        self.conn.execute("COMMIT")

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self.conn.execute(statement, values).fetchall()

    def row(self, statement: str, *values: object) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = self.conn.execute(statement, values).fetchone()
        assert found is None or isinstance(found, sqlite3.Row)
        return found

    def count(self, name: str, by: int = 1) -> None:
        """Raise a tally; inside or outside a transaction."""
        self.conn.execute(
            "INSERT INTO tally VALUES(?,?) ON CONFLICT(name) DO UPDATE SET n=n+excluded.n",
            (name, by),
        )

    def tallies(self) -> dict[str, int]:
        """Return all tallies by name."""
        return {row["name"]: row["n"] for row in self.rows("SELECT * FROM tally")}

    def me(self) -> Self:
        """Return the platform's own identity. Raises LookupError before `init`."""
        row = self.row("SELECT value FROM identity WHERE name='id'")
        if row is None:
            raise LookupError(f"{self.state}: not initialised, run `fepsim province init`")
        return Self(
            row["value"],
            sm.load_certificate((self.state / "platform.crt").read_bytes()),
            sm.load_private((self.state / "platform.key").read_bytes()),
        )

    def party(self, node_id: str) -> Party | None:
        """Return the registered node of that identifier, or None."""
        row = self.row("SELECT certificate FROM node WHERE id=?", node_id)
        return Party(node_id, sm.load_certificate(row["certificate"])) if row else None

    def applied(self, node: str) -> tuple[int, bytes]:
        """Return what a header says of the other direction: highest rec_seq and its hash."""
        row = self.row(
            "SELECT rec_seq, head FROM stream_in WHERE node=? ORDER BY epoch DESC LIMIT 1", node
        )
        return (row["rec_seq"], bytes.fromhex(row["head"])) if row else (0, bytes(32))
