"""Certificates of the platform beside the configured one: rotated in, or revoked.

A ROTATE record, signed with the key that is trusted, brings the next certificate and the
`seq` of channel 2 from which on the old one ends. A REVOKE_CERT ends one at once. Nothing here
trusts a certificate for any other reason, and expiry is never judged by the wall clock.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update

from fep.crypto import certs
from fep.crypto.errors import CryptoError
from fep.store.schema_link import link_cert
from fep.store.tx import Tx
from fep.wire.fpb_ack import Result
from fep.wire.fpb_record import Record, idem

CERTS_MAX: Final = 64
ACTIVE: Final = "active"
REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True)
class PeerCert:
    """A certificate that was rotated in, or one that was revoked (`der` may be empty)."""

    serial: str  # hex, lower case, no leading zeros
    der: bytes
    state: str
    at: int  # ms


def peer_certs_q(conn: Connection, dest: str) -> tuple[PeerCert, ...]:
    """Return what is known of a platform's certificates, oldest first."""
    column = link_cert.c
    rows = conn.execute(
        select(column.serial, column.der, column.state, column.at)
        .where(column.dest == dest)
        .order_by(column.at, column.serial)
    )
    return tuple(PeerCert(row.serial, bytes(row.der), row.state, row.at) for row in rows)


def rotate_txn(tx: Tx, dest: str, record: Record) -> Result:
    """Take a new certificate of the platform: body `cert` (base64 DER), `serial` (hex)."""
    said, text = record.body.get("serial"), record.body.get("cert")
    if not isinstance(said, str) or not isinstance(text, str) or len(text) > 8192:
        return Result(record.rec_seq, "REJECT", "shape", "cert and serial are texts")
    try:
        der = base64.b64decode(text, validate=True)
        found = certs.parse(der)
    except (binascii.Error, ValueError, CryptoError) as error:
        return Result(record.rec_seq, "REJECT", "cert", str(error)[:200])
    serial = plain_serial(found.serial_hex)
    if serial != plain_serial(said) or record.idem != idem(dest, serial, "ROTATE"):
        return Result(record.rec_seq, "REJECT", "idem", "serial or idem differ from the content")
    known = {cert.serial: cert.state for cert in peer_certs_q(tx.conn, dest)}
    if serial in known or len(known) >= CERTS_MAX:
        same = known.get(serial) == ACTIVE
        return Result(record.rec_seq, "DUP" if same else "REJECT", "" if same else "revoked")
    _add(tx, dest, serial, der, ACTIVE, record)
    tx.journal("link.cert_rotated", dest, {"record": record.rec_seq, "serial": serial})
    return Result(record.rec_seq, "OK")


def revoke_txn(tx: Tx, dest: str, record: Record) -> Result:
    """End a certificate of the platform: body `serial` (hex), `reason`."""
    said, why = record.body.get("serial"), record.body.get("reason")
    if not isinstance(said, str) or not isinstance(why, str) or not plain_serial(said):
        return Result(record.rec_seq, "REJECT", "shape", "serial and reason are texts")
    serial = plain_serial(said)
    if record.idem != idem(dest, serial, "REVOKE_CERT"):
        return Result(record.rec_seq, "REJECT", "idem", "idem is not that of the content")
    column = link_cert.c
    done = tx.conn.execute(
        update(link_cert)
        .where(column.dest == dest, column.serial == serial)
        .values(state=REVOKED, at=tx.now_ms)
    )
    if done.rowcount == 0:
        _add(tx, dest, serial, b"", REVOKED, record)
    tx.journal("link.cert_revoked", dest, {"reason": why[:200], "serial": serial})
    return Result(record.rec_seq, "OK")


def plain_serial(text: str) -> str:
    """Return a serial in lower case without leading zeros, empty for what is none."""
    text = text.strip().lower().lstrip("0")
    return text if len(text) <= 40 and all(c in "0123456789abcdef" for c in text) else ""


def _add(tx: Tx, dest: str, serial: str, der: bytes, state: str, record: Record) -> None:
    tx.conn.execute(
        insert(link_cert).values(
            dest=dest, serial=serial, der=der, state=state, at=tx.now_ms,
            evidence=f"record {record.rec_seq} {record.hash.hex()}",
        )
    )  # fmt: skip
