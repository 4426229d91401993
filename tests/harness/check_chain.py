"""I8: the SM3 journal chain is unbroken and says the same as the tables."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.harness.world import Violation, World

GENESIS = bytes(32)
MEMBERS = ["at", "body", "op", "ref", "seq"]


def sm3(data: bytes) -> bytes:
    """SM3 by the standard library's OpenSSL, not by the product."""
    return hashlib.new("sm3", data).digest()


def check_chain(world: World) -> Iterator[Violation]:
    """Recompute every hash; then compare receipts, burns and blocks with their records."""
    head, expected = GENESIS, 1
    records: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(world.books["journal"], key=lambda row: row.seq):
        if row.seq != expected:
            yield Violation("I8", f"journal {expected} is missing")
        expected = row.seq + 1
        line = bytes(row.line)
        head = sm3(head + line)
        if head != bytes(row.hash):
            yield Violation("I8", f"journal {row.seq}: the hash does not follow")
            head = bytes(row.hash)
        record = json.loads(line)
        canonical = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if canonical.encode() != line or list(record) != MEMBERS or record["seq"] != row.seq:
            yield Violation("I8", f"journal {row.seq} is not a canonical record of this place")
        records[record["op"], record["ref"]].append(record)
    yield from _receipts(world, records)
    yield from _numbers(world, records)


def _receipts(
    world: World, records: dict[tuple[str, str], list[dict[str, Any]]]
) -> Iterator[Violation]:
    signatures = {row.receipt_id: row for row in world.books["signature"]}
    for row in world.books["receipt"]:
        frozen = records["receipt.frozen", row.ref]
        original = world.books.originals.get(row.id, b"")
        event = world.books.events.get(row.event_id)
        told = [
            (body["amount_fen"], body["issued_at"], body["original"], body["key"])
            for body in (record["body"] for record in frozen)
        ]
        stored = (row.amount_fen, row.issued_at, sm3(original).hex(), event.key if event else "")
        if told != [stored]:
            yield Violation("I8", f"{row.ref}: the journal does not say what the store holds")
        sealed = records["receipt.sealed", row.ref]
        if len(sealed) != (row.state == "sealed"):
            yield Violation("I8", f"{row.ref} is {row.state}, sealed {len(sealed)} times")
        elif sealed and row.id in signatures:
            der = bytes(signatures[row.id].der)
            if sealed[0]["body"]["signature"] != sm3(der).hex():
                yield Violation("I8", f"{row.ref}: another signature than the journal's")


def _numbers(
    world: World, records: dict[tuple[str, str], list[dict[str, Any]]]
) -> Iterator[Violation]:
    known = {row.ref for row in world.books["receipt"]}
    for op, ref in list(records):
        if op in ("receipt.frozen", "receipt.sealed") and ref not in known and records[op, ref]:
            yield Violation("I8", f"{ref} is in the journal ({op}) and not in the store")
    for row in world.books["burn"]:
        if not records["receipt.burned", f"{row.code}-{row.number}"]:
            yield Violation("I8", f"{row.code}-{row.number} was burned without a record")
    for row in world.books["number_block"]:
        if not records["numbers.granted", f"{row.code}-{row.first:010d}"]:
            yield Violation("I8", f"block {row.code} {row.first} came without a record")
