"""Channel 2: grants and marks on their way to a node, repeated until the node has applied them.

Two rules: a batch is made once and repeated byte for byte; only an ACK whose head agrees
frees it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fep.sim import fpb, province_orders, sm
from fep.sim.dropbox import Outbox
from fep.sim.ports import Clock, wall_ms
from fep.sim.province_book import Book
from fep.sim.province_resend import Resends

GRANTS_A_BATCH = 100
EPOCH = 1


class Control:
    """Builds, sends and frees control batches."""

    def __init__(
        self,
        book: Book,
        me: fpb.Self,
        outbox: Outbox,
        clock: Clock,
        token: Callable[[int], bytes],
    ) -> None:
        province_orders.prepare(book)
        self._book = book
        self._me = me
        self._clock = clock
        self._token = token
        self._resends = Resends(outbox)

    def step(self, now: float, resend_s: float) -> None:
        """Make batches of queued grants and write what is due."""
        for row in self._book.rows(
            "SELECT node FROM block WHERE rec_seq IS NULL"
            " UNION SELECT node FROM mark WHERE rec_seq IS NULL"
            " UNION SELECT node FROM control_order WHERE rec_seq IS NULL"
        ):
            self._make(row["node"])
        for row in self._book.rows("SELECT * FROM batch_out WHERE freed=0 ORDER BY node, seq"):
            self._write(row, now, resend_s)

    def answered(self, node: str, kind: int, record: dict[str, Any]) -> None:
        """Take an ACK or NACK of the node; whatever is not about channel 2 is ignored."""
        if record.get("channel") != 2 or record.get("epoch") != EPOCH:
            return
        if kind == fpb.NACK:
            self._book.count("nacks_in")
            self._hurry(node, record)
            return
        with self._book.transaction() as conn:
            for result in record.get("results", []):
                said = f"{result['result']} {result['code']}".strip()
                for table in ("block", "mark", "control_order"):
                    conn.execute(
                        f"UPDATE {table} SET result=? WHERE node=? AND rec_seq=?",
                        (said, node, result["rec_seq"]),
                    )
        self._acked(node, int(record["applied_upto"]), str(record["head"]))

    def _acked(self, node: str, upto: int, head: str) -> None:
        with self._book.transaction() as conn:
            row = self._book.row(
                "SELECT head FROM record_out WHERE node=? AND rec_seq=?", node, upto
            )
            if row is None:
                return
            if row["head"] != head:
                self._book.count("control_forks")
                return
            # A record whose result was lost on the way is sent until the result is here.
            conn.execute(
                "UPDATE batch_out SET freed=1 WHERE node=? AND first_rec+n_rec-1<=? AND NOT EXISTS"
                " (SELECT 1 FROM block b WHERE b.node=batch_out.node AND b.result IS NULL"
                " AND b.rec_seq BETWEEN first_rec AND first_rec+n_rec-1) AND NOT EXISTS"
                " (SELECT 1 FROM mark m WHERE m.node=batch_out.node AND m.result IS NULL"
                " AND m.rec_seq BETWEEN first_rec AND first_rec+n_rec-1)",
                (node, upto),
            )

    def _hurry(self, node: str, record: dict[str, Any]) -> None:
        for first, last in record.get("missing", []):
            self._resends.lost(node, first, last)
        if not record.get("missing"):
            self._resends.hurry(node)

    def _write(self, row: sqlite3.Row, now: float, resend_s: float) -> None:
        def tried() -> None:
            self._book.conn.execute(
                "UPDATE batch_out SET tries=tries+1 WHERE node=? AND seq=?",
                (row["node"], row["seq"]),
            )

        header = fpb.Header(fpb.CTRL, self._me.id, row["node"], EPOCH, 2, row["seq"], 0, 0, 0)
        self._resends.write(header, row["tries"] + 1, row["content"], now, resend_s, tried)

    def _make(self, node: str) -> None:
        party = self._book.party(node)
        assert party is not None, node
        with self._book.transaction() as conn:
            waiting = [_grant(row) for row in self._book.rows(
                "SELECT * FROM block WHERE node=? AND rec_seq IS NULL ORDER BY grant_id LIMIT ?",
                node, GRANTS_A_BATCH,
            )]  # fmt: skip
            waiting += [_mark(row) for row in self._book.rows(
                "SELECT * FROM mark WHERE node=? AND rec_seq IS NULL ORDER BY mark_id LIMIT ?",
                node, GRANTS_A_BATCH,
            )]  # fmt: skip
            waiting += [_order(row) for row in self._book.rows(
                "SELECT * FROM control_order WHERE node=? AND rec_seq IS NULL"
                " ORDER BY order_id LIMIT ?",
                node, GRANTS_A_BATCH,
            )]  # fmt: skip
            conn.execute(
                "INSERT OR IGNORE INTO stream_out VALUES(?,0,0,?,?)", (node, bytes(32), "0" * 64)
            )
            stream = self._book.rows("SELECT * FROM stream_out WHERE node=?", node)[0]
            rec_seq, head, lines = stream["rec_seq"], stream["head"], []
            now_ms = wall_ms(self._clock)
            for entry in waiting:
                rec_seq += 1
                record = _record(entry, rec_seq, head, now_ms)
                head = record["hash"]
                lines.append(fpb.canonical(record))
                conn.execute(entry.numbered, (rec_seq, entry.key))
                conn.execute("INSERT INTO record_out VALUES(?,?,?)", (node, rec_seq, head))
            upto, applied_head = self._book.applied(node)
            header = fpb.Header(
                fpb.CTRL, self._me.id, node, EPOCH, 2, stream["seq"] + 1, now_ms,
                stream["rec_seq"] + 1, len(lines), prev_batch_sm3=stream["batch_sm3"],
                cum_ack=upto, ack_head_sm3=applied_head,
            )  # fmt: skip
            content = fpb.write(header, lines, self._me, party, self._token)
            conn.execute(
                "UPDATE stream_out SET seq=?, rec_seq=?, batch_sm3=?, head=? WHERE node=?",
                (header.seq, rec_seq, sm.sm3(content), head, node),
            )
            conn.execute(
                "INSERT INTO batch_out(node, seq, first_rec, n_rec, content) VALUES(?,?,?,?,?)",
                (node, header.seq, header.first_rec, header.n_rec, content),
            )


@dataclass(frozen=True, slots=True)
class _Entry:
    """What goes into a record; `numbered` writes its rec_seq back to the row with `key`."""

    op: str
    body: dict[str, Any]
    idem: str
    key: str
    numbered: str


def _grant(row: sqlite3.Row) -> _Entry:
    first, last = f"{row['first']:010d}", f"{row['last']:010d}"
    body = {
        "code": row["code"],
        "first": first,
        "last": last,
        "not_after": row["not_after"],
        "unit": row["unit"],
        "grant_id": row["grant_id"],
        "quota": json.loads(row["quota"]),
    }
    name = f"{row['code']}|{first}|GRANT|{last}"
    return _Entry(
        "GRANT", body, name, row["grant_id"], "UPDATE block SET rec_seq=? WHERE grant_id=?"
    )


def _mark(row: sqlite3.Row) -> _Entry:
    body = {name: row[name] for name in ("code", "number", "mark", "at", "evidence", "mark_id")}
    name = f"{row['code']}|{row['number']}|MARK|{row['mark_id']}"
    return _Entry("MARK", body, name, row["mark_id"], "UPDATE mark SET rec_seq=? WHERE mark_id=?")


def _order(row: sqlite3.Row) -> _Entry:
    numbered = "UPDATE control_order SET rec_seq=? WHERE order_id=?"
    return _Entry(row["op"], json.loads(row["body"]), row["idem"], row["order_id"], numbered)


def _record(entry: _Entry, rec_seq: int, prev: str, now_ms: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "at": now_ms,
        "body": entry.body,
        "idem": sm.sm3(entry.idem.encode()).hex(),
        "journal": {"hash": "", "seq": 0},
        "op": entry.op,
        "prev": prev,
        "rec_seq": rec_seq,
    }
    record["hash"] = fpb.record_hash(record)
    return record
