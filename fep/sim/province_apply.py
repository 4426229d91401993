"""Applying receipts: in order per stream, one transaction per batch, results kept for ever.

Two rules: a record that is refused never blocks its stream, a chain that does not fit stops
it; the same record again gets the answer it got before.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fep.sim import province_check as check
from fep.sim import province_life as life
from fep.sim import province_numbers as numbers
from fep.sim import sm
from fep.sim.dice import Dice
from fep.sim.fpb import Bad, Batch, Self, canonical, parsed, record_hash
from fep.sim.province_book import Book

Row = sqlite3.Row


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the province says about one record: result, fault, detail and its signature."""

    result: str
    fault: str = ""
    detail: str = ""
    supervision: str | None = None


class Registrar:
    """Takes data batches into the books."""

    def __init__(
        self,
        book: Book,
        me: Self,
        now_ms: Callable[[], int],
        *,
        refuse_rate: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._book = book
        self._me = me
        self._now_ms = now_ms
        self._refuse_rate = refuse_rate
        self._seed = seed

    def take(self, batch: Batch) -> list[int]:
        """Store a data batch and apply what is in order now; return the applied `seq`s.

        Raises Bad `chain` for a batch that does not follow, which stops the stream, and
        `unexpected` for another content under a `seq` that was taken, which changes nothing.
        """
        head = batch.header
        stream = self.stream(head.sender, head.epoch)
        held = self._book.row(
            "SELECT sm3 FROM batch_in WHERE node=? AND epoch=? AND seq=?",
            head.sender, head.epoch, head.seq,
        )  # fmt: skip
        if held is not None and held["sm3"] != batch.sm3:
            raise Bad("unexpected", f"batch {head.seq} came with another content", final=True)
        if held is not None:
            self._book.count("duplicate_batches")
            return []
        with self._book.transaction() as conn:
            conn.execute(
                "INSERT INTO batch_in VALUES(?,?,?,?,?,?,?,?,?)",
                (head.sender, head.epoch, head.seq, batch.sm3, head.prev_batch_sm3,
                 head.first_rec, head.n_rec, batch.plain, self._now_ms()),
            )  # fmt: skip
        return self._apply_ready(head.sender, head.epoch) if stream["stopped"] is None else []

    def stream(self, node: str, epoch: int) -> Row:
        """Return the row of a stream, made when it is new."""
        self._book.conn.execute(
            "INSERT OR IGNORE INTO stream_in(node, epoch, batch_sm3, head) VALUES(?,?,?,?)",
            (node, epoch, bytes(32), "0" * 64),
        )
        row = self._book.row("SELECT * FROM stream_in WHERE node=? AND epoch=?", node, epoch)
        assert row is not None
        return row

    def _apply_ready(self, node: str, epoch: int) -> list[int]:
        applied: list[int] = []
        while True:
            stream = self.stream(node, epoch)
            row = self._book.row(
                "SELECT * FROM batch_in WHERE node=? AND epoch=? AND seq=?",
                node, epoch, stream["batch_seq"] + 1,
            )  # fmt: skip
            if row is None:
                return applied
            try:
                records = _chained(stream, row)
            except (ValueError, KeyError, TypeError) as error:
                self._stop(node, epoch, f"batch {row['seq']}: {error}")
            self._apply(row, records)
            applied.append(row["seq"])

    def _stop(self, node: str, epoch: int, why: str) -> None:
        with self._book.transaction() as conn:
            conn.execute(
                "UPDATE stream_in SET stopped=? WHERE node=? AND epoch=?", (why, node, epoch)
            )
            self._book.count("chain_stops")
        raise Bad("chain", why, final=True)

    def _apply(self, row: Row, records: list[dict[str, Any]]) -> None:
        node = row["node"]
        examine = self._examiner(node)
        examined = [examine(record) for record in records]
        with self._book.transaction() as conn:
            for record, verdict in zip(records, examined, strict=True):
                self._enter(conn, row, record, verdict)
            conn.execute(
                "UPDATE stream_in SET batch_seq=?, batch_sm3=?, rec_seq=?, head=?"
                " WHERE node=? AND epoch=?",
                (row["seq"], row["sm3"], records[-1]["rec_seq"], records[-1]["hash"],
                 node, row["epoch"]),
            )  # fmt: skip

    def _examiner(self, node: str) -> Callable[[dict[str, Any]], Verdict]:
        """Return a judge of single records; certificates are looked up here."""
        certificates = {
            (row["code"], row["serial"]): sm.load_certificate(row["certificate"])
            for row in self._book.rows("SELECT * FROM unit WHERE node=?", node)
        }

        def certificate(unit: str, serial: str) -> sm.Certificate | None:
            try:
                return certificates.get((unit, f"{int(serial, 16):x}"))
            except ValueError:
                return None

        def examine(record: dict[str, Any]) -> Verdict:
            try:
                return self._judge(record, certificate)
            except check.Rejected as refusal:
                return Verdict("REJECT", refusal.fault, refusal.detail)

        return examine

    def _judge(
        self, record: dict[str, Any], certificate: Callable[[str, str], sm.Certificate | None]
    ) -> Verdict:
        op, body = str(record.get("op")), record["body"]
        if op not in (*life.OPS, *numbers.NUMBER_OPS):
            raise check.Rejected("op", op)
        if record.get("idem") != check.idem_of(body, op):
            raise check.Rejected("IDEM", "idem is not SM3 of code|number|op|revision")
        if op in numbers.NUMBER_OPS:
            numbers.check_form(op, body)
            return Verdict("OK")
        if op in life.PAPER_OPS:
            life.check_form(op, body)
            return Verdict("OK")
        found = check.papers(body)
        life.check_form(op, body)
        check.check(body, found, certificate)
        rate = self._refuse_rate
        if rate and Dice(self._seed, record["idem"]).chance(rate):
            raise check.Rejected("REFUSED", "refused at random, as told by --refuse-rate")
        supervision = {
            "cert_serial": self._me.certificate.serial_hex,
            "signed_at": self._now_ms(),
            "value": base64.b64encode(check.supervise(found, self._me.key)).decode(),
        }
        return Verdict("OK", supervision=canonical(supervision).decode())

    def _enter(
        self, conn: sqlite3.Connection, row: Row, record: dict[str, Any], verdict: Verdict
    ) -> None:
        body, idem = record["body"], str(record.get("idem"))
        digest = check.body_digest(body)
        before = self._book.row(
            "SELECT * FROM record WHERE idem=? AND result IN ('OK','REJECT') ORDER BY at LIMIT 1",
            idem,
        )
        if before is not None:
            verdict = self._again(before, digest)
        elif verdict.result == "OK":
            verdict = self._take_in(conn, row["node"], record, verdict)
        if verdict.fault == "SIGNATURE" and before is None:
            self._book.count("bad_signatures")
        conn.execute(
            "INSERT INTO record VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (row["node"], row["epoch"], record["rec_seq"], row["seq"], idem, digest,
             str(body.get("code")), str(body.get("number")), verdict.result, verdict.fault,
             verdict.detail, verdict.supervision, self._now_ms()),
        )  # fmt: skip

    def _again(self, before: Row, digest: bytes) -> Verdict:
        if before["body_sm3"] != digest:
            self._book.count("conflicts")
            return Verdict("CONFLICT", "CONFLICT", f"differs from rec_seq {before['rec_seq']}")
        self._book.count("duplicate_records")
        result = "DUP" if before["result"] == "OK" else before["result"]
        return Verdict(result, before["fault"], before["detail"], before["supervision"])

    def _take_in(
        self, conn: sqlite3.Connection, node: str, record: dict[str, Any], verdict: Verdict
    ) -> Verdict:
        """Take a record into the books; what the books refuse leaves nothing behind."""
        op, body = record["op"], record["body"]
        conn.execute("SAVEPOINT record")
        try:
            after = verdict
            if op in numbers.NUMBER_OPS:
                numbers.book(self._book, conn, node, op, body, self._now_ms())
            elif op in life.PAPER_OPS:
                life.book_paper(self._book, conn, op, body)
            else:
                after = self._book_receipt(conn, node, body, record["idem"], verdict)
                if op == "RED" and after.result == "OK":
                    life.book_red(self._book, conn, body)
        except check.Rejected as refusal:
            conn.execute("ROLLBACK TO record")
            after = Verdict("REJECT", refusal.fault, refusal.detail)
        conn.execute("RELEASE record")
        return after

    def _book_receipt(
        self, conn: sqlite3.Connection, node: str, body: dict[str, Any], idem: str, verdict: Verdict
    ) -> Verdict:
        number = int(body["number"])
        block = self._book.row(
            "SELECT * FROM block WHERE code=? AND first<=? AND last>=? AND unit=? AND node=?",
            body["code"], number, number, body["unit"], node,
        )  # fmt: skip
        if block is None:
            return Verdict("REJECT", "NOT_GRANTED", f"{body['code']} {body['number']}")
        if block["not_after"] is not None and body["issued_at"] > block["not_after"]:
            return Verdict("REJECT", "GRANT_EXPIRED", block["grant_id"])
        if numbers.returned(self._book, body["code"], number, number):
            return Verdict("REJECT", "RETURNED", f"{body['code']} {body['number']}")
        added = conn.execute(
            "INSERT OR IGNORE INTO receipt VALUES(?,?,?,?,?,?,?,?,?)",
            (body["code"], body["number"], idem, node, body["unit"], body["event_key"],
             body["amount_fen"], body["kind"], self._now_ms()),
        )  # fmt: skip
        if added.rowcount == 0:
            return Verdict("REJECT", "NUMBER_USED", f"{body['code']} {body['number']}")
        return verdict


def _chained(stream: Row, row: Row) -> list[dict[str, Any]]:
    """Return the records of a batch that continues the stream. Raises ValueError."""
    if row["prev"] != stream["batch_sm3"]:
        raise ValueError("prev_batch_sm3 is not the batch before")
    records: list[dict[str, Any]] = [parsed(line) for line in row["plain"].split(b"\n")]
    if len(records) != row["n_rec"] or row["first_rec"] != stream["rec_seq"] + 1:
        raise ValueError("first_rec or n_rec differ from the records")
    prev = stream["head"]
    for rec_seq, record in enumerate(records, row["first_rec"]):
        if record["rec_seq"] != rec_seq or record["prev"] != prev:
            raise ValueError(f"record {rec_seq} does not follow the one before")
        if record["hash"] != record_hash(record) or not isinstance(record["body"], dict):
            raise ValueError(f"record {rec_seq} does not carry its own hash")
        prev = record["hash"]
    return records
