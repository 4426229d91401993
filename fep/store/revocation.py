"""What the platform takes back over channel 2: numbers it granted, a unit's certificate.

A REVOKE ends what is left of a block and answers with the range that was never given. A
REVOKE_UNIT is remembered; the node looks once a second whether one of its signers is meant.
What was issued before stays as it is: a receipt is only ever undone by a red one.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from fep.domain.faults import Refused
from fep.store.schema_revocation import unit_revocation
from fep.store.stock import revoke_block_txn
from fep.store.tx import Tx
from fep.wire.fpb_ack import Result
from fep.wire.fpb_record import Record, idem

REASON_MAX = 200


def numbers_txn(tx: Tx, dest: str, record: Record) -> Result:
    """REVOKE: `code`, `first` (of the block), `reason`, `revoke_id`."""
    names = ("code", "first", "reason", "revoke_id")
    texts = [record.body.get(name) for name in names]
    if not all(isinstance(text, str) for text in texts):
        return Result(record.rec_seq, "REJECT", "shape", f"{', '.join(names)} are texts")
    code, first, reason, revoke_id = (str(text) for text in texts)
    if record.idem != idem(code, first, "REVOKE", revoke_id):
        return Result(record.rec_seq, "REJECT", "idem", "idem is not that of the content")
    who = f"{dest} record {record.rec_seq} {record.hash.hex()}"
    try:
        ended = revoke_block_txn(tx, code, first, reason[:REASON_MAX], who)
    except Refused as refused:
        return Result(record.rec_seq, "REJECT", refused.code, refused.en[:1000])
    return Result(record.rec_seq, "OK", "", f"{ended.first}-{ended.last}")


def unit_txn(tx: Tx, dest: str, record: Record) -> Result:
    """REVOKE_UNIT: `unit`, `serial` of its certificate (hex), `reason`."""
    names = ("unit", "serial", "reason")
    texts = [record.body.get(name) for name in names]
    if not all(isinstance(text, str) for text in texts):
        return Result(record.rec_seq, "REJECT", "shape", f"{', '.join(names)} are texts")
    unit, said, reason = (str(text) for text in texts)
    serial = plain(said)
    if not serial or len(unit) > 40:
        return Result(record.rec_seq, "REJECT", "shape", "serial is hex")
    if record.idem != idem(unit, serial, "REVOKE_UNIT"):
        return Result(record.rec_seq, "REJECT", "idem", "idem is not that of the content")
    c = unit_revocation.c
    where = (c.unit == unit, c.serial == serial)
    if tx.conn.execute(select(c.at).where(*where)).first() is not None:
        return Result(record.rec_seq, "DUP")
    tx.conn.execute(
        insert(unit_revocation).values(
            unit=unit, serial=serial, at=tx.now_ms, reason=reason[:REASON_MAX]
        )
    )
    tx.journal("unit.cert_revoked", unit, {
        "dest": dest, "reason": reason[:REASON_MAX], "record": record.rec_seq, "serial": serial,
    })  # fmt: skip
    return Result(record.rec_seq, "OK")


def revoked_q(conn: Connection) -> frozenset[tuple[str, str]]:
    """Return (unit, serial) of every revoked certificate."""
    rows = conn.execute(select(unit_revocation.c.unit, unit_revocation.c.serial))
    return frozenset((row.unit, row.serial) for row in rows)


def plain(serial: str) -> str:
    """Return a hex serial in lower case without leading zeros, empty when it is none."""
    try:
        return f"{int(serial, 16):x}"
    except ValueError:
        return ""
