"""What a province makes of HELLO, MANIFEST and of letters on channels 2 and 3.

Two rules: letters are applied in order per channel and their results kept, as receipts are;
an operation nobody told it about is rejected and blocks nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from fep.sim.fpb import Bad, Batch, record_hash
from fep.sim.province_book import Book

SCHEMA = """
CREATE TABLE IF NOT EXISTS letter_stream(
    node TEXT, channel INTEGER, epoch INTEGER, batch_seq INTEGER NOT NULL, rec_seq INTEGER NOT NULL,
    batch_sm3 BLOB NOT NULL, head TEXT NOT NULL, PRIMARY KEY(node, channel, epoch));
CREATE TABLE IF NOT EXISTS letter_batch(
    node TEXT, channel INTEGER, epoch INTEGER, seq INTEGER, sm3 BLOB NOT NULL, prev BLOB NOT NULL,
    plain BLOB NOT NULL, PRIMARY KEY(node, channel, epoch, seq));
CREATE TABLE IF NOT EXISTS letter(
    node TEXT, channel INTEGER, epoch INTEGER, rec_seq INTEGER, batch_seq INTEGER NOT NULL,
    op TEXT NOT NULL, idem TEXT NOT NULL, body TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY(node, channel, epoch, rec_seq));
"""
ANSWERS = 1000

Say = Callable[[str, int, dict[str, Any]], None]
"""(node, kind, body): send a transport file."""


class Letters:
    """The letters of all nodes; `known` are the operations that are taken, by channel."""

    def __init__(self, book: Book, known: dict[int, frozenset[str]], now_ms: Callable[[], int]):
        self._book, self._known, self._now_ms = book, known, now_ms
        book.conn.executescript(SCHEMA)

    def take(self, batch: Batch) -> dict[str, Any]:
        """Store a batch, apply what is in order; return the ACK body that answers it.

        Raises Bad `unexpected` for another content under a taken `seq`, `chain` for one that
        does not follow.
        """
        head = batch.header
        key = (head.sender, head.channel, head.epoch)
        held = self._book.row(
            "SELECT sm3 FROM letter_batch WHERE node=? AND channel=? AND epoch=? AND seq=?",
            *key, head.seq,
        )  # fmt: skip
        if held is not None and held["sm3"] != batch.sm3:
            raise Bad("unexpected", f"letters {head.seq} came with another content", final=True)
        applied = {head.seq}
        with self._book.transaction() as conn:
            conn.execute(
                "INSERT OR IGNORE INTO letter_batch VALUES(?,?,?,?,?,?,?)",
                (*key, head.seq, batch.sm3, head.prev_batch_sm3, batch.plain),
            )
            while self._apply_next(conn, *key):
                applied.add(self._stream(*key)["batch_seq"])
        return self._ack(*key, applied)

    def _stream(self, node: str, channel: int, epoch: int) -> sqlite3.Row:
        self._book.conn.execute(
            "INSERT OR IGNORE INTO letter_stream VALUES(?,?,?,0,0,?,?)",
            (node, channel, epoch, bytes(32), "0" * 64),
        )
        row = self._book.row(
            "SELECT * FROM letter_stream WHERE node=? AND channel=? AND epoch=?",
            node, channel, epoch,
        )  # fmt: skip
        assert row is not None
        return row

    def _apply_next(self, conn: sqlite3.Connection, node: str, channel: int, epoch: int) -> bool:
        stream = self._stream(node, channel, epoch)
        row = self._book.row(
            "SELECT * FROM letter_batch WHERE node=? AND channel=? AND epoch=? AND seq=?",
            node, channel, epoch, stream["batch_seq"] + 1,
        )  # fmt: skip
        if row is None:
            return False
        if row["prev"] != stream["batch_sm3"]:
            raise Bad("chain", f"letters {row['seq']} do not follow", final=True)
        rec_seq, prev = stream["rec_seq"], stream["head"]
        for line in row["plain"].split(b"\n"):
            record = json.loads(line)
            rec_seq += 1
            fits = record["rec_seq"] == rec_seq and record["prev"] == prev
            if not fits or record["hash"] != record_hash(record):
                raise Bad("chain", f"letter {rec_seq} does not follow", final=True)
            prev = record["hash"]
            result = "OK" if record["op"] in self._known.get(channel, frozenset()) else "REJECT"
            conn.execute(
                "INSERT INTO letter VALUES(?,?,?,?,?,?,?,?,?)",
                (node, channel, epoch, rec_seq, row["seq"], record["op"], record["idem"],
                 json.dumps(record["body"], ensure_ascii=False), result),
            )  # fmt: skip
        conn.execute(
            "UPDATE letter_stream SET batch_seq=?, rec_seq=?, batch_sm3=?, head=?"
            " WHERE node=? AND channel=? AND epoch=?",
            (row["seq"], rec_seq, row["sm3"], prev, node, channel, epoch),
        )
        return True

    def _ack(self, node: str, channel: int, epoch: int, seqs: set[int]) -> dict[str, Any]:
        results = [
            {"rec_seq": row["rec_seq"], "result": row["result"],
             "code": "" if row["result"] == "OK" else "op", "detail": "", "supervision": None}
            for row in self._book.rows(
                "SELECT * FROM letter WHERE node=? AND channel=? AND epoch=? ORDER BY rec_seq",
                node, channel, epoch,
            )
            if row["batch_seq"] in seqs
        ]  # fmt: skip
        told = self.holding(node, channel, epoch)
        return {**told, "level": "APPLIED", "results": results[:ANSWERS],
                "time_ms": self._now_ms()}  # fmt: skip

    def holding(self, node: str, channel: int, epoch: int) -> dict[str, Any]:
        """Return what a SYNC says of one channel of letters."""
        stream = self._stream(node, channel, epoch)
        done = stream["batch_seq"]
        return {"channel": channel, "epoch": epoch, "applied_upto": stream["rec_seq"],
                "head": stream["head"], "received": [[1, done]] if done else []}  # fmt: skip
