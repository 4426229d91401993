"""`fepctl printers jobs` and `printers cancel`: slips that wait for a printer."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import Column, emit, note, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verb, option, reason
from fep.domain.faults import bare, fault


@click.command("jobs", cls=Verb, zh="等待打印的小票，以及原因", en="slips that wait, and why")
@option("--limit", type=click.IntRange(1, 500), default=100, zh="行数", en="rows")
def jobs(limit: int) -> None:
    """List what waits."""
    with reached() as desk:
        told = desk.call("prints.waiting", limit=limit)
    emit(told, lambda: _waiting(told["waiting"]))


def _waiting(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("任务", "job", right=True), Column("票据", "receipt", fold=False),
         Column("设备组", "group"), Column("份", "copy", right=True),
         Column("已试", "tries", right=True), Column("自", "since", fold=False),
         Column("原因", "reason")),
        [(str(row["id"]), row["ref"], row["device_group"], str(row["copy"]), str(row["attempts"]),
          when(row["created_at"]), _why(row["reason"])) for row in rows],
        empty=say("没有等待打印的小票", "no slip waits"),
    )  # fmt: skip
    if rows:
        note("  → fepctl printers cancel JOB --reason TEXT")


def _why(code: str) -> str:
    """Return a code with its sentence; what was never tried has no reason."""
    if not code:
        return "-"
    try:
        said = fault(code)
    except KeyError:  # a reason of a person, or of a later version
        return code
    return f"{code} {bare(say(said.zh, said.en))}"


@click.command("cancel", cls=Verb, zh="不再打印这张小票（票据不受影响）",
               en="give up a slip (the receipt stays)")  # fmt: skip
@click.argument("job", type=int)
@reason()
def cancel(job: int, reason: str) -> None:
    """Cancel a waiting job."""
    with reached("printers cancel") as desk:
        told = desk.call("print.cancel", job=job, reason=reason)
    emit(told, lambda: click.echo(say("已取消", "cancelled")))
