"""The feed: what happened to receipts, in the order of the journal, for booking systems.

The journal is the feed: its seq is gap-free, given by the one writer and never used twice, so
a cursor is a journal seq and good for ever. A page looks at a bounded stretch of the journal
and says up to where it has looked; a page without entries is not the end.

    sealed     a receipt was issued              reversed   a red receipt was issued
    exchanged  a receipt went onto a sheet       voided     sheets were voided
    refused    an event was refused, its caller was told no
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from fep.domain.receipt import Receipt
from fep.store.receipts import as_receipt, receipts
from fep.store.schema import event, journal, receipt, reversal

SCAN_ROWS = 300
PAGE_MAX = 100
_OPS = frozenset(
    ("receipt.sealed", "receipt.burned", "event.refused", "paper.exchanged", "paper.voided")
)


class _Line(msgspec.Struct):
    at: int
    op: str
    ref: str
    seq: int
    body: dict[str, Any]


_decode = msgspec.json.Decoder(_Line).decode


@dataclass(frozen=True, slots=True)
class Happened:
    """One entry; `receipt` and `blue` where there are such, `more` what is its own."""

    seq: int
    at: int
    kind: str
    unit: str
    receipt: Receipt | None
    blue: Receipt | None
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Feed:
    """A page: `cursor` is the last seq that was looked at, `head` the newest there is."""

    entries: list[Happened]
    cursor: int
    head: int
    links: list[tuple[str, Mapping[str, Any]]]  # destination and its new state, for listeners


def head_q(conn: Connection) -> int:
    """Return the newest journal seq."""
    return int(conn.execute(select(func.max(journal.c.seq))).scalar() or 0)


def feed_q(conn: Connection, since: int, limit: int, units: frozenset[str]) -> Feed:
    """Return what happened after `since` in these units ("*" is all)."""
    head = head_q(conn)
    rows = conn.execute(
        select(journal.c.seq, journal.c.line)
        .where(journal.c.seq > since)
        .order_by(journal.c.seq)
        .limit(SCAN_ROWS)
    ).all()
    lines: list[_Line] = []
    links: list[tuple[str, Mapping[str, Any]]] = []
    cursor = since
    for row in rows:
        line = _decode(row.line)
        if line.op in _OPS:
            if len(lines) == limit:
                break
            lines.append(line)
        elif line.op == "link.state":
            links.append((line.ref, {"state": line.body["state"], "reason": line.body["reason"]}))
        cursor = row.seq
    entries = [one for one in _told(conn, lines) if "*" in units or one.unit in units]
    return Feed(entries, cursor, head, links)


def _told(conn: Connection, lines: Sequence[_Line]) -> Iterable[Happened]:
    by_ref = _by_ref(conn, [line.ref for line in lines if not line.op.startswith("event.")])
    by_id = _by_id(conn, [line.body["receipt"] for line in lines if line.body.get("receipt")])
    blues = _blues(conn, [one for one in by_ref.values() if one.amount_fen < 0])
    units = _units(conn, [line.body["event"] for line in lines if line.op == "event.refused"])
    for line in lines:
        found = by_ref.get(line.ref) or by_id.get(line.body.get("receipt", 0))
        if line.op == "receipt.sealed" and found is not None:
            blue = blues.get(found.id)
            kind = "reversed" if found.amount_fen < 0 else "sealed"
            yield Happened(line.seq, line.at, kind, found.unit, found, blue, {})
        elif line.op == "receipt.burned" and found is not None:
            more = {"key": line.body["key"], "reason": line.body["reason"]}
            yield Happened(line.seq, line.at, "refused", found.unit, None, None, more)
        elif line.op == "event.refused":
            unit = units.get(line.body["event"], "")
            more = {"key": line.ref, "reason": line.body["reason"]}
            yield Happened(line.seq, line.at, "refused", unit, None, None, more)
        elif line.op == "paper.exchanged" and found is not None:
            more = {"sheet": line.body["sheet"], "point": line.body["point"]}
            yield Happened(line.seq, line.at, "exchanged", found.unit, found, None, more)
        elif line.op == "paper.voided":
            unit = found.unit if found is not None else str(line.body.get("unit", ""))
            more = {"first": line.ref, "last": line.body.get("last", line.ref),
                    "count": line.body.get("count", 1), "reason": line.body["reason"]}  # fmt: skip
            yield Happened(line.seq, line.at, "voided", unit, found, None, more)


def _by_ref(conn: Connection, refs: Iterable[str]) -> dict[str, Receipt]:
    numbers: dict[str, list[str]] = {}
    for ref in refs:
        code, _, number = ref.partition("-")
        numbers.setdefault(code, []).append(number)
    if not numbers:
        return {}
    match = or_(
        *(and_(receipt.c.code == code, receipt.c.number.in_(those))
          for code, those in numbers.items())
    )  # fmt: skip
    return {one.ref: one for one in map(as_receipt, conn.execute(receipts().where(match)))}


def _by_id(conn: Connection, ids: Sequence[int]) -> dict[int, Receipt]:
    if not ids:
        return {}
    rows = conn.execute(receipts().where(receipt.c.id.in_(ids)))
    return {one.id: one for one in map(as_receipt, rows)}


def _blues(conn: Connection, reds: Sequence[Receipt]) -> dict[int, Receipt]:
    """Return the blue receipts of red ones, by the id of the red one."""
    if not reds:
        return {}
    pairs: dict[int, int] = dict(
        conn.execute(
            select(reversal.c.red_id, reversal.c.blue_id).where(
                reversal.c.red_id.in_([red.id for red in reds])
            )
        ).all()
    )
    found = _by_id(conn, list(pairs.values()))
    return {red: found[blue] for red, blue in pairs.items() if blue in found}


def _units(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    if not ids:
        return {}
    rows = conn.execute(select(event.c.id, event.c.unit).where(event.c.id.in_(ids)))
    return dict(rows.all())
