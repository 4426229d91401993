"""I11 from outside: our payments beside the acquirer's own ledger, and beside the receipts.

A payment counts as what its state says; an unknown one says nothing and has to be listed as such.
Where terminals take whole receipts, captured money is receipts less reversals.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.books import ask
from tests.harness.world import Violation

_SIGN = {"pay": 1, "void": -1, "refund": -1, "reverse_pay": -1, "reverse_void": 1,
         "reverse_refund": 1}  # fmt: skip
_CAPTURED = """
    SELECT p.unit, p.receipt_key, sum(CASE p.op WHEN 'pay' THEN p.amount_fen ELSE -p.amount_fen END)
    FROM payment p WHERE p.state = 'approved' AND p.receipt_key <> '' GROUP BY 1, 2
"""
_RECEIPTS = """
    SELECT e.unit, e.key, r.amount_fen + coalesce(
        (SELECT sum(red.amount_fen) FROM reversal v JOIN receipt red ON red.id = v.red_id
         WHERE v.blue_id = r.id AND v.state = 'live' AND red.state = 'sealed'), 0)
    FROM receipt r JOIN event e ON e.id = r.event_id WHERE r.state = 'sealed' AND r.amount_fen > 0
"""


def check_payments(store: Path, ledger: Path) -> Iterator[Violation]:
    """Compare a site's store with the ledger file of its simulated terminal."""
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in ledger.read_text("utf-8").splitlines()
    ]
    net: dict[str, int] = defaultdict(int)
    debits: Counter[str] = Counter()
    for line in lines:
        net[line["serial"]] += _SIGN[line["op"]] * line["fen"]
        debits[line["serial"]] += {"pay": 1, "reverse_pay": -1}.get(line["op"], 0)
    rows = ask(store, "SELECT key, serial, op, state, amount_fen FROM payment")
    for key, serial, op, state, fen in rows:
        theirs = net.pop(serial, 0)
        if debits[serial] > 1:
            yield Violation("I11", f"{key} was charged {debits[serial]} times")
        ours = _SIGN[op] * fen if state == "approved" else 0
        if state != "unknown" and ours != theirs:
            yield Violation("I11", f"{key} is {state}: {ours} fen with us, {theirs} with them")
    for serial, fen in net.items():
        if fen:
            yield Violation("I11", f"{fen} fen moved under {serial}, which is no payment of ours")


def check_captured(store: Path) -> Iterator[Violation]:
    """Compare what was captured for receipts with what the receipts say."""
    receipts = {(unit, key): fen for unit, key, fen in ask(store, _RECEIPTS)}
    for unit, key, fen in ask(store, _CAPTURED):
        if (unit, key) in receipts and receipts[unit, key] != fen:
            yield Violation("I11", f"{key}: captured {fen}, receipts {receipts[unit, key]}")
