"""I10 of form printing: a numbered sheet gets ink at most once, and its book agrees with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.harness.world import Violation, World

INKED = ("accepted", "uncertain", "printed")


def check_forms(world: World) -> Iterator[Violation]:
    """Compare form jobs with their sheets and their attempts."""
    sheets = {f"{row.code}-{row.number}": row for row in world.books["sheet"]}
    attempts: dict[int, list[Any]] = defaultdict(list)
    for attempt in sorted(world.books["form_attempt"], key=lambda row: row.attempt):
        attempts[attempt.job_id].append(attempt)
    names = Counter(job.sheet for job in world.books["form_job"])
    for job in world.books["form_job"]:
        if names[job.sheet] > 1:
            yield Violation("I10", f"sheet {job.sheet} has {names[job.sheet]} form jobs")
        sheet = sheets.get(job.sheet)
        wanted = "void" if job.state == "spoiled" else "used"
        if sheet is None or (sheet.state, sheet.receipt_id) != (wanted, job.receipt_id):
            yield Violation("I3", f"form job {job.id} is {job.state}, its sheet is not {wanted}")
        tried = attempts[job.id]
        if any(attempt.outcome in INKED for attempt in tried[:-1]):
            yield Violation("I10", f"sheet {job.sheet} was printed on again")
        if len(tried) != job.attempts:
            yield Violation("I10", f"form job {job.id}: {job.attempts} attempts counted")
        if world.quiescent and job.state == "streaming":
            yield Violation("I10", f"form job {job.id} is still streaming")
