"""The life of receipts from outside: one live red per blue (I5), sheets accounted for (I3), and
money (I7): what was issued less what was reversed is what events, store and province say."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.harness.world import Violation, World


def check_reversed(world: World) -> Iterator[Violation]:
    """I5: a red receipt is the whole of one blue one, and no blue one has two."""
    books = world.books
    live = [row for row in books["reversal"] if row.state == "live"]
    for blue_id, times in Counter(row.blue_id for row in live).items():
        if times > 1:
            yield Violation("I5", f"receipt {blue_id} is reversed {times} times")
    bound = {row.red_id: row for row in live}
    for row in books["receipt"]:
        if row.amount_fen < 0 and row.state != "burned" and row.id not in bound:
            yield Violation("I5", f"red {row.ref} reverses nothing")
    for red_id, row in bound.items():
        yield from _pair(world, books.receipts.get(red_id), books.receipts.get(row.blue_id))


def _pair(world: World, red: Any, blue: Any) -> Iterator[Violation]:
    if red is None or blue is None:
        yield Violation("I5", "a reversal names a receipt that does not exist")
        return
    if red.state == "burned":
        yield Violation("I5", f"{blue.ref} counts as reversed by {red.ref}, which was given up")
        return
    if blue.state != "sealed" or blue.amount_fen <= 0:
        yield Violation("I5", f"{red.ref} reverses {blue.ref}, which is no live blue receipt")
    same = (red.unit, red.kind, -red.amount_fen, red.payer)
    if same != (blue.unit, blue.kind, blue.amount_fen, blue.payer):
        yield Violation("I7", f"{red.ref} is not the whole of {blue.ref}")
    text = world.books.originals.get(red.id, b"").decode()
    named = [re.search(rf"<RelatedInvoice{part}>([^<]*)<", text) for part in ("Code", "Number")]
    if [found and found.group(1) for found in named] != [blue.code, blue.number]:
        yield Violation("I9", f"the document of {red.ref} does not name {blue.ref}")


def check_sheets(world: World) -> Iterator[Violation]:
    """I3: every sheet below `next` is used or void with evidence; one receipt a sheet."""
    books = world.books
    held: dict[int, set[int]] = defaultdict(set)
    blocks = {row.id: row for row in books["sheet_block"]}
    for row in books["sheet"]:
        name = f"{row.code}-{row.number}"
        block = blocks.get(row.block_id)
        if block is None or not block.first <= int(row.number) <= block.last:
            yield Violation("I2", f"sheet {name} is of no block")
            continue
        held[block.id].add(int(row.number))
        if not row.evidence or (row.state == "void" and not row.reason):
            yield Violation("I3", f"sheet {name} is {row.state} without evidence")
        receipt = books.receipts.get(row.receipt_id)
        if row.state == "used" and (receipt is None or receipt.state != "sealed"):
            yield Violation("I3", f"sheet {name} is used for no receipt")
    for block in blocks.values():
        for number in sorted(set(range(block.first, block.next)) - held[block.id]):
            yield Violation("I3", f"sheet {block.code}-{number} was passed over silently")
        if (block.state == "exhausted") != (block.next == block.last + 1):
            yield Violation("I3", f"sheets {block.code} {block.first} are {block.state}")
    used = Counter(row.receipt_id for row in books["sheet"] if row.state == "used")
    for receipt_id, times in used.items():
        if times > 1:
            yield Violation("I3", f"receipt {receipt_id} has {times} sheets")
    reversed_ids = {row.blue_id for row in books["reversal"] if row.state == "live"}
    for receipt_id in reversed_ids & set(used):
        yield Violation("I3", f"receipt {receipt_id} is reversed and its paper is out")


def check_money(world: World) -> Iterator[Violation]:
    """I7, per unit and kind: issued - reversed = what live events ask for = the province."""
    books = world.books
    asked: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for row in books["receipt"]:
        if row.state == "sealed":
            found[row.unit, row.kind] += row.amount_fen
    ends = {row.blue_id for row in books["reversal"] if row.state == "live"}
    for row in books["receipt"]:
        if row.state == "sealed" and row.amount_fen > 0 and row.id not in ends:
            asked[row.unit, row.kind] += row.amount_fen
        red = row.amount_fen < 0 and row.state == "frozen"
        if red:  # reversed in the books, not yet by a signature
            asked[row.unit, row.kind] -= row.amount_fen
    for key in sorted(set(asked) | set(found)):
        if asked[key] != found[key]:
            yield Violation("I7", f"{key}: receipts sum to {found[key]}, events to {asked[key]}")
    yield from _at_the_province(world, found)


def _at_the_province(world: World, found: Counter[tuple[str, str]]) -> Iterator[Violation]:
    if world.province is None or not world.quiescent or world.province.rejected:
        return
    there: Counter[str] = Counter()
    for effect in world.province.receipts:
        there[effect.kind] += effect.amount_fen
    here: Counter[str] = Counter()
    for (unit, kind), fen in found.items():
        if unit not in world.tests:
            here[kind] += fen
    for kind in sorted(set(there) | set(here)):
        if there[kind] != here[kind]:
            yield Violation("I7", f"{kind}: {here[kind]} fen here, {there[kind]} at the province")


def check_reverse_journalled(world: World) -> Iterator[Violation]:
    """I8: who reversed what and why stands in the journal, once a reversal."""
    told = Counter(
        record["body"]["red"]
        for row in world.books["journal"]
        if (record := json.loads(bytes(row.line)))["op"] == "receipt.reversing"
    )
    for row in world.books["reversal"]:
        red = world.books.receipts.get(row.red_id)
        if red is not None and told[red.ref] != 1:
            yield Violation("I8", f"the reversal by {red.ref} is journalled {told[red.ref]} times")
