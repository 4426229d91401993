"""I7 by item and channel, on the day of issue and on the business day: what events ask for is
what documents say, a red takes away the whole of its blue one, and every closed day is the sum
of the receipts counted in it, each receipt in one day."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.harness.check_chain import sm3
from tests.harness.world import Violation, World

Parts = Counter[tuple[str, ...]]


def check_parts(world: World) -> Iterator[Violation]:
    """I7 per unit, kind and item, per day of issue: events less reversals = documents."""
    asked: Parts = Counter()
    written: Parts = Counter()
    for row in world.books.sealed():
        document = _document_items(world, row)
        items, channels = _parts(world, row)
        if channels and sum(channels.values()) != row.amount_fen:
            yield Violation("I7", f"the channels of {row.ref} are not its amount")
        if not document or not items:
            continue
        for item, fen in items.items():
            asked[row.unit, row.kind, row.issued_on, item] += fen
        for item, fen in document.items():
            written[row.unit, row.kind, row.issued_on, item] += fen
    for key in sorted(set(asked) | set(written)):
        if asked[key] != written[key]:
            yield Violation("I7", f"{key}: events {asked[key]} fen, documents {written[key]}")


def check_business_days(world: World) -> Iterator[Violation]:
    """I7 per business day: a closed day is what its receipts sum to, and none is left out."""
    facts = {row.receipt_id: row for row in world.books["receipt_fact"]}
    last: dict[str, Any] = {}
    closed: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(world.books["day_close"], key=lambda row: (row.unit, row.day)):
        raw = zlib.decompress(row.body)
        body = closed[row.unit, row.day] = json.loads(raw)
        before = last.get(row.unit)
        if sm3(raw) != row.sm3 or body["prev"] != (before.sm3.hex() if before else ""):
            yield Violation("I8", f"day {row.unit} {row.day} does not follow the one before")
        last[row.unit] = row
    yield from _counted_once(world, facts, last)
    yield from _sums(world, facts, closed)


def _counted_once(world: World, facts: dict[int, Any], last: dict[str, Any]) -> Iterator[Violation]:
    for row in world.books["receipt"]:
        fact, until = facts.get(row.id), last.get(row.unit)
        if fact is not None and fact.day and row.state == "frozen":
            yield Violation("I7", f"{row.ref} is counted on {fact.day} without a signature")
        if until is None or row.issued_on > until.day or row.id > until.high_id:
            continue
        if fact is None:
            yield Violation("I7", f"{row.ref} of {row.issued_on} is counted on no day")
        elif fact.day and fact.day < row.issued_on:
            yield Violation("I7", f"{row.ref} of {row.issued_on} is counted on {fact.day}")


def _sums(
    world: World, facts: dict[int, Any], closed: dict[tuple[str, str], dict[str, Any]]
) -> Iterator[Violation]:
    found: dict[tuple[str, str], Parts] = defaultdict(Counter)
    for receipt_id, fact in facts.items():
        row = world.books.receipts.get(receipt_id)
        if row is None or row.state != "sealed" or (fact.unit, fact.day) not in closed:
            continue
        day = found[fact.unit, fact.day]
        items, channels = _parts(world, row)
        day["net_fen",] += row.amount_fen
        day["kinds", row.kind] += row.amount_fen
        for channel, fen in (channels or {"": row.amount_fen}).items():
            day["channels", channel] += fen
        for item, fen in (items or {"": row.amount_fen}).items():
            day["items", item] += fen
    for key, body in closed.items():
        told: Parts = Counter({("net_fen",): body["total"]["net_fen"]})
        for part, name in (("kinds", "kind"), ("channels", "channel"), ("items", "item")):
            for line in body[part]:
                told[part, line[name]] += line["net_fen"]
        for what in sorted(set(told) | set(found[key])):
            if told[what] != found[key][what]:
                yield Violation(
                    "I7", f"day {key} says {told[what]} for {what}, receipts {found[key][what]}"
                )


def _parts(world: World, row: Any) -> tuple[Counter[str], Counter[str]]:
    """Return the items and channels the event of a receipt asks for, signed."""
    source, sign = row, 1
    if row.amount_fen < 0:
        blue = next((r.blue_id for r in world.books["reversal"] if r.red_id == row.id), 0)
        source, sign = world.books.receipts.get(blue, row), -1
    event = world.books.events.get(source.event_id)
    told = json.loads(zlib.decompress(event.body)) if event is not None else {}
    found = []
    for name in ("items", "channels"):
        parts: Counter[str] = Counter()
        for line in told.get(name) or []:
            parts[line["code"]] += sign * _fen(line["amount"])
        found.append(parts)
    return found[0], found[1]


def _document_items(world: World, row: Any) -> Counter[str]:
    """Return the items of the signed document, signed as in our books whatever it writes."""
    text = world.books.originals.get(row.id, b"").decode()
    total = re.search(r"<TotalAmount>([^<]*)<", text)
    turn = -1 if row.amount_fen < 0 and total and _fen(total.group(1)) > 0 else 1
    found: Counter[str] = Counter()
    for block in re.findall(r"<Item>(.*?)</Item>", text, re.DOTALL):
        code = re.search(r"<ItemCode>([^<]*)<", block)
        amount = re.search(r"<ItemAmount>([^<]*)<", block)
        if code and amount:
            found[code.group(1)] += turn * _fen(amount.group(1))
    return found


def _fen(text: str) -> int:
    whole, _, part = text.lstrip("-").partition(".")
    fen = int(whole or "0") * 100 + int((part + "00")[:2])
    return -fen if text.startswith("-") else fen
