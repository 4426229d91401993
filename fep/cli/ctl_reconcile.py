"""`fepctl reconcile`: our books beside the platform's, differences and their repair."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, note, paint, say, table, wants_json, when
from fep.cli.common_reach import reached
from fep.cli.common_report import Block, Part, Report, pdf_option, show, write_pdf
from fep.cli.common_verbs import Verbs, option, reason
from fep.domain.money import format_fen

POLL_S = 0.5
SILENT_S = 3.0
GAPS = {"only_here": "只有本机有", "only_there": "只有平台有", "amount": "金额不同",
        "state": "状态不同"}  # fmt: skip
_STATES = {"differs": "待处理", "repairing": "已处理，待复核", "noted": "已登记", "gone": "已一致"}
REPAIRS = {"resend": "重新上报", "resend_red": "重新上报红字票据", "mark": "按平台登记状态",
           "report": "报告财政部门（本机不改）", "decide": "由人决定（本机不改）",
           "ask_again": "再次对账"}  # fmt: skip
_WORDS = {"normal": "正常", "reversed": "已冲红", "written_off": "已核销", "booked": "已入账"}
_RUNS = {"asking": "进行中", "done": "完成", "failed": "未完成"}


@click.group("reconcile", cls=Verbs, zh="与平台对账：对账、查看、处理差异",
             en="compare with the platform: run, show, repair")  # fmt: skip
def group() -> None:
    """Group the verbs of reconciliation."""


@group.command("run", zh="对一天的账（开票日期）；默认昨天",
               en="compare a day of issue; by default yesterday")  # fmt: skip
@click.argument("day", metavar="[YYYY-MM-DD]", required=False, default="")
@option("--yesterday", is_flag=True, zh="昨天", en="yesterday")
@option("--wait", "wait_s", type=click.IntRange(0, 86_400), default=60, metavar="SECONDS",
        zh="最多等几秒（平台在网闸另一侧，可能较慢）",
        en="seconds to wait: the platform is behind the gate")  # fmt: skip
@pdf_option()
def run(day: str, yesterday: bool, wait_s: int, pdf: Path | None) -> None:
    """Compare a day, and wait for it a while; exit 1 while books differ."""
    if day and yesterday:
        raise CliFault("CTL_USAGE", "日期与 --yesterday 只能给一个", "A date or --yesterday")
    with reached("reconcile run") as desk:
        begun = desk.call("reconcile.run", day=day)
        begun_s = time.monotonic()
        until, said = begun_s + wait_s, wants_json()
        told = desk.call("reconcile.show", day=begun["day"])
        while told["running"] and time.monotonic() < until:
            time.sleep(POLL_S)
            if not said and time.monotonic() > begun_s + SILENT_S:
                said = True
                note(say(f"已向平台提问，最多等 {wait_s} 秒……",
                         f"the platform was asked; waiting {wait_s} s at most"))  # fmt: skip
            told = desk.call("reconcile.show", day=begun["day"])
    _out(told, pdf)
    if told["running"]:
        note(say("平台还没有应答，稍后请看 fepctl reconcile show",
                 "the platform has not answered yet; see fepctl reconcile show later"))  # fmt: skip
        return
    if told["differences"] or (told["run"] or {}).get("state") == "failed":
        sys.exit(1)


@group.command("show", zh="最近一次对账和它的差异", en="the newest comparison and its differences")
@click.argument("day", metavar="[YYYY-MM-DD]", required=False, default="")
@option("--all", "gone", is_flag=True, zh="也列出已经一致的差异", en="also what agrees again")
@pdf_option()
def show_run(day: str, gone: bool, pdf: Path | None) -> None:
    """Show a comparison."""
    with reached() as desk:
        told = desk.call("reconcile.show", day=day, gone=gone)
    _out(told, pdf)


@group.command("list", zh="历次对账", en="comparisons, newest first")
@option("--limit", type=click.IntRange(1, 500), default=31, zh="行数", en="rows")
def list_(limit: int) -> None:
    """List comparisons."""
    with reached() as desk:
        told = desk.call("reconcile.list", limit=limit)
    emit(told, lambda: table(
        (Column("编号", "id", right=True), Column("平台", "platform"),
         Column("开票日期", "day", fold=False), Column("状态", "state"),
         Column("差异", "differences", right=True), Column("在途", "in transit", right=True),
         Column("时间", "at", fold=False), Column("由", "by"), Column("说明", "detail")),
        [(str(row["id"]), row["dest"], row["day"], say(_RUNS[row["state"]], row["state"]),
          str(row["differences"]), str(row["in_transit"]), when(row["asked_at"]), row["who"],
          row["detail"] or "-") for row in told["runs"]],
        empty=say("还没有对过账", "nothing was compared yet"),
    ))  # fmt: skip


@group.command("repair", zh="处理一项差异（只做安全的处理；复核靠下一次对账）",
               en="do what is safe about a difference; the next comparison tells")  # fmt: skip
@click.argument("id_", metavar="ID", type=int)
@reason()
def repair(id_: int, reason: str) -> None:
    """Repair a difference."""
    with reached("reconcile repair") as desk:
        told = desk.call("reconcile.repair", id=id_, reason=reason)
    word = say(REPAIRS[told["repair"]], told["repair"])
    emit(told, lambda: click.echo(f"{told['name']}  {word}"))


def _out(told: dict[str, Any], pdf: Path | None) -> None:
    run = told["run"]
    if run is None:
        emit(told, lambda: click.echo(say("还没有对过账", "nothing was compared yet")))
        return
    report = _report(told, run)
    if pdf is not None:
        write_pdf(report, pdf)
    emit(told, lambda: click.echo(str(pdf)) if pdf is not None else show(report))


def _report(told: dict[str, Any], run: dict[str, Any]) -> Report:
    facts = [
        (say("平台", "platform"), told["dest"]),
        (say("状态", "state"), say(_RUNS[run["state"]], run["state"])),
        (say("时间", "at"), f"{when(run['asked_at'])} - {when(run['ended_at'])}"),
        (say("由", "by"), run["who"]),
        (say("在途（已开未达）", "in transit"), str(run["in_transit"])),
        (say("平台已拒收", "refused there"), str(run["refused"])),
    ]
    if run["detail"]:
        facts.append((say("说明", "detail"), run["detail"]))
    parts = [_totals(run, told["kind_names"]), _differences(told["differences"])]
    notes = []
    if run["state"] == "done" and not told["differences"]:
        notes.append(f"{paint('OK', 'green')}  " + say("两边一致", "both books agree"))
    for row in told["differences"]:
        if row["state"] == "differs":
            notes.append(f"fepctl reconcile repair {row['id']} --reason TEXT")
    title = say("与财政平台对账", "Reconciliation with the platform")
    return Report(title, run["day"], [Block(told["dest"], facts, parts)],
                  [click.unstyle(line) for line in notes],
                  (say("制表", "made by"), say("复核", "checked by")))  # fmt: skip


def _totals(run: dict[str, Any], kinds: dict[str, str]) -> Part:
    here = {(row["code"], row["kind"]): row for row in run["here"]}
    there = {(row["code"], row["kind"]): row for row in run["there"]}
    rows = []
    for key in sorted(here.keys() | there.keys()):
        ours, theirs = here.get(key, {}), there.get(key, {})
        apart = ours.get("apart", 0), ours.get("apart_fen", 0)
        rows.append((key[0], say(kinds.get(key[1], key[1]), key[1]), *_figures(ours),
                     str(apart[0]), format_fen(apart[1]), *_figures(theirs)))  # fmt: skip
    return Part(
        say("合计", "totals"),
        (Column("票据代码", "code", fold=False), Column("种类", "kind"),
         Column("本机张数", "here", right=True), Column("本机金额", "amount here", right=True),
         Column("其中未入平台", "not there", right=True),
         Column("未入金额", "amount not there", right=True),
         Column("平台张数", "there", right=True), Column("平台金额", "amount there", right=True)),
        rows,
    )  # fmt: skip


def _figures(row: dict[str, Any]) -> tuple[str, str]:
    count = row.get("blue", 0) + row.get("red", 0)
    return str(count), format_fen(row.get("blue_fen", 0) + row.get("red_fen", 0))


def _differences(rows: list[dict[str, Any]]) -> Part:
    return Part(
        say("差异", "differences"),
        (Column("编号", "id", right=True), Column("票据", "receipt", fold=False),
         Column("差异", "difference"), Column("本机", "here"), Column("平台", "there"),
         Column("处理办法", "repair"), Column("状态", "state"), Column("原因", "reason")),
        [(str(row["id"]), row["name"], say(GAPS[row["gap"]], row["gap"]),
          _side(row["here_state"], row["here_fen"]), _side(row["there_state"], row["there_fen"]),
          say(REPAIRS[row["repair"]], row["repair"]), say(_STATES[row["state"]], row["state"]),
          row["reason"] or "-") for row in rows],
    )  # fmt: skip


def _side(state: str, fen: int) -> str:
    if not state:
        return "-"
    words = "+".join(say(_WORDS.get(word, word), word) for word in state.split("+"))
    return f"{format_fen(fen)} {words}"
