"""What a province makes of red receipts and of paper: one red per blue, one receipt per sheet.

Two rules: the books decide, not the node's word; a record that does not fit is refused with
the first reason found. Called inside the transaction of its batch.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from fep.sim.province_book import Book
from fep.sim.province_check import Rejected

PAPER_OPS = ("PAPER", "VOID_PAPER", "VOID_BLANK")
OPS = ("ISSUE", "RED", *PAPER_OPS)
_SHEET = re.compile(r"[0-9A-Za-z]{1,20}-\d{1,18}")
BLANKS_MAX = 1000


def check_form(op: str, body: Mapping[str, Any]) -> None:
    """Check the members that an operation has beside those of a receipt. Raises Rejected."""
    wanted = {
        "RED": ("related_code", "related_number", "reason"),
        "PAPER": ("unit", "code", "number", "sheet_code", "sheet_number"),
        "VOID_PAPER": ("unit", "code", "number", "sheet_code", "sheet_number", "reason"),
        "VOID_BLANK": ("unit", "code", "number", "last", "reason"),
    }  # fmt: skip
    for name in wanted.get(op, ()):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Rejected("FORM", name)
    if op == "RED" and body["amount_fen"] >= 0:
        raise Rejected("FORM", "the amount of a red receipt is negative")
    if op == "ISSUE" and body["amount_fen"] < 0:
        raise Rejected("FORM", "only a red receipt has a negative amount")


def book_red(book: Book, conn: sqlite3.Connection, body: Mapping[str, Any]) -> None:
    """Bind a red receipt to its blue one. Raises Rejected."""
    blue = book.row(
        "SELECT * FROM receipt WHERE code=? AND number=?",
        body["related_code"], body["related_number"],
    )  # fmt: skip
    name = f"{body['related_code']} {body['related_number']}"
    if blue is None or blue["unit"] != body["unit"]:
        raise Rejected("BLUE_UNKNOWN", name)
    if blue["amount_fen"] != -body["amount_fen"] or blue["kind"] != body["kind"]:
        raise Rejected("BLUE_DIFFERS", f"{name} has {blue['amount_fen']} fen")
    if book.row("SELECT 1 FROM red WHERE code=? AND number=?", blue["code"], blue["number"]):
        raise Rejected("RED_OF_RED", name)
    if _sheet_of(book, blue["code"], blue["number"]) is not None:
        raise Rejected("PAPER_OUT", name)
    added = conn.execute(
        "INSERT OR IGNORE INTO red VALUES(?,?,?,?)",
        (body["code"], body["number"], blue["code"], blue["number"]),
    )
    if added.rowcount == 0:
        raise Rejected("REVERSED", name)


def flags(book: Book, code: str, number: str) -> dict[str, str]:
    """Return the state of a receipt as the dialects tell it: three flags, 0 or 1."""
    booking = book.row(
        "SELECT mark FROM mark WHERE code=? AND number=? AND mark IN ('booked', 'unbooked')"
        " ORDER BY mark_id DESC LIMIT 1", code, number,
    )  # fmt: skip
    off = "SELECT 1 FROM mark WHERE code=? AND number=? AND mark='written_off'"
    red = "SELECT 1 FROM red WHERE blue_code=? AND blue_number=?"
    held = {
        "reversed": book.row(red, code, number) is not None,
        "written_off": book.row(off, code, number) is not None,
        "booked": booking is not None and booking["mark"] == "booked",
    }
    return {name: "1" if there else "0" for name, there in held.items()}


def book_paper(book: Book, conn: sqlite3.Connection, op: str, body: Mapping[str, Any]) -> None:
    """Take an act on paper into the books. Raises Rejected."""
    if op == "VOID_BLANK":
        _void_blanks(book, conn, body)
        return
    receipt = book.row(
        "SELECT unit FROM receipt WHERE code=? AND number=?", body["code"], body["number"]
    )
    if receipt is None or receipt["unit"] != body["unit"]:
        raise Rejected("RECEIPT_UNKNOWN", f"{body['code']} {body['number']}")
    held = _sheet_of(book, body["code"], body["number"])
    sheet = f"{body['sheet_code']}-{body['sheet_number']}"
    if op == "VOID_PAPER":
        if held != sheet:
            raise Rejected("SHEET_DIFFERS", f"{sheet}, the books say {held}")
        conn.execute("UPDATE sheet SET state='void' WHERE name=?", (sheet,))
        return
    if held != body.get("replaces"):
        raise Rejected("SHEET_DIFFERS", f"{body.get('replaces')}, the books say {held}")
    if held is not None:
        conn.execute("UPDATE sheet SET state='void' WHERE name=?", (held,))
    _enter(conn, sheet, "used", body["code"], body["number"])


def _void_blanks(book: Book, conn: sqlite3.Connection, body: Mapping[str, Any]) -> None:
    first, last = str(body["number"]), str(body["last"])
    shaped = first.isdigit() and last.isdigit() and len(first) == len(last)
    if not shaped or not 0 <= int(last) - int(first) < BLANKS_MAX:
        raise Rejected("FORM", "number or last")
    for number in range(int(first), int(last) + 1):
        _enter(conn, f"{body['code']}-{number:0{len(first)}d}", "void", "", "")


def _enter(conn: sqlite3.Connection, sheet: str, state: str, code: str, number: str) -> None:
    if not _SHEET.fullmatch(sheet):
        raise Rejected("FORM", "sheet")
    added = conn.execute(
        "INSERT OR IGNORE INTO sheet VALUES(?,?,?,?)", (sheet, state, code, number)
    )
    if added.rowcount == 0:
        raise Rejected("SHEET_USED", sheet)


def _sheet_of(book: Book, code: str, number: str) -> str | None:
    row = book.row(
        "SELECT name FROM sheet WHERE code=? AND number=? AND state='used'", code, number
    )
    return str(row["name"]) if row is not None else None


def told(book: Book) -> dict[str, Any]:
    """Return what the ledger shows of red receipts, paper and kinds."""
    return {
        "reds": [
            {"red": f"{row['code']}-{row['number']}",
             "blue": f"{row['blue_code']}-{row['blue_number']}"}
            for row in book.rows("SELECT * FROM red ORDER BY code, number")
        ],
        "sheets": [
            {"sheet": row["name"], "state": row["state"],
             "receipt": f"{row['code']}-{row['number']}" if row["code"] else None}
            for row in book.rows("SELECT * FROM sheet ORDER BY name")
        ],
        "kinds": [
            {"kind": row["kind"], "count": row["n"], "reds": row["reds"], "money_fen": row["fen"]}
            for row in book.rows(
                "SELECT kind, count(*) AS n, sum(amount_fen < 0) AS reds, sum(amount_fen) AS fen"
                " FROM receipt GROUP BY kind ORDER BY kind"
            )
        ],
    }  # fmt: skip


def mark(book: Book, code: str, number: str, said: str, evidence: str, now_ms: int) -> str:
    """Queue a mark for the node of a receipt; return the mark's id. Raises Rejected."""
    with book.transaction() as conn:
        row = book.row("SELECT node FROM receipt WHERE code=? AND number=?", code, number)
        if row is None:
            raise Rejected("RECEIPT_UNKNOWN", f"{code} {number}")
        mark_id = f"M{book.rows('SELECT count(*) AS n FROM mark')[0]['n'] + 1:08d}"
        conn.execute(
            "INSERT INTO mark VALUES(?,?,?,?,?,?,?,NULL,NULL)",
            (mark_id, row["node"], code, number, said, now_ms, evidence),
        )
    return mark_id
