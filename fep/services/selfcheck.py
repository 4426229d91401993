"""The hourly self-check: crypto of both implementations, the newest receipts, disk, journal.

Runs in a thread with a read-only connection of its own; its verdict is shown by status and
doctor, and a failed signature stops issuing.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from fep.crypto import certs, gm, selftest, sm3
from fep.domain.journal import GENESIS
from fep.store import receipts, schema
from fep.store.sqlite import open_reader

RECENT_RECEIPTS = 5
RECENT_LINES = 200
DISK_WARN_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `state` is OK, WARN or FAIL."""

    name: str
    state: str
    detail: str


def run(database: Path) -> list[Finding]:
    """Return the findings; a check that cannot run is a FAIL, never an exception."""
    findings = [
        Finding(f"crypto.{check.name}", "OK" if check.ok else "FAIL", check.detail)
        for check in selftest.run()
    ]
    findings.append(_disk(database))
    engine = open_reader(database)
    try:
        with engine.connect() as conn:
            findings += [_signatures(conn), _journal(conn)]
    except Exception as error:  # a store that cannot be read is itself the finding
        findings.append(Finding("store", "FAIL", f"{type(error).__name__}: {error}"[:200]))
    finally:
        engine.dispose()
    return findings


def _disk(database: Path) -> Finding:
    free = shutil.disk_usage(database.parent).free
    state = "OK" if free > DISK_WARN_BYTES else "WARN"
    return Finding("disk", state, f"{free // 1024**2} MiB free")


def _signatures(conn: Connection) -> Finding:
    """Verify the newest receipts with the implementation that did not sign them."""
    ids = conn.execute(
        select(schema.signature.c.receipt_id)
        .order_by(schema.signature.c.receipt_id.desc())
        .limit(RECENT_RECEIPTS)
    ).scalars()
    count = 0
    for receipt_id in ids:
        signed = receipts.signature_q(conn, receipt_id)
        assert signed is not None, receipt_id
        public = certs.parse(signed.cert_der).public_key.on(gm.NAME)
        if not public.verify(receipts.original_q(conn, receipt_id), signed.der):
            return Finding("signatures", "FAIL", f"receipt id {receipt_id} does not verify")
        count += 1
    return Finding("signatures", "OK", f"newest {count} verified by {gm.NAME}")


def _journal(conn: Connection) -> Finding:
    """Recompute the last links of the chain."""
    rows = conn.execute(
        select(schema.journal.c.seq, schema.journal.c.line, schema.journal.c.hash)
        .order_by(schema.journal.c.seq.desc())
        .limit(RECENT_LINES + 1)
    ).all()[::-1]
    before = GENESIS if rows and rows[0].seq == 1 else None
    for row in rows:
        if before is not None and sm3.digest(before + row.line) != bytes(row.hash):
            return Finding("journal", "FAIL", f"broken at {row.seq}")
        before = bytes(row.hash)
    return Finding("journal", "OK", f"{len(rows)} links up to {rows[-1].seq if rows else 0}")
