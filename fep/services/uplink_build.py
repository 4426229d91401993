"""Making a batch out of due receipts. Pure work for a worker thread; all data is handed in."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from fep.crypto import sm3
from fep.crypto.errors import CryptoError
from fep.domain.life_delivery import revision
from fep.services.uplink_ends import Ends
from fep.store.link import RECEIPTS, DueRow, Head
from fep.store.link_letters import Letter
from fep.store.link_out import Made
from fep.store.packed import unpack
from fep.wire.fpb import Kind, Reason, Unreadable
from fep.wire.fpb_record import JournalHead, idem, record_line

SignatureXml = Callable[[DueRow], str]
"""Returns the literal `<Signature>` element of the unit for a sealed receipt."""

ROW_OVERHEAD_BYTES: Final = 800
"""What a record adds to a packed batch beside its receipt, about: hashes and signatures."""


class RowBroken(Exception):
    """One receipt cannot be put into any batch; the argument is the reason."""

    def __init__(self, row: DueRow | Letter, why: str) -> None:
        super().__init__(why)
        self.row = row
        self.why = why


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch is made from; `head` is the channel before it."""

    rows: tuple[DueRow | Letter, ...]
    head: Head
    journal: JournalHead
    now_ms: int
    cum_ack: int
    ack_head_sm3: bytes


def packed_size(row: DueRow) -> int:
    """Return about how many bytes a receipt adds to a batch."""
    return len(row.body) + ROW_OVERHEAD_BYTES


def build(ends: Ends, plan: Plan, signature_xml: SignatureXml) -> Made:
    """Return the batch. Raises RowBroken, Unreadable TOO_BIG (with more than one row)."""
    lines: list[bytes] = []
    prev = plan.head.rec_hash
    oldest = plan.now_ms
    for rec_seq, row in enumerate(plan.rows, plan.head.rec_seq + 1):
        assert isinstance(row, DueRow), row
        ends.breathe()
        oldest = min(oldest, row.issued_at)
        line, prev = record_line(
            rec_seq, row.op, idem(row.code, row.number, row.op, _revision(row)),
            plan.now_ms, _body(row, signature_xml), plan.journal, prev,
        )  # fmt: skip
        lines.append(line)
    age_ms = max(0, plan.now_ms - oldest)
    return sealed_batch(ends, plan, Kind.DATA, RECEIPTS, lines, prev, age_ms)


def sealed_batch(ends: Ends, plan: Plan, kind: Kind, channel: int, lines: list[bytes],
                 tail: bytes, age_ms: int) -> Made:  # fmt: skip
    """Return the batch of a channel's next lines; `tail` is the hash of the last of them.

    Raises RowBroken, Unreadable TOO_BIG (with more than one row).
    """
    seq, first_rec = plan.head.seq + 1, plan.head.rec_seq + 1
    header = replace(
        ends.header(kind, plan.head.epoch, channel, seq, plan.now_ms),
        first_rec=first_rec,
        n_rec=len(lines),
        age_ms=age_ms,
        prev_batch_sm3=plan.head.batch_sm3,
        cum_ack=plan.cum_ack,
        ack_head_sm3=plan.ack_head_sm3,
    )
    try:
        content = ends.pack(header, b"\n".join(lines))
    except Unreadable as error:
        if error.reason is Reason.TOO_BIG and len(lines) == 1:
            raise RowBroken(plan.rows[0], error.detail) from error
        raise
    head = Head(plan.head.epoch, seq, first_rec + len(lines) - 1, sm3.digest(content), tail)
    uploads = tuple(row.upload_id for row in plan.rows)
    return Made(kind, first_rec, uploads, content, head, channel)


def _revision(row: DueRow) -> str:
    return revision(row.act_id, row.repeat)


def _body(row: DueRow, signature_xml: SignatureXml) -> dict[str, object]:
    """Return the body of a record; `revision` is left out when it is 0."""
    body = msgspec.json.decode(row.act) if row.act else _receipt_body(row, signature_xml)
    if row.blue_code:
        body |= {
            "related_code": row.blue_code, "related_number": row.blue_number,
            "reason": row.reason,
        }  # fmt: skip
    mark = _revision(row)
    return body if mark == "0" else {**body, "revision": mark}


def _receipt_body(row: DueRow, signature_xml: SignatureXml) -> dict[str, object]:
    try:
        original = unpack(row.body)
        element = signature_xml(row)
    except (zlib.error, ValueError, KeyError, CryptoError) as error:
        raise RowBroken(row, f"{type(error).__name__}: {error}") from error
    return {
        "amount_fen": row.amount_fen,
        "cert_serial": row.cert_serial,
        "check_code": row.check_code,
        "code": row.code,
        "event_key": row.event_key,
        "issued_at": row.issued_at,
        "kind": row.kind,
        "number": row.number,
        "original": base64.b64encode(original).decode(),
        "signature": base64.b64encode(row.der).decode(),
        "signature_xml": element,
        "signed_at": row.signed_at,
        "unit": row.unit,
    }
