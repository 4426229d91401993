"""The province's desk: identity, registrations, number grants and the ledger it shows.

Two rules: two blocks of one code never overlap, whoever asked for them; the ledger is made
from what was received, never from what the node says about itself.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fep.sim import province_life as life
from fep.sim import province_numbers as numbers
from fep.sim import sm
from fep.sim.province_book import Book

NUMBER_MAX = 9_999_999_999


class Refusal(Exception):
    """A command of the operator that would break the province's rules."""


def initialise(state: Path, party_id: str, serial: int) -> str:
    """Create key, certificate and books in `state`; return the certificate's SM3, hex.

    Repeating it keeps what is there. Raises Refusal for an identifier that does not fit.
    """
    if not party_id.isascii() or not 1 <= len(party_id) <= 16:
        raise Refusal(f"identifier must be 1 to 16 ASCII characters: {party_id!r}")
    state.mkdir(parents=True, exist_ok=True)
    certificate = state / "platform.crt"
    if not certificate.exists():
        sm.create_identity(state / "platform.key", certificate, party_id, serial)
    book = Book(state)
    try:
        with book.transaction() as conn:
            conn.execute("INSERT OR IGNORE INTO identity VALUES('id', ?)", (party_id,))
        return book.me().certificate.fingerprint
    finally:
        book.close()


def register(book: Book, node_id: str, node_cert: bytes, unit: str, unit_cert: bytes) -> str:
    """Bind a node and one unit of it to their certificates; return the unit's SM3, hex.

    A renewed unit certificate is added beside the old one. Raises sm.CryptoFault.
    """
    node, signer = sm.load_certificate(node_cert), sm.load_certificate(unit_cert)
    with book.transaction() as conn:
        conn.execute(
            "INSERT INTO node(id, certificate) VALUES(?,?)"
            " ON CONFLICT(id) DO UPDATE SET certificate=excluded.certificate",
            (node_id, node.der),
        )
        conn.execute(
            "INSERT INTO unit VALUES(?,?,?,?) ON CONFLICT(code, serial)"
            " DO UPDATE SET node=excluded.node, certificate=excluded.certificate",
            (unit, f"{signer.serial:x}", node_id, signer.der),
        )
    return signer.fingerprint


def grant(
    book: Book,
    unit: str,
    code: str,
    count: int,
    *,
    first: int | None,
    not_after: int | None,
    quota: str,
    now_ms: int,
) -> tuple[str, str]:
    """Grant `count` numbers of `code` to `unit` and queue them; return (first, last).

    Without `first` the block starts after the highest number ever granted of that code.
    Raises Refusal for an unknown unit, a bad range or an overlap.
    """
    if len(code) != 8 or not code.isdigit() or count < 1:
        raise Refusal("a code has 8 digits and a block at least one number")
    with book.transaction() as conn:
        owner = book.row("SELECT node FROM unit WHERE code=?", unit)
        if owner is None:
            raise Refusal(f"unit {unit} is not registered")
        top = book.row("SELECT max(last) AS top FROM block WHERE code=?", code)
        start = first if first is not None else ((top and top["top"]) or 0) + 1
        last = start + count - 1
        if start < 1 or last > NUMBER_MAX:
            raise Refusal(f"numbers {start} to {last} do not fit 10 digits")
        clash = book.row(
            "SELECT * FROM block WHERE code=? AND first<=? AND last>=?", code, last, start
        )
        if clash is not None:
            raise Refusal(
                f"{code} {clash['first']:010d}-{clash['last']:010d} is already granted"
                f" to {clash['unit']}"
            )
        serial = book.rows("SELECT count(*) AS n FROM block")[0]["n"] + 1
        conn.execute(
            "INSERT INTO block VALUES(?,?,?,?,?,?,?,?,?,NULL,NULL)",
            (f"G{serial:08d}", owner["node"], unit, code, start, last, not_after, quota, now_ms),
        )
    return f"{start:010d}", f"{last:010d}"


def report(book: Book) -> dict[str, Any]:
    """Return the province's ledger: grants, receipts, refusals, gaps and money."""
    receipts = book.rows("SELECT * FROM receipt ORDER BY code, number")
    rejected = book.rows(
        "SELECT code, number, fault, detail FROM record WHERE result='REJECT' ORDER BY rowid"
    )
    tallies = book.tallies()
    twice = book.rows(
        "SELECT unit, event_key, count(*) AS n FROM receipt GROUP BY 1, 2 HAVING n > 1"
    )
    return {
        "granted": [
            {
                "code": row["code"],
                "first": f"{row['first']:010d}",
                "last": f"{row['last']:010d}",
                "unit": row["unit"],
                "answered": row["result"],
            }
            for row in book.rows("SELECT * FROM block ORDER BY grant_id")
        ],
        "receipts": [
            {
                "code": row["code"],
                "number": row["number"],
                "event_key": row["event_key"],
                "amount_fen": row["amount_fen"],
                "kind": row["kind"],
                "unit": row["unit"],
                "unit_signature_ok": True,
                "applied_at": row["applied_at"],
            }
            for row in receipts
        ],
        "applied": len(receipts),
        "duplicate_records": tallies.get("duplicate_records", 0),
        "duplicate_batches": tallies.get("duplicate_batches", 0),
        "conflicts": tallies.get("conflicts", 0),
        "rejected": [
            {
                "code": row["code"],
                "number": row["number"],
                "reason": row["fault"],
                "detail": row["detail"],
            }
            for row in rejected
        ],
        "gaps": _gaps(book),
        "double_events": [[row["unit"], row["event_key"], row["n"]] for row in twice],
        "bad_signatures": tallies.get("bad_signatures", 0),
        "refused_files": {k[5:]: n for k, n in tallies.items() if k.startswith("file.")},
        "channels": [_stream(row) for row in book.rows("SELECT * FROM stream_in")],
        "money_fen": sum(row["amount_fen"] for row in receipts),
        **life.told(book),
        **numbers.told(book),
    }


def _stream(row: Any) -> dict[str, Any]:  # Any: sqlite3.Row is untyped by column
    return {name: row[name] for name in ("node", "epoch", "batch_seq", "rec_seq", "stopped")}


def _gaps(book: Book) -> list[dict[str, str]]:
    """Return granted numbers below the highest one seen of their unit and code, never seen."""
    seen: dict[tuple[str, str], set[int]] = {}
    for row in book.rows("SELECT unit, code, number FROM receipt"):
        seen.setdefault((row["unit"], row["code"]), set()).add(int(row["number"]))
    refused = {
        (row["code"], int(row["number"]))
        for row in book.rows("SELECT code, number FROM record WHERE result!='OK'")
        if row["number"] and row["number"].isdigit()
    }
    missing = []
    for block in book.rows("SELECT * FROM block ORDER BY code, first"):
        used = seen.get((block["unit"], block["code"]))
        if not used:
            continue
        for number in range(block["first"], min(block["last"], max(used)) + 1):
            if number not in used and (block["code"], number) not in refused:
                missing.append({"code": block["code"], "number": f"{number:010d}"})
    return missing


def parse_not_after(text: str) -> int:
    """Return ms since the epoch of an ISO date-time with offset. Raises Refusal."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(f"not an ISO date-time: {text}") from error
    if at.tzinfo is None:
        raise Refusal(f"the offset is missing (…+08:00): {text}")
    return int(at.timestamp() * 1000)
