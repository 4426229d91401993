"""The province's window in a dialect: judges a receipt, books it, answers in neutral words.

Two rules: the literal bytes are judged, never a re-serialisation; a refusal names one of the
words of `FAULTS`, which each dialect turns into its own code. One transaction for all that
was judged together; nobody is told before it is durable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

from fep.sim import province_check as check
from fep.sim import province_life as life
from fep.sim import sm
from fep.sim.province_book import Book
from fep.sim.province_check import Rejected

CST = timezone(timedelta(hours=8))
FAULTS = ("LOGIN", "FORM", "UNKNOWN", "STALE_DATE", "NOT_GRANTED", "NUMBER_USED", "SIGNATURE",
          "ITEM", "BLUE_UNKNOWN", "ABSENT", "BUSY")  # fmt: skip
# What the checks of a link batch say, in the words of this window.
_AS = {
    "CERT_UNKNOWN": "SIGNATURE", "XML_FORM": "FORM", "XML_DIFFERS": "FORM", "XML_ITEMS": "FORM",
    "GRANT_EXPIRED": "NOT_GRANTED", "BLUE_DIFFERS": "BLUE_UNKNOWN",
    "RED_OF_RED": "BLUE_UNKNOWN", "REVERSED": "BLUE_UNKNOWN", "PAPER_OUT": "BLUE_UNKNOWN",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rules:
    """What this province insists on. `days` is how old an IssueDate may be, -1 for any age."""

    days: int = -1
    items_refused: tuple[str, ...] = ()
    clock_off_s: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A call in neutral words: `op` is issue, find, number, items, notice …"""

    op: str
    unit: str
    id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    original: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer; `fault` empty means that it was done."""

    fault: str = ""
    detail: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """A receipt whose bytes were looked at."""

    asked: Asked
    body: Mapping[str, Any]
    refused: Rejected | None = None


class Window:
    """Answers calls out of the province's books."""

    def __init__(self, book: Book, now_ms: Callable[[], int], rules: Rules) -> None:
        self._book = book
        self._now_ms = now_ms
        self._rules = rules
        self._certificates: dict[str, list[sm.Certificate]] = {}

    def now_ms(self) -> int:
        """Return the province's own time, which may be off."""
        return self._now_ms() + self._rules.clock_off_s * 1000

    def today(self) -> datetime:
        """Return the province's own time at +08:00."""
        return datetime.fromtimestamp(self.now_ms() / 1000, CST)

    def certificates(self, unit: str) -> list[sm.Certificate]:
        """Return the certificates of a unit; read once."""
        if unit not in self._certificates:
            self._certificates[unit] = [
                sm.load_certificate(row["certificate"])
                for row in self._book.rows("SELECT * FROM unit WHERE code=?", unit)
            ]
        return self._certificates[unit]

    def judge(self, asked: Asked, certificates: list[sm.Certificate]) -> Judged:
        """Look at the bytes of a receipt; touches no book."""
        body: dict[str, Any] = {
            "unit": asked.unit, "code": asked.fields.get("code", ""),
            "number": asked.fields.get("number", ""),
            "event_key": asked.fields.get("event_key", ""), "kind": "",
        }  # fmt: skip
        try:
            root = self._read(asked.original, body)
            if not any(c.public_key.verify(asked.original, asked.signature) for c in certificates):
                raise Rejected("SIGNATURE", "of no certificate of the unit")
            check.check_document(body, asked.original, root)
        except Rejected as refusal:
            return Judged(asked, body, refusal)
        return Judged(asked, body)

    def _read(self, original: bytes, body: dict[str, Any]) -> ElementTree.Element:
        try:
            root = ElementTree.fromstring(b"<E>" + original + b"</E>")
        except ElementTree.ParseError as error:
            raise Rejected("FORM", str(error)) from error
        text = {one.tag: one.text or "" for one in root.iterfind("EInvoiceData/Main/*")}
        amount = text.get("TotalAmount", "")
        if not check.MONEY.fullmatch(amount) or not str(body["number"]).isdigit():
            raise Rejected("FORM", "TotalAmount or number")
        body["amount_fen"] = int(amount.replace(".", ""))
        body["check_code"] = text.get("RandomNumber", "")
        body["issued_on"] = text.get("IssueDate", "")
        if self._rules.items_refused:
            self._check_items(root)
        self._check_date(str(body["issued_on"]))
        return root

    def _check_items(self, root: ElementTree.Element) -> None:
        names = [one.text or "" for one in root.iterfind(".//Details/Item/ItemName")]
        codes = [one.text or "" for one in root.iterfind(".//Details/Item/ItemCode")]
        wrong = sorted(set(self._rules.items_refused) & {*names, *codes})
        if wrong:
            raise Rejected("ITEM", wrong[0])

    def _check_date(self, issued_on: str) -> None:
        if self._rules.days < 0:
            return
        try:
            day = datetime.strptime(issued_on, "%Y%m%d").replace(tzinfo=CST).date()
        except ValueError as error:
            raise Rejected("FORM", "IssueDate") from error
        age = (self.today().date() - day).days
        if not 0 <= age <= self._rules.days:
            raise Rejected("STALE_DATE", f"{issued_on}, today is {self.today():%Y%m%d}")

    # inside one transaction
    def book(self, conn: sqlite3.Connection, judged: Judged) -> Said:
        """Take a judged receipt in, or write its refusal down."""
        asked, body = judged.asked, judged.body
        refused = judged.refused
        if refused is None:
            conn.execute("SAVEPOINT receipt")
            try:
                self._enter(conn, asked, body)
            except Rejected as error:
                conn.execute("ROLLBACK TO receipt")
                refused = error
            conn.execute("RELEASE receipt")
        if refused is None:
            at = f"{self.today():%Y%m%d%H%M%S}"
            return Said(fields={"code": body["code"], "number": body["number"], "time": at})
        fault = _AS.get(refused.fault, refused.fault)
        if fault == "SIGNATURE":
            self._book.count("bad_signatures")
        if fault != "NUMBER_USED":
            self._refusal(conn, asked, body, fault, refused.detail)
        else:
            self._book.count("duplicate_records")
        return Said(fault, refused.detail)

    def _enter(self, conn: sqlite3.Connection, asked: Asked, body: Mapping[str, Any]) -> None:
        number = int(body["number"])
        owner = self._book.row(
            "SELECT * FROM block WHERE code=? AND first<=? AND last>=? AND unit=?",
            body["code"], number, number, asked.unit,
        )  # fmt: skip
        if owner is None:
            raise Rejected("NOT_GRANTED", f"{body['code']} {body['number']}")
        red = bool(asked.fields.get("related_number"))
        amount_fen = -abs(body["amount_fen"]) if red else body["amount_fen"]
        kind = self._book.row("SELECT kind FROM kind_of WHERE code=?", body["code"])
        body = {**body, "kind": kind["kind"] if kind is not None else ""}
        added = conn.execute(
            "INSERT OR IGNORE INTO receipt VALUES(?,?,?,?,?,?,?,?,?)",
            (body["code"], body["number"], f"{body['code']}|{body['number']}", owner["node"],
             asked.unit, body["event_key"], amount_fen, body["kind"], self._now_ms()),
        )  # fmt: skip
        if added.rowcount == 0:
            raise Rejected("NUMBER_USED", f"{body['code']} {body['number']}")
        conn.execute(
            "INSERT OR REPLACE INTO paper_of VALUES(?,?,?,?)",
            (body["code"], body["number"], body["check_code"], asked.original),
        )
        if red:
            related = {
                **body, "amount_fen": amount_fen,
                "related_code": asked.fields.get("related_code", ""),
                "related_number": asked.fields.get("related_number", ""),
            }  # fmt: skip
            life.book_red(self._book, conn, related)

    def _refusal(self, conn: sqlite3.Connection, asked: Asked, body: Mapping[str, Any],
                 fault: str, detail: str) -> None:  # fmt: skip
        top = self._book.rows("SELECT count(*) AS n FROM record WHERE node='window'")[0]["n"]
        conn.execute(
            "INSERT INTO record VALUES('window',0,?,0,?,?,?,?,'REJECT',?,?,NULL,?)",
            (top + 1, asked.id, b"", str(body["code"]), str(body["number"]), fault, detail,
             self._now_ms()),
        )  # fmt: skip

    def answer(self, conn: sqlite3.Connection, asked: Asked) -> Said:
        """Answer any call but an issue."""
        answers: dict[str, Callable[[sqlite3.Connection, Asked], Said]] = {
            "find": self._find, "number": self._number, "items": self._items,
            "notice": self._notice, "notice_void": self._notice_void, "payment": self._payment,
            "by_pay_code": self._by_pay_code,
        }  # fmt: skip
        found = answers.get(asked.op)
        return found(conn, asked) if found is not None else Said("UNKNOWN", asked.op)

    def _find(self, _conn: sqlite3.Connection, asked: Asked) -> Said:
        row = self._book.row(
            "SELECT r.*, p.check_code, p.original FROM receipt r JOIN paper_of p"
            " ON p.code=r.code AND p.number=r.number WHERE r.code=? AND r.number=?",
            asked.fields.get("code", ""), asked.fields.get("number", ""),
        )  # fmt: skip
        if row is None or row["unit"] != asked.unit:
            return Said("ABSENT", f"{asked.fields.get('code')} {asked.fields.get('number')}")
        return Said(fields={
            "code": row["code"], "number": row["number"], "check_code": row["check_code"],
            "amount_fen": row["amount_fen"], "original": row["original"],
            **life.flags(self._book, row["code"], row["number"]),
        })  # fmt: skip

    def _number(self, conn: sqlite3.Connection, asked: Asked) -> Said:
        """Give the next number; the same call id gets the same number."""
        code = asked.fields.get("code", "")
        before = self._book.row("SELECT number FROM stock WHERE id=?", asked.id)
        if before is not None:
            return Said(fields={"code": code, "number": before["number"]})
        owner = self._book.row("SELECT node FROM unit WHERE code=?", asked.unit)
        if owner is None or len(code) != 8:
            return Said("NOT_GRANTED", f"{asked.unit} {code}")
        top = self._book.rows("SELECT coalesce(max(last), 0) AS n FROM block WHERE code=?", code)
        number = top[0]["n"] + 1
        grown = conn.execute(
            "UPDATE block SET last=last+1 WHERE code=? AND unit=? AND last=?"
            " AND grant_id LIKE 'S%'",
            (code, asked.unit, number - 1),
        )
        if grown.rowcount == 0:
            serial = self._book.rows("SELECT count(*) AS n FROM block")[0]["n"] + 1
            conn.execute(
                "INSERT INTO block VALUES(?,?,?,?,?,?,NULL,'{}',?,0,'stock')",
                (f"S{serial:08d}", owner["node"], asked.unit, code, number, number,
                 self._now_ms()),
            )  # fmt: skip
        conn.execute("INSERT INTO stock VALUES(?,?,?)", (asked.id, code, f"{number:010d}"))
        return Said(fields={"code": code, "number": f"{number:010d}"})

    def _items(self, _conn: sqlite3.Connection, _asked: Asked) -> Said:
        items = [{"item_code": "OP1", "item_name": "诊察费"},
                 {"item_code": "OP2", "item_name": "西药费"}]  # fmt: skip
        return Said(fields={"items": items})

    def _notice(self, conn: sqlite3.Connection, asked: Asked) -> Said:
        code = asked.fields.get("pay_code", "")
        if not code:
            return Said("FORM", "pay_code")
        conn.execute(
            "INSERT OR IGNORE INTO notice VALUES(?,?,?,'open')",
            (code, asked.unit, asked.fields.get("total", "0.00")),
        )
        return Said(fields={"pay_code": code, "url": f"http://pay.example/{code}"})

    def _notice_void(self, conn: sqlite3.Connection, asked: Asked) -> Said:
        code = asked.fields.get("pay_code", "")
        done = conn.execute("UPDATE notice SET state='void' WHERE pay_code=?", (code,))
        return Said(fields={"pay_code": code}) if done.rowcount else Said("ABSENT", code)

    def _payment(self, _conn: sqlite3.Connection, asked: Asked) -> Said:
        code = asked.fields.get("pay_code", "")
        row = self._book.row("SELECT * FROM notice WHERE pay_code=?", code)
        if row is None:
            return Said("ABSENT", code)
        return Said(fields={"pay_code": code, "total": row["total"], "state": row["state"]})

    def _by_pay_code(self, conn: sqlite3.Connection, asked: Asked) -> Said:
        code = asked.fields.get("pay_code", "")
        row = self._book.row("SELECT code, number FROM receipt WHERE event_key=?", code)
        if row is None:
            return Said("ABSENT", code)
        fields = {"code": row["code"], "number": row["number"]}
        return self._find(conn, Asked("find", asked.unit, asked.id, fields))
