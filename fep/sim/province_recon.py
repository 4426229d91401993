"""Channel 3 of the province: questions about a day, answered from its own books.

Two rules: a question is a letter that was taken, its answer a batch of its own that is repeated
until the node has applied it; what is answered is what was received, or what somebody
planted. The date of issue is read from the records themselves.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fep.sim import fpb, sm
from fep.sim.dropbox import Outbox
from fep.sim.ports import Clock, wall_ms
from fep.sim.province_book import Book
from fep.sim.province_resend import Resends

CHANNEL = 3
EPOCH = 1
LINES_A_PART = 400
BATCHES_A_STEP = 200
ALL_BATCHES = 1 << 62
SCHEMA = """
CREATE TABLE IF NOT EXISTS recon_stream(
    node TEXT PRIMARY KEY, seq INTEGER NOT NULL, rec_seq INTEGER NOT NULL,
    batch_sm3 BLOB NOT NULL, head TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS recon_out(
    node TEXT, seq INTEGER, last_rec INTEGER NOT NULL, content BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, freed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(node, seq));
CREATE TABLE IF NOT EXISTS issued(
    code TEXT, number TEXT, issued_on TEXT NOT NULL, PRIMARY KEY(code, number));
CREATE TABLE IF NOT EXISTS issued_upto(name TEXT PRIMARY KEY, rowid_seen INTEGER NOT NULL);
"""
_LINES = """
SELECT r.code, r.number, r.kind, r.amount_fen,
    EXISTS(SELECT 1 FROM red d WHERE d.blue_code=r.code AND d.blue_number=r.number) AS reversed,
    EXISTS(SELECT 1 FROM mark m WHERE m.code=r.code AND m.number=r.number
        AND m.mark='written_off') AS written_off,
    (SELECT m.mark FROM mark m WHERE m.code=r.code AND m.number=r.number
        AND m.mark IN ('booked', 'unbooked') ORDER BY m.mark_id DESC LIMIT 1) AS booking
FROM receipt r JOIN issued i ON i.code=r.code AND i.number=r.number
WHERE r.node=? AND i.issued_on=? ORDER BY r.code, r.number
"""


def prepare(book: Book) -> None:
    """Make the tables of this module."""
    book.conn.executescript(SCHEMA)


class Recon:
    """Answers the questions of nodes."""

    def __init__(
        self, book: Book, me: fpb.Self, outbox: Outbox, clock: Clock,
        token: Callable[[int], bytes],
    ) -> None:  # fmt: skip
        prepare(book)
        self._book = book
        self._me = me
        self._clock = clock
        self._token = token
        self._resends = Resends(outbox)

    # from Province
    def step(self, now: float, resend_s: float) -> None:
        """Answer the questions that came as letters, and write the answers that are due."""
        self._look()
        for row in self._book.rows(
            "SELECT * FROM recon_out WHERE freed=0 ORDER BY node, seq LIMIT ?", BATCHES_A_STEP
        ):
            self._write(row, now, resend_s)

    def answered(self, node: str, kind: int, record: Mapping[str, Any]) -> None:
        """Take an ACK or NACK of the node about channel 3."""
        if record.get("channel") != CHANNEL or record.get("epoch") != EPOCH:
            return
        if kind == fpb.NACK:
            self._resends.lost(node, 1, ALL_BATCHES)
            return
        self._book.conn.execute(
            "UPDATE recon_out SET freed=1 WHERE node=? AND last_rec<=?",
            (node, int(record["applied_upto"])),
        )

    # questions
    def _look(self) -> None:
        seen = self._seen("letter")
        rows = self._book.rows(
            "SELECT rowid, node, body FROM letter WHERE rowid>? AND op='RECON' ORDER BY rowid", seen
        )
        if not rows:
            return
        with self._book.transaction() as conn:
            self._learn(conn)
            for row in rows:
                body = json.loads(row["body"])
                self._enqueue(conn, row["node"], str(body["ask"]), self._answer(row["node"], body))
            self._saw(conn, "letter", rows[-1]["rowid"])

    def _seen(self, name: str) -> int:
        row = self._book.row("SELECT rowid_seen FROM issued_upto WHERE name=?", name)
        return int(row["rowid_seen"]) if row else 0

    def _saw(self, conn: sqlite3.Connection, name: str, rowid: int) -> None:
        conn.execute("INSERT OR REPLACE INTO issued_upto VALUES(?, ?)", (name, rowid))

    def _answer(self, node: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = self._book.rows(_LINES, node, str(body.get("day")))
        if body.get("what") == "totals":
            return [{"totals": _totals(rows)}]
        if body.get("what") != "lines":
            return [{"refused": f"what: {body.get('what')}"}]
        asked = (body.get("code"), body.get("kind"))
        lines = [[row["number"], row["amount_fen"], _state(row)]
                 for row in rows if (row["code"], row["kind"]) == asked]  # fmt: skip
        return [{"lines": lines[start : start + LINES_A_PART]}
                for start in range(0, max(len(lines), 1), LINES_A_PART)]  # fmt: skip

    def _learn(self, conn: sqlite3.Connection) -> None:
        """Read the dates of issue out of records that came since the last question."""
        upto = self._seen("batch_in")
        for row in self._book.rows("SELECT rowid, plain FROM batch_in WHERE rowid>?", upto):
            upto = max(upto, row["rowid"])
            for line in row["plain"].split(b"\n"):
                body = json.loads(line)["body"]
                if "issued_at" in body:
                    plant_date(conn, body["code"], body["number"], _day(body["issued_at"]))
        self._saw(conn, "batch_in", upto)

    # answers
    def _enqueue(
        self, conn: sqlite3.Connection, node: str, ask: str, parts: list[dict[str, Any]]
    ) -> None:
        party = self._book.party(node)
        assert party is not None, node
        conn.execute(
            "INSERT OR IGNORE INTO recon_stream VALUES(?,0,0,?,?)", (node, bytes(32), "0" * 64)
        )
        stream = self._book.rows("SELECT * FROM recon_stream WHERE node=?", node)[0]
        rec_seq, prev, lines, now_ms = stream["rec_seq"], stream["head"], [], wall_ms(self._clock)
        for part, body in enumerate(parts, 1):
            rec_seq += 1
            record: dict[str, Any] = {
                "at": now_ms, "body": {"ask": ask, "part": part, "parts": len(parts), **body},
                "idem": sm.sm3(f"{part}|{ask}|RECON|0".encode()).hex(),
                "journal": {"hash": "", "seq": 0}, "op": "RECON", "prev": prev,
                "rec_seq": rec_seq,
            }  # fmt: skip
            prev = record["hash"] = fpb.record_hash(record)
            lines.append(fpb.canonical(record))
        header = fpb.Header(
            fpb.DATA, self._me.id, node, EPOCH, CHANNEL, stream["seq"] + 1, now_ms,
            stream["rec_seq"] + 1, len(lines), prev_batch_sm3=stream["batch_sm3"],
        )  # fmt: skip
        content = fpb.write(header, lines, self._me, party, self._token)
        conn.execute(
            "UPDATE recon_stream SET seq=?, rec_seq=?, batch_sm3=?, head=? WHERE node=?",
            (header.seq, rec_seq, sm.sm3(content), prev, node),
        )
        conn.execute(
            "INSERT INTO recon_out(node, seq, last_rec, content) VALUES(?,?,?,?)",
            (node, header.seq, rec_seq, content),
        )

    def _write(self, row: sqlite3.Row, now: float, resend_s: float) -> None:
        def tried() -> None:
            self._book.conn.execute(
                "UPDATE recon_out SET tries=tries+1 WHERE node=? AND seq=?",
                (row["node"], row["seq"]),
            )

        header = fpb.Header(fpb.DATA, self._me.id, row["node"], EPOCH, CHANNEL, row["seq"], 0, 0, 0)
        attempt = min(row["tries"] + 1, 99)
        self._resends.write(header, attempt, row["content"], now, resend_s, tried)


def _day(at_ms: int) -> str:
    return (datetime.fromtimestamp(at_ms / 1000, UTC) + timedelta(hours=8)).date().isoformat()


def _state(row: sqlite3.Row) -> str:
    words = [
        word
        for word, holds in (
            ("reversed", row["reversed"]), ("written_off", row["written_off"]),
            ("booked", row["booking"] == "booked"),
        )
        if holds
    ]  # fmt: skip
    return "+".join(words) or "normal"


def _totals(rows: list[sqlite3.Row]) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str], list[sqlite3.Row]] = defaultdict(list)
    for row in rows:
        grouped[row["code"], row["kind"]].append(row)
    found = []
    for (code, kind), members in sorted(grouped.items()):
        blue = [row["amount_fen"] for row in members if row["amount_fen"] >= 0]
        red = [row["amount_fen"] for row in members if row["amount_fen"] < 0]
        text = "\n".join(
            sorted(f"{row['number']}|{row['amount_fen']}|{_state(row)}" for row in members)
        )
        found.append({
            "code": code, "kind": kind, "blue": len(blue), "blue_fen": sum(blue),
            "red": len(red), "red_fen": sum(red),
            "reversed": sum(row["reversed"] for row in members),
            "written_off": sum(row["written_off"] for row in members),
            "booked": sum(row["booking"] == "booked" for row in members),
            "digest": sm.sm3(text.encode()).hex(),
        })  # fmt: skip
    return found


# planted differences
def plant_date(conn: sqlite3.Connection, code: str, number: str, day: str) -> None:
    """Say on which day a receipt was issued."""
    conn.execute("INSERT OR REPLACE INTO issued VALUES(?,?,?)", (code, number, day))


def plant(book: Book, what: str, code: str, number: str, fen: int, now_ms: int) -> None:
    """Make the province's books differ. Raises LookupError for a receipt it does not hold.

    lose: forget a receipt (and that it reverses one); amount: change its amount; written_off
    and booked: mark it without telling the node; invent: hold one that nobody sent, issued
    like `number` was asked for today.
    """
    prepare(book)
    with book.transaction() as conn:
        row = book.row("SELECT * FROM receipt WHERE code=? AND number=?", code, number)
        if what == "invent":
            like = book.row("SELECT * FROM receipt WHERE code=? LIMIT 1", code)
            if row is not None or like is None:
                raise LookupError(f"{code} {number}")
            conn.execute(
                "INSERT INTO receipt VALUES(?,?,?,?,?,?,?,?,?)",
                (code, number, f"invented-{number}", like["node"], like["unit"], "invented",
                 fen, like["kind"], now_ms),
            )  # fmt: skip
            conn.execute(
                "INSERT OR IGNORE INTO paper_of SELECT code, ?, check_code, original"
                " FROM paper_of WHERE code=? LIMIT 1",
                (number, code),
            )
            plant_date(conn, code, number, _day(now_ms))
            return
        if row is None:
            raise LookupError(f"{code} {number}")
        if what == "lose":
            conn.execute("DELETE FROM receipt WHERE code=? AND number=?", (code, number))
            conn.execute("DELETE FROM red WHERE code=? AND number=?", (code, number))
        elif what == "amount":
            conn.execute(
                "UPDATE receipt SET amount_fen=? WHERE code=? AND number=?", (fen, code, number)
            )
        else:
            conn.execute(
                "INSERT INTO mark VALUES(?,?,?,?,?,?,?,0,'planted')",
                (f"P{now_ms}{number}", row["node"], code, number, what, now_ms, "planted"),
            )
