"""I13 issue times never decrease per code, I14 nothing is issued while the store has failed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.harness.world import Violation, World


def check_order(world: World) -> Iterator[Violation]:
    """I13: in the order numbers were given, and by number inside a block."""
    last: dict[str, int] = {}
    for row in sorted(world.books["receipt"], key=lambda row: row.id):
        if row.issued_at < last.get(row.code, 0):
            yield Violation("I13", f"{row.ref} was issued before its predecessor")
        last[row.code] = max(row.issued_at, last.get(row.code, 0))
    for block in world.books["number_block"]:
        rows = [
            row
            for row in world.books["receipt"]
            if row.code == block.code and block.first <= int(row.number) <= block.last
        ]
        rows.sort(key=lambda row: row.number)
        for before, after in itertools.pairwise(rows):
            if after.issued_at < before.issued_at or after.id < before.id:
                yield Violation("I13", f"{after.ref} is older than {before.ref}")


def check_stopped(world: World) -> Iterator[Violation]:
    """I14: between a failure of the store and the recovery nothing was given or told."""
    for from_ms, to_ms in world.outages:
        for row in world.books["receipt"]:
            if from_ms < row.issued_at < to_ms:
                yield Violation("I14", f"{row.ref} was issued while the store had failed")
        for row in world.books["signature"]:
            if from_ms < row.signed_at < to_ms:
                yield Violation("I14", f"receipt {row.receipt_id} was sealed on a failed store")
        for acked in world.his or ():
            if from_ms < acked.acked_at < to_ms:
                yield Violation("I14", f"{acked.key} was acknowledged on a failed store")
