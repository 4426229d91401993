"""I6: each receipt takes effect at the platform exactly once, or is refused with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.harness.world import Violation, World


def check_delivered(world: World) -> Iterator[Violation]:
    """I6, from both sides: the upload rows and the province's own ledger."""
    yield from _queue(world)
    if world.province is None:
        return
    if world.province.conflicts:
        yield Violation("I6", f"{world.province.conflicts} conflicts at the province")
    for effect in world.province.receipts:
        row = world.books.by_ref.get(effect.ref)
        if row is None or row.state != "sealed":
            yield Violation("I6", f"the province holds {effect.ref}, the store does not")
            continue
        if row.unit in world.tests:
            yield Violation("I6", f"{effect.ref} is a 样票 and took effect at the province")
        event = world.books.events.get(row.event_id)
        # Not every dialect has a word for the kind.
        told = (effect.amount_fen, effect.event_key, effect.kind or row.kind)
        if event is None or told != (row.amount_fen, event.key, row.kind):
            yield Violation("I6", f"{effect.ref} at the province differs: {told}")
    if world.quiescent:
        yield from _all_arrived(world)


def _queue(world: World) -> Iterator[Violation]:
    """Every sealed receipt has one upload row; records are numbered in order of release.

    A red receipt is an operation of its own; acts and repeats are further rows. What a test
    unit issues goes nowhere.
    """
    uploads = Counter(
        (row.receipt_id, row.op)
        for row in world.books["upload"]
        if not getattr(row, "act_id", 0) and not getattr(row, "revision", 0)
    )
    for row in world.books["receipt"]:
        expected = int(row.state == "sealed" and row.unit not in world.tests)
        op = "ISSUE" if row.amount_fen > 0 else "RED"
        if uploads[row.id, op] != expected:
            found = uploads[row.id, op]
            yield Violation("I6", f"{row.ref} ({row.state}) has {found} upload rows")
    last: dict[str, int] = {}
    for row in sorted(world.books["upload"], key=lambda row: row.id):
        if not row.rec_seq:
            continue
        if row.rec_seq != last.get(row.dest, 0) + 1:
            yield Violation(
                "I6", f"record {row.rec_seq} to {row.dest} follows {last.get(row.dest, 0)}"
            )
        last[row.dest] = row.rec_seq


def _all_arrived(world: World) -> Iterator[Violation]:
    assert world.province is not None
    there = {effect.ref for effect in world.province.receipts}
    rejected = dict(world.province.rejected)
    uploads: dict[int, Any] = {
        row.receipt_id: row for row in world.books["upload"] if row.op in ("ISSUE", "RED")
    }
    for row in world.books.sealed():
        if row.unit in world.tests:
            continue
        upload = uploads.get(row.id)
        state = upload.state if upload else "missing"
        if row.ref in there:
            if state != "applied":
                yield Violation("I6", f"{row.ref} took effect, the store says {state}")
        elif row.ref in rejected:
            if state not in ("rejected", "closed") or not (upload and upload.result):
                yield Violation("I6", f"{row.ref} was refused, the store says {state}")
        else:
            yield Violation("I6", f"{row.ref} never reached the province ({state})")
