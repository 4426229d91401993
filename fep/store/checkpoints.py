"""Signed checkpoints of the journal: the node's word for what the chain's head was.

A checkpoint is a journal record itself (op `journal.checkpoint`), signed with the node key
over canonical JSON of its own members without the signature; docs journal.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from fep.crypto import certs, gm
from fep.store.queries_journal import CHECKPOINT_MARK, Record
from fep.store.schema import certificate, journal
from fep.store.tx import Tx

OP = "journal.checkpoint"


def signed_text(body: dict[str, Any]) -> bytes:
    """Return the bytes a checkpoint's signature is over."""
    said = {name: body[name] for name in ("at", "cert_serial", "hash", "seq")}
    return json.dumps(said, separators=(",", ":"), sort_keys=True).encode()


def checkpoint_txn(tx: Tx, serial: str, sign: Callable[[bytes], bytes]) -> int:
    """Sign the head as it is now and append the record; returns the seq that is signed."""
    heads = tx.heads
    body: dict[str, object] = {
        "at": tx.now_ms, "cert_serial": serial, "hash": heads.journal_hash.hex(),
        "seq": heads.journal_seq,
    }  # fmt: skip
    body["signature"] = sign(signed_text(body)).hex()
    tx.journal(OP, str(heads.journal_seq), body)
    return int(heads.journal_seq) - 1


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on one checkpoint; `why` is empty when it is good."""

    seq: int
    why: str


def check_q(conn: Connection, records: list[Record]) -> list[Checked]:
    """Verify the checkpoints among records with the second implementation (gmssl).

    Each must sign the hash that the store has at the seq it names.
    """
    found: list[Checked] = []
    for record in records:
        if CHECKPOINT_MARK in record.line:
            told = json.loads(record.line)
            if told["op"] == OP:
                found.append(Checked(told["seq"], _fault(conn, told["body"])))
    return found


def _fault(conn: Connection, body: dict[str, Any]) -> str:
    there = conn.execute(select(journal.c.hash).where(journal.c.seq == body["seq"])).scalar()
    if there is None or bytes(there).hex() != body["hash"]:
        return f"checkpoint does not agree with record {body['seq']}"
    text, signature = signed_text(body), bytes.fromhex(body["signature"])
    for der in conn.execute(
        select(certificate.c.der).where(certificate.c.serial == body["cert_serial"])
    ).scalars():
        if certs.parse(bytes(der)).public_key.on(gm.NAME).verify(text, signature):
            return ""
    return f"signature of the checkpoint of record {body['seq']} does not verify"
