"""Read functions over the journal: slices of the chain, its head, its last checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fep.crypto import sm3
from fep.domain.journal import GENESIS
from fep.store.schema import journal

SLICE_ROWS = 2000
# A checkpoint is written every hour; further back than this it is looked for no more.
CHECKPOINT_SCAN_ROWS = 50_000
CHECKPOINT_MARK = b'"op":"journal.checkpoint"'


@dataclass(frozen=True, slots=True)
class Record:
    """A stored journal record."""

    seq: int
    line: bytes
    hash: bytes


def slice_q(conn: Connection, after: int, limit: int) -> list[Record]:
    """Return up to `limit` records with seq above `after`, in order."""
    column = journal.c
    rows = conn.execute(
        select(column.seq, column.line, column.hash)
        .where(column.seq > after)
        .order_by(column.seq)
        .limit(min(limit, SLICE_ROWS))
    )
    return [_record(*row) for row in rows]


def _record(seq: int, line: bytes | str, digest: bytes | str) -> Record:
    return Record(seq, _octets(line), _octets(digest))


def _octets(value: bytes | str) -> bytes:
    """Return a stored blob; somebody who edits the file by hand may have left text there."""
    return value.encode() if isinstance(value, str) else bytes(value)


def head_q(conn: Connection) -> Record | None:
    """Return the newest record."""
    column = journal.c
    row = conn.execute(
        select(column.seq, column.line, column.hash).order_by(column.seq.desc()).limit(1)
    ).first()
    return _record(*row) if row else None


def checkpoint_q(conn: Connection) -> dict[str, object] | None:
    """Return the newest checkpoint record as its JSON object, None when none is near."""
    column = journal.c
    newest = conn.execute(select(func.max(column.seq))).scalar() or 0
    line = conn.execute(
        select(column.line)
        .where(column.seq > newest - CHECKPOINT_SCAN_ROWS)
        .where(func.instr(column.line, CHECKPOINT_MARK) > 0)
        .order_by(column.seq.desc())
        .limit(1)
    ).scalar()
    if line is None:
        return None
    found = json.loads(line)
    assert isinstance(found, dict), found
    return found


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a chain was followed; `broken_at` is the first bad seq, 0 when all is well."""

    last: int
    hash: bytes
    count: int
    broken_at: int
    why: str
    done: bool


def walk_q(conn: Connection, after: int, previous: bytes, limit: int) -> Walk:
    """Follow the chain from `after` (0 starts at the genesis value) over one slice.

    `previous` is the hash at `after`. Sequence, hash and the seq inside each line count.
    """
    assert after > 0 or previous == GENESIS, after
    records = slice_q(conn, after, limit)
    expected, running = after, previous
    for record in records:
        expected += 1
        why = _fault(record, expected, running)
        if why:
            return Walk(expected - 1, running, expected - 1 - after, expected, why, True)
        running = record.hash
    done = len(records) < min(limit, SLICE_ROWS)
    return Walk(expected, running, len(records), 0, "", done)


def _fault(record: Record, expected: int, previous: bytes) -> str:
    if record.seq != expected:
        return f"seq {expected} is missing, {record.seq} follows"
    if sm3.digest(previous + record.line) != record.hash:
        return "hash does not follow from the record before and the line"
    try:
        inside = json.loads(record.line)
    except ValueError:
        return "the line is not JSON"
    if not isinstance(inside, dict) or inside.get("seq") != record.seq:
        return "the line carries another seq"
    return ""
