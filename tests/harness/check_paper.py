"""I10: paper at most once without a person's word; reprints are marked."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.harness.world import Violation, World, yuan

DONE = ("printed", "accepted", "uncertain")


def check_paper(world: World) -> Iterator[Violation]:
    """I10, from the sheets and from the attempts the store remembers."""
    yield from _attempts(world)
    yield from _copies(world)
    if world.paper is None:
        return
    sheets: Counter[tuple[str, int]] = Counter()
    for sheet in world.paper:
        if not sheet.ref:
            continue
        row = world.books.by_ref.get(sheet.ref)
        if row is None or row.state != "sealed":
            yield Violation("I10", f"{sheet.name} shows {sheet.ref}, which is not issued")
            continue
        if not sheet.cut:
            continue
        sheets[sheet.ref, sheet.reprint + 1] += 1
        amount = yuan(row.amount_fen)
        if amount not in sheet.text.replace(",", "") or row.check_code not in sheet.text:
            yield Violation("I10", f"{sheet.name} does not say what {sheet.ref} says")
    yield from _sheets(world, sheets)


def _sheets(world: World, sheets: Counter[tuple[str, int]]) -> Iterator[Violation]:
    jobs = {
        (world.books.receipts[job.receipt_id].ref, job.copy): job
        for job in world.books["print_job"]
        if job.receipt_id in world.books.receipts
    }
    for (ref, copy), times in sheets.items():
        if times > 1:
            yield Violation("I10", f"{ref} copy {copy} came out {times} times")
        if (ref, copy) not in jobs:
            yield Violation("I10", f"{ref} copy {copy} came out and nobody asked for it")
    for (ref, copy), job in jobs.items():
        if job.state == "printed" and job.reason == "" and sheets[ref, copy] != 1:
            yield Violation(
                "I10", f"{ref} copy {copy} counts as printed, sheets: {sheets[ref, copy]}"
            )
        if job.state == "due" and sheets[ref, copy]:
            yield Violation("I10", f"{ref} copy {copy} came out and is still due")
        if world.quiescent and job.state == "streaming":
            yield Violation("I10", f"{ref} copy {copy} is still streaming")


def _attempts(world: World) -> Iterator[Violation]:
    """After an attempt that may have left paper behind, that job is never tried again."""
    attempts: dict[int, list[Any]] = defaultdict(list)
    for attempt in sorted(world.books["print_attempt"], key=lambda row: row.attempt):
        attempts[attempt.job_id].append(attempt)
    for job_id, tried in attempts.items():
        for attempt in tried[:-1]:
            if attempt.outcome in DONE:
                yield Violation("I10", f"job {job_id} was tried again after {attempt.outcome}")
    for job in world.books["print_job"]:
        if len(attempts[job.id]) != job.attempts:
            yield Violation("I10", f"job {job.id}: {job.attempts} attempts counted")


def _copies(world: World) -> Iterator[Violation]:
    """A second copy has a person's word in the journal; two jobs are never the same copy."""
    asked = Counter[int]()
    for row in world.books["journal"]:
        record = json.loads(bytes(row.line))
        if record["op"].startswith("print.") and record["body"].get("reprint"):
            asked[record["body"]["reprint"]] += 1
    seen: Counter[tuple[int, int]] = Counter()
    for job in world.books["print_job"]:
        seen[job.receipt_id, job.copy] += 1
        if seen[job.receipt_id, job.copy] > 1:
            yield Violation("I10", f"receipt {job.receipt_id} copy {job.copy} is queued twice")
        if job.copy > 1 and not asked[job.id]:
            yield Violation("I10", f"job {job.id} is a reprint nobody asked for")
