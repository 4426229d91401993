"""Certificates of a node as the relay believes them: rotated in, or revoked.

The same rules and the same table as for a platform's certificates in the daemon's store
(fep/store/link_certs.py); the record's call is answered in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import update

from fep.store.link_certs import peer_certs_q, revoke_txn, rotate_txn
from fep.store.relay import Told
from fep.store.schema_link import link_cert
from fep.store.schema_relay import relay_call, relay_metadata
from fep.store.tx import Tx
from fep.wire.fpb_ack import Result
from fep.wire.fpb_record import Record

relay_cert = link_cert.to_metadata(relay_metadata)
CERT_OPS: Final[Mapping[str, Callable[[Tx, str, Record], Result]]] = {
    "ROTATE": rotate_txn, "REVOKE_CERT": revoke_txn,
}  # fmt: skip

__all__ = ["CERT_OPS", "cert_txn", "peer_certs_q"]


def cert_txn(tx: Tx, node: str, call_id: int, record: Record) -> Told:
    """Take what a node says of its own certificates; returns the answer, which is kept."""
    found = CERT_OPS[record.op](tx, node, record)
    told = Told(record.rec_seq, found.result, found.code, found.detail)
    tx.conn.execute(
        update(relay_call)
        .where(relay_call.c.id == call_id, relay_call.c.state != "done")
        .values(state="done", result=told.result, why=told.why, detail=told.detail, at=tx.now_ms)
    )
    return told
