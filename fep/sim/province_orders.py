"""Orders of the province on channel 2 beside grants and marks: numbers and certificates revoked.

Two rules: an order is queued once under its identity and sent by the running platform; its
answer is kept beside it.
"""

from __future__ import annotations

import json
from typing import Any

from fep.sim.province_book import Book
from fep.sim.province_check import Rejected

SCHEMA = """
CREATE TABLE IF NOT EXISTS control_order(
    order_id TEXT PRIMARY KEY, node TEXT NOT NULL, op TEXT NOT NULL, body TEXT NOT NULL,
    idem TEXT NOT NULL, rec_seq INTEGER, result TEXT);
"""


def prepare(book: Book) -> None:
    """Make the table of this module."""
    book.conn.executescript(SCHEMA)


def revoke_numbers(book: Book, code: str, first: str, reason: str) -> str:
    """Take back what is left of a granted block; return the order's id. Raises Rejected."""
    block = book.row("SELECT node FROM block WHERE code=? AND first=?", code, int(first))
    if block is None:
        raise Rejected("BLOCK_UNKNOWN", f"{code} {first}")
    body = {"code": code, "first": first, "reason": reason}
    return _queue(book, str(block["node"]), "REVOKE", body, f"{code}|{first}|REVOKE|")


def revoke_unit(book: Book, unit: str, reason: str) -> str:
    """Revoke the newest certificate of a unit; return the order's id. Raises Rejected."""
    row = book.row("SELECT node, serial FROM unit WHERE code=? ORDER BY rowid DESC LIMIT 1", unit)
    if row is None:
        raise Rejected("UNIT_UNKNOWN", unit)
    serial = f"{int(row['serial'], 16):x}"
    body = {"unit": unit, "serial": serial, "reason": reason}
    return _queue(book, str(row["node"]), "REVOKE_UNIT", body, f"{unit}|{serial}|REVOKE_UNIT|0")


def _queue(book: Book, node: str, op: str, body: dict[str, Any], identity: str) -> str:
    prepare(book)
    with book.transaction() as conn:
        count = book.rows("SELECT count(*) AS n FROM control_order")[0]["n"]
        order_id = f"R{count + 1:08d}"
        if op == "REVOKE":
            body, identity = {**body, "revoke_id": order_id}, identity + order_id
        conn.execute(
            "INSERT INTO control_order VALUES(?,?,?,?,?,NULL,NULL)",
            (order_id, node, op, json.dumps(body), identity),
        )
    return order_id
