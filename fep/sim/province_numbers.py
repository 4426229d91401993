"""What a province makes of requests for numbers and of numbers that come back.

Two rules: a request is only noted, a person grants; numbers that came back are nobody's, and a
receipt under one of them is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from fep.sim.province_book import Book
from fep.sim.province_check import Rejected

NUMBER_OPS = ("REQUEST", "RETURN")


def check_form(op: str, body: Mapping[str, Any]) -> None:
    """Check the members of an operation on numbers. Raises Rejected."""
    for name in ("unit", "code", "number", *(("last",) if op == "RETURN" else ())):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Rejected("FORM", name)
    count = body.get("count")
    if not isinstance(count, int) or count <= 0:
        raise Rejected("FORM", "count")
    if op == "RETURN" and not (body["number"].isdigit() and body["last"].isdigit()):
        raise Rejected("FORM", "number or last")


def book(book_: Book, conn: sqlite3.Connection, node: str, op: str, body: Mapping[str, Any],
         now_ms: int) -> None:  # fmt: skip
    """Take an operation on numbers into the books. Raises Rejected."""
    if op == "REQUEST":
        conn.execute(
            "INSERT INTO request VALUES(?,?,?,?,?)",
            (node, body["unit"], body["code"], body["count"], now_ms),
        )
        return
    first, last = int(body["number"]), int(body["last"])
    name = f"{body['code']} {body['number']}-{body['last']}"
    block = book_.row(
        "SELECT 1 FROM block WHERE code=? AND first<=? AND last=? AND unit=? AND node=?",
        body["code"], first, last, body["unit"], node,
    )  # fmt: skip
    if block is None or last - first + 1 != body["count"]:
        raise Rejected("NOT_GRANTED", name)
    if returned(book_, body["code"], first, last):
        raise Rejected("RETURNED", name)
    used = book_.row(
        "SELECT 1 FROM receipt WHERE code=? AND number BETWEEN ? AND ?",
        body["code"], body["number"], body["last"],
    )  # fmt: skip
    if used is not None:
        raise Rejected("NUMBER_USED", name)
    conn.execute("INSERT INTO returned VALUES(?,?,?,?)", (body["code"], first, last, now_ms))


def returned(book_: Book, code: str, first: int, last: int) -> bool:
    """Say whether any number of a range came back."""
    found = book_.row(
        "SELECT 1 FROM returned WHERE code=? AND first<=? AND last>=?", code, last, first
    )
    return found is not None


def told(book_: Book) -> dict[str, Any]:
    """Return what the ledger shows of requests and returns."""
    return {
        "requests": [
            {"unit": row["unit"], "code": row["code"], "count": row["count"]}
            for row in book_.rows("SELECT * FROM request ORDER BY at")
        ],
        "returned": [
            {"code": row["code"], "first": f"{row['first']:010d}", "last": f"{row['last']:010d}"}
            for row in book_.rows("SELECT * FROM returned ORDER BY code, first")
        ],
    }
