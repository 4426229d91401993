"""Certificates the store has signed under; kept for ever, receipts point at them."""

from __future__ import annotations

from sqlalchemy import insert, select

from fep.crypto import sm3
from fep.store.schema import certificate
from fep.store.tx import Tx


def certificate_txn(tx: Tx, der: bytes, serial: str, subject: str) -> int:
    """Return the id of a certificate, storing it when it is new."""
    fingerprint = sm3.digest(der)
    found = tx.conn.execute(
        select(certificate.c.id).where(certificate.c.sm3 == fingerprint)
    ).scalar()
    if found is not None:
        return int(found)
    new = tx.next_id("certificate")
    tx.conn.execute(
        insert(certificate).values(
            id=new, serial=serial, sm3=fingerprint, subject=subject, der=der, added_at=tx.now_ms
        )
    )
    tx.journal("certificate.added", serial, {"sm3": fingerprint.hex(), "subject": subject})
    return new
