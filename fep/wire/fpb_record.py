"""Records of channels 1 and 2: canonical JSON lines tied by hashes (fpb1.md, 4.1).

Canonical: UTF-8, keys sorted, no spaces, no escapes beyond what JSON demands, no floats.
hash = SM3(32 bytes of the previous hash ‖ the line without its `hash` member).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fep.crypto import sm3
from fep.wire.fpb import Reason, Unreadable

RECORDS_MAX: Final = 100_000
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The sender's journal head when a record was made."""

    seq: int
    hash_hex: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read; `hash` is proven to fit `prev` and the content."""

    rec_seq: int
    op: str
    idem: str
    at_ms: int
    body: Mapping[str, Any]  # JSON object, shaped by `op`
    prev: bytes
    hash: bytes


class _Journal(msgspec.Struct, frozen=True):
    hash: str
    seq: int


class _Line(msgspec.Struct, frozen=True):
    at: int
    body: dict[str, Any]  # JSON object, shaped by `op`
    hash: str
    idem: str
    journal: _Journal
    op: str
    prev: str
    rec_seq: int


_DECODER: Final = msgspec.json.Decoder(_Line)


def canonical(value: Mapping[str, object]) -> bytes:
    """Return the canonical JSON bytes of an object."""
    return _ENCODER.encode(value)


def idem(code: str, number: str, op: str, revision: str = "0") -> str:
    """Return the hex identity of an effect; GRANT uses code, first, GRANT, last."""
    return sm3.digest(f"{code}|{number}|{op}|{revision}".encode()).hex()


def record_line(rec_seq: int, op: str, identity: str, at_ms: int, body: Mapping[str, object],
                journal: JournalHead, prev: bytes) -> tuple[bytes, bytes]:  # fmt: skip
    """Return (canonical line, its 32-byte hash) of one record."""
    head = b'{"at":%d,"body":%b,' % (at_ms, canonical(body))
    rest = canonical(
        {
            "idem": identity,
            "journal": {"hash": journal.hash_hex, "seq": journal.seq},
            "op": op,
            "prev": prev.hex(),
            "rec_seq": rec_seq,
        }
    )[1:]
    digest = sm3.digest(prev + head + rest)
    return b'%b"hash":"%b",%b' % (head, digest.hex().encode(), rest), digest


def read_records(plain: bytes, first_rec: int, n_rec: int, prev: bytes) -> tuple[Record, ...]:
    """Return the records of a batch, each proven to follow the one before.

    `prev` is the hash of the record before `first_rec`. Raises Unreadable CHAIN when
    something does not fit, TOO_BIG for more than RECORDS_MAX.
    """
    return tuple(record for record, _ in read_pairs(plain, first_rec, n_rec, prev))


def read_pairs(plain: bytes, first_rec: int, n_rec: int,
               prev: bytes) -> list[tuple[Record, bytes]]:  # fmt: skip
    """Return the records as `read_records` does, each with its body's canonical bytes."""
    if n_rec > RECORDS_MAX:
        raise Unreadable(Reason.TOO_BIG, f"{n_rec} records")
    lines = plain.split(b"\n", n_rec)
    if len(lines) != n_rec:
        raise Unreadable(Reason.CHAIN, f"{len(lines)} records, not {n_rec}")
    records: list[tuple[Record, bytes]] = []
    for offset, line in enumerate(lines):
        record, body = _read(line)
        if record.rec_seq != first_rec + offset or record.prev != prev:
            raise Unreadable(Reason.CHAIN, f"record {record.rec_seq} does not follow")
        records.append((record, body))
        prev = record.hash
    return records


def _read(line: bytes) -> tuple[Record, bytes]:
    try:
        read = _DECODER.decode(line)
        prev, digest = bytes.fromhex(read.prev), bytes.fromhex(read.hash)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise Unreadable(Reason.CHAIN, f"not a record: {error}") from error
    body = canonical(read.body)
    bare = b'{"at":%d,"body":%b,%b' % (read.at, body, _rest(read))
    if len(prev) != 32 or sm3.digest(prev + bare) != digest:
        raise Unreadable(Reason.CHAIN, f"record {read.rec_seq} does not fit its hash")
    return Record(read.rec_seq, read.op, read.idem, read.at, read.body, prev, digest), body


def _rest(read: _Line) -> bytes:
    """Return what stands behind body and hash in the canonical line."""
    rest = {
        "idem": read.idem, "journal": read.journal, "op": read.op, "prev": read.prev,
        "rec_seq": read.rec_seq,
    }  # fmt: skip
    return canonical(rest)[1:]
