"""Files and records as the relay reads them. Blocking or costly: for worker threads.

A record's body is opened only when its call leaves; a body that cannot be a parcel is told
as a refusal of that record and never blocks its channel.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fep.crypto import sm3
from fep.domain.platform import DELIVERIES, Operation, Parcel
from fep.services.arrivals import content_of
from fep.services.relay_ask import is_question
from fep.services.relay_ends import (
    CONTROL,
    RECEIPTS,
    RECORDS,
    TRANSPORT,
    NodeEnds,
    stream_of,
)
from fep.store.packed import frame
from fep.store.relay import Arrived, NewCall, Stream
from fep.wire.fpb import Header, Kind, Reason, Unreadable, read_header, unpack
from fep.wire.fpb_ack import Ack, Nack, read_ack, read_nack
from fep.wire.fpb_greet import Greeting, Hello, Manifest, Sync, read_greeting
from fep.wire.fpb_record import Record, read_pairs, read_records

OPS: Final = frozenset(op.value for op in DELIVERIES)
NUMBERS: Final = (Operation.REQUEST, Operation.RETURN)
KINDS: Final = {RECEIPTS: Kind.DATA, CONTROL: Kind.CTRL, 3: Kind.DATA}
GREETINGS: Final[dict[Kind, type[Greeting]]] = {
    Kind.HELLO: Hello, Kind.SYNC: Sync, Kind.MANIFEST: Manifest,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opened:
    """An arrival that is genuine and for us."""

    header: Header
    plain: bytes
    arrived: Arrived | None = None
    ack: Ack | None = None
    nack: Nack | None = None
    greeting: Greeting | None = None


class Shapeless(Exception):
    """A record's body is not what its operation needs; the argument names the member."""


def open_file(ends: NodeEnds, name: str) -> Opened | None:
    """Read and prove one arrival; None when it is gone. Raises Unreadable, OSError."""
    content = content_of(ends.carrier, name)
    if content is None:
        return None
    seat = ends.seat(read_header(content).receiver_serial)
    header, plain = unpack(content, seat, ends.key_of)
    if header.channel == TRANSPORT and header.kind is Kind.ACK:
        return Opened(header, plain, ack=read_ack(plain))
    if header.channel == TRANSPORT and header.kind is Kind.NACK:
        return Opened(header, plain, nack=read_nack(plain))
    if header.channel == TRANSPORT and header.kind in GREETINGS:
        return Opened(header, plain, greeting=read_greeting(plain, GREETINGS[header.kind]))
    if header.channel in RECORDS and header.kind is KINDS[header.channel]:
        arrived = Arrived(
            ends.node, stream_of(header.channel, header.epoch), header.seq, sm3.digest(content),
            header.prev_batch_sm3, header.first_rec, header.n_rec, frame(plain),
        )  # fmt: skip
        return Opened(header, plain, arrived=arrived)
    return Opened(header, plain)


def read_batch(batch: Arrived, stream: Stream) -> tuple[tuple[Record, ...], list[NewCall]]:
    """Return the records of the batch whose turn it is, and their calls.

    Raises Unreadable CHAIN when it does not follow.
    """
    if batch.prev != stream.batch_sm3 or batch.first_rec != stream.rec_seq + 1:
        raise Unreadable(Reason.CHAIN, f"batch {batch.seq} does not follow")
    pairs = read_pairs(batch.text(), batch.first_rec, batch.n_rec, stream.head)
    return tuple(record for record, _ in pairs), [_call(*pair) for pair in pairs]


def read_again(batch: Arrived, prev: bytes) -> tuple[Record, ...]:
    """Return the records of a batch that was opened before. Raises Unreadable."""
    return read_records(batch.text(), batch.first_rec, batch.n_rec, prev)


def _call(record: Record, text: bytes) -> NewCall:
    try:
        identity = bytes.fromhex(record.idem)
    except ValueError as error:
        raise Unreadable(Reason.CHAIN, f"record {record.rec_seq} has no identity") from error
    body = record.body
    return NewCall(
        record.rec_seq, identity, sm3.digest(b'{"body":%b}' % text), record.op[:16],
        str(body.get("code", ""))[:20], str(body.get("number", ""))[:18], record.hash,
    )  # fmt: skip


def lane_of(record: Record) -> str:
    """Return the receipt a record is about; a red one is about its blue one."""
    body = record.body
    if record.op == Operation.RED and body.get("related_code"):
        return f"{body['related_code']}-{body.get('related_number', '')}"
    return f"{body.get('code', '')}-{body.get('number', '')}"


def parcel_of(record: Record, node: str = "") -> Parcel:
    """Return what is to be delivered for a node. Raises Shapeless."""
    if record.op == "RECON" and record.body.get("what") in ("check", "ask"):
        return _question(record)
    if record.op not in OPS:
        raise Shapeless("op")
    op, body = Operation(record.op), record.body
    if op in (Operation.ISSUE, Operation.RED):
        return _receipt(op, record.idem, body)
    return Parcel(
        op, record.idem, _text(body, "unit"), _text(body, "code"), _text(body, "number"),
        reason=_told(body, "reason"), sheet_code=_told(body, "sheet_code"),
        sheet_number=_told(body, "sheet_number"), last=_told(body, "last"),
        count=_number(body, "count") if op in NUMBERS else 0, node=node,
    )  # fmt: skip


def _question(record: Record) -> Parcel:
    """Return the receipts of a comparison, or an operator's question, as one parcel."""
    if record.body.get("what") == "ask":
        return _asked(record)
    rows = msgspec.json.encode(record.body.get("receipts"))
    unit, ask = _text(record.body, "unit"), _text(record.body, "number")
    return Parcel(Operation.CHECK, record.idem, unit, "", ask, original=rows)


def _asked(record: Record) -> Parcel:
    op = _text(record.body, "op")
    if not is_question(op):
        raise Shapeless("op")
    fields = msgspec.json.encode(record.body.get("fields"))
    unit, ask = _text(record.body, "unit"), _text(record.body, "number")
    return Parcel(Operation(op), record.idem, unit, "", ask, original=fields)


def _receipt(op: Operation, identity: str, body: Mapping[str, Any]) -> Parcel:
    try:
        original = base64.b64decode(_text(body, "original"), validate=True)
        signature = base64.b64decode(_text(body, "signature"), validate=True)
    except binascii.Error as error:
        raise Shapeless("base64") from error
    return Parcel(
        op, identity, _text(body, "unit"), _text(body, "code"), _text(body, "number"),
        kind=_text(body, "kind"), event_key=_text(body, "event_key"),
        check_code=_text(body, "check_code"), amount_fen=_number(body, "amount_fen"),
        issued_at=_number(body, "issued_at"), signed_at=_number(body, "signed_at"),
        original=original, signature=signature, cert_serial=_text(body, "cert_serial"),
        related_code=_told(body, "related_code"),
        related_number=_told(body, "related_number"), reason=_told(body, "reason"),
    )  # fmt: skip


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Shapeless(name)
    return value


def _told(body: Mapping[str, Any], name: str) -> str:
    return str(body.get(name) or "")


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise Shapeless(name)
    return value
