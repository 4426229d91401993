"""Verbs of `fepctl paper` for form printing (套打): jobs, confirm, printed, spoil."""

from __future__ import annotations

import sys
import threading
from typing import Any

import click

from fep.cli.common import Column, emit, paint, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verb, option, reason
from fep.domain.faults import fault
from fep.domain.form import FORM_WORDS

_STATES: dict[str, str] = {**FORM_WORDS}
# How long a person waits for the printer before the command returns.
LOOKS, LOOK_S = 60, 0.25
_COLOURS = {"uncertain": "red", "waiting": "yellow", "accepted": "yellow"}


def _state(word: str) -> str:
    return paint(say(_STATES.get(word, word), word), _COLOURS.get(word, "green"))


def _why(code: str | None) -> str:
    """Return the sentence of a fault code; other reasons are a person's own words."""
    if not code:
        return "-"
    try:
        entry = fault(code)
    except KeyError:
        return code
    return f"{code} {say(entry.zh, entry.en)}" if "{" not in entry.zh else code


@click.command("jobs", cls=Verb, zh="未了结的套打任务", en="form jobs that are not settled")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--limit", type=click.IntRange(1, 200), default=50, zh="行数", en="rows")
def jobs(unit: str, limit: int) -> None:
    """List form jobs."""
    with reached() as desk:
        told = desk.call("paper.jobs", unit=unit, limit=limit)
    emit(told, lambda: rows_of(told["jobs"]))


def rows_of(rows: list[dict[str, Any]]) -> None:
    """Show form jobs, and what to do with the oldest."""
    table(
        (Column("任务", "job", right=True), Column("纸质票", "sheet", fold=False),
         Column("状态", "state", fold=False), Column("格式", "form"),
         Column("开票点", "point"), Column("打印机", "device"),
         Column("时间", "at", fold=False), Column("原因", "reason")),
        [(str(row["id"]), row["sheet"], _state(row["state"]), row["form"], row["point"],
          row["device"] or "-", when(row["updated_at"]), _why(row["reason"])) for row in rows],
        empty=say("没有未了结的套打任务", "no form job is open"),
    )  # fmt: skip
    for row in rows:
        todo = next_step(row)
        if todo:
            click.echo(f"    → {todo}")
            return


def next_step(row: dict[str, Any]) -> str:
    """Return the command a job waits for, empty when it waits for its printer."""
    job = row["id"]
    if row["state"] == "waiting":
        return f"fepctl paper confirm {job} {row['sheet'].partition('-')[2]}"
    if row["state"] == "accepted":
        return f"fepctl paper printed {job}"
    if row["state"] == "uncertain":
        whole = say("纸张完整清楚", "it is whole and legible")
        return (f"fepctl paper spoil {job} --approve A --approve B --reason TEXT\n"
                f"    → fepctl paper printed {job} --reason TEXT（{whole}）")  # fmt: skip
    return ""


@click.command("confirm", cls=Verb, zh="核对打印机上的印刷号后打印",
               en="print: the sheet in the tractor bears this number")  # fmt: skip
@click.argument("job", type=int, metavar="JOB")
@click.argument("number", metavar="NUMBER")
@option(
    "--device", default="", zh="打印机（组内不止一台时）", en="printer, where there are several"
)
def confirm(job: int, number: str, device: str) -> None:
    """Confirm the sheet of a form job."""
    with reached("paper confirm") as desk:
        told = desk.call("paper.confirm", job=job, sheet=number, device=device)
        row = told["job"]
        for _look in range(LOOKS):
            if row["state"] not in ("confirmed", "streaming"):
                break
            threading.Event().wait(LOOK_S)
            found = desk.call("paper.jobs", unit=row["unit"], limit=200)["jobs"]
            row = next((one for one in found if one["id"] == job), row)
    told = {"job": row}
    emit(told, lambda: _confirmed(row))
    if row["state"] in ("waiting", "uncertain"):
        sys.exit(1)


def _confirmed(row: dict[str, Any]) -> None:
    words = [row["sheet"], row["device"] or "", _state(row["state"])]
    if row["reason"]:
        words.append(_why(row["reason"]))
    click.echo("  ".join(word for word in words if word))
    if row["state"] == "accepted":
        click.echo(say("请看纸：完整清楚 printed，打坏了 spoil", "Look at the paper:"))
        click.echo(f"    → fepctl paper printed {row['id']}")
        click.echo(f"    → fepctl paper spoil {row['id']} --reason TEXT")
    elif next_step(row):
        click.echo(f"    → {next_step(row)}")


@click.command("printed", cls=Verb, zh="看过纸张，打印完整清楚",
               en="somebody looked: the sheet is whole and legible")  # fmt: skip
@click.argument("job", type=int, metavar="JOB")
@option("--reason", default="", metavar="TEXT", zh="说明", en="a remark")
def printed(job: int, reason: str) -> None:
    """Settle a form job."""
    with reached("paper printed") as desk:
        told = desk.call("paper.printed", job=job, reason=reason)
    emit(told, lambda: click.echo(say("已记录", "noted")))


@click.command("spoil", cls=Verb, zh="打坏的纸质票作废，换下一张；结果不明须两人同意",
               en="void a spoiled sheet, take the next; two approve when nobody knows")  # fmt: skip
@click.argument("job", type=int, metavar="JOB")
@option("--approve", multiple=True, metavar="NAME", zh="同意的人，写两次",
        en="who approves; give it twice")  # fmt: skip
@option("--no-next", is_flag=True, zh="不再换开，只作废", en="only void it, take no other")
@reason()
def spoil(job: int, approve: tuple[str, ...], no_next: bool, reason: str) -> None:
    """Void the sheet of a form job."""
    with reached("paper spoil") as desk:
        told = desk.call("paper.spoil", job=job, approve=list(approve), again=not no_next,
                         reason=reason)  # fmt: skip
    done = say(f"{told['voided']} 已作废", f"{told['voided']} is void")
    after = told["job"]
    if after:
        todo = next_step(after)
        done += say(f"；请放入 {after['sheet']}：{todo}", f"; load {after['sheet']}: {todo}")
    emit(told, lambda: click.echo(done))
