"""I11 from outside: our payments beside the acquirer's own ledger, and beside the receipts.

A payment counts as what its state says; an unknown one says nothing and has to be listed as such.
Where terminals take whole receipts, captured money is receipts less reversals.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.harness.world import Violation, World

_SIGN = {"pay": 1, "void": -1, "refund": -1, "reverse_pay": -1, "reverse_void": 1,
         "reverse_refund": 1}  # fmt: skip
_UNDER_WAY = frozenset({"created", "sent", "acked"})


def check_payments(world: World) -> Iterator[Violation]:
    """I11: nobody is charged twice, and what we say of the money is what the acquirer says."""
    if world.money is None:
        return
    net: dict[str, int] = defaultdict(int)
    debits: Counter[str] = Counter()
    for line in world.money:
        net[line["serial"]] += _SIGN[line["op"]] * line["fen"]
        debits[line["serial"]] += {"pay": 1, "reverse_pay": -1}.get(line["op"], 0)
    for row in world.books["payment"]:
        theirs = net.pop(row.serial, 0)
        if debits[row.serial] > 1:
            yield Violation("I11", f"{row.key} was charged {debits[row.serial]} times")
        ours = _SIGN[row.op] * row.amount_fen if row.state == "approved" else 0
        known = row.state != "unknown" and (world.quiescent or row.state not in _UNDER_WAY)
        if known and ours != theirs:
            yield Violation(
                "I11", f"{row.key} is {row.state}: {ours} fen with us, {theirs} with them"
            )
    for serial, fen in net.items():
        if fen:
            yield Violation("I11", f"{fen} fen moved under {serial}, which is no payment of ours")


def check_captured(world: World) -> Iterator[Violation]:
    """I11: what was captured for events that have receipts is what the receipts say."""
    captured: Counter[tuple[str, str]] = Counter()
    for row in world.books["payment"]:
        if row.state == "approved" and row.receipt_key:
            captured[row.unit, row.receipt_key] += _SIGN[row.op] * row.amount_fen
    if not captured:
        return
    told: Counter[tuple[str, str]] = Counter()
    reds = {row.blue_id: row.red_id for row in world.books["reversal"] if row.state == "live"}
    receipts = world.books.receipts
    for receipt in receipts.values():
        if receipt.state == "sealed" and receipt.amount_fen > 0:
            event = world.books.events[receipt.event_id]
            red = receipts.get(reds.get(receipt.id, 0))
            back = red.amount_fen if red is not None and red.state == "sealed" else 0
            told[event.unit, event.key] += receipt.amount_fen + back
    for key in captured.keys() & told.keys():
        if captured[key] != told[key]:
            yield Violation("I11", f"{key[1]}: captured {captured[key]}, receipts {told[key]}")


def check_ways(world: World) -> Iterator[Violation]:
    """I11: what moved money or may have is in the journal; no more is given back than was taken;
    nothing is half-way once everything is quiet."""
    rows = world.books["payment"]
    if not rows:
        return
    records = (json.loads(bytes(row.line)) for row in world.books["journal"])
    journalled = {(record["op"], record["ref"]) for record in records}
    given: Counter[int] = Counter()
    for row in rows:
        if world.quiescent and row.state in _UNDER_WAY:
            yield Violation("I11", f"{row.key} is still {row.state}")
        noted = (f"payment.{row.state}", str(row.id)) in journalled
        if row.state in ("approved", "unknown") and not noted:
            yield Violation("I11", f"{row.key} is {row.state}, which the journal does not say")
        if row.state == "approved":
            given[row.of_id] += row.amount_fen
    for row in rows:
        if given[row.id] > row.amount_fen:
            yield Violation("I11", f"{row.key}: {given[row.id]} fen given back of {row.amount_fen}")
