"""`fepctl numbers` and `fepctl queue`: what is in hand, what waits."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import Column, emit, heading, paint, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Lazy, Verb, Verbs, option, reason
from fep.cli.ctl_platform import request

_BLOCK_STATES = {
    "granted": "未用", "active": "在用", "exhausted": "用完", "reserve": "备用（封存）",
    "expired": "过期", "returned": "退回", "burned": "核销",
}  # fmt: skip
_DELIVERIES = {"": "未发往平台", "due": "待发", "sent": "已发", "applied": "平台已收",
               "rejected": "平台拒收"}  # fmt: skip
_AUDIT = Lazy("fep.cli.ctl_audit", "command", "逐号核对：不缺号、不重号，每个空号有证据",
              "prove that no number is missing or double")  # fmt: skip
_SOURCES = {"platform": "平台", "person": "人工", "relay": "转发机", "witness": "见证"}


@click.group("numbers", cls=Verbs, invoke_without_command=True, lazy={"audit": _AUDIT},
             zh="票据号码：库存与号段；audit 核对，import 导入",
             en="numbers: stock and blocks; audit, import")  # fmt: skip
@click.pass_context
def numbers(ctx: click.Context) -> None:
    """List stock and blocks."""
    if ctx.invoked_subcommand is not None:
        return
    with reached() as desk:
        told = desk.call("numbers.list") | desk.call("numbers.forecast")
    emit(told, lambda: _numbers(told))


def _numbers(told: dict[str, Any]) -> None:
    days = {(row["unit"], row["code"]): row for row in told["forecast"]}
    table(
        (Column("单位", "unit"), Column("票据代码", "code"), Column("剩余", "left", right=True),
         Column("可用天数", "days", right=True), Column("总数", "total", right=True),
         Column("空号核销", "burned", right=True)),
        [(row["unit"], row["code"],
          str(row["left"]) if row["left"] else paint("0", "red"),
          _days(days.get((row["unit"], row["code"]))),
          str(row["total"]), str(row["burned"])) for row in told["stock"]],
        empty=say("没有号段；导入：fepctl numbers import --help",
                  "no block; import one: fepctl numbers import --help"),
    )  # fmt: skip
    for row in told["next_year"]:
        late = say(f"{row['unit']} {row['kind']} 还没有明年代码 {row['next_code']} 的号段",
                   f"{row['unit']} {row['kind']} has no block for next year's code"
                   f" {row['next_code']}")  # fmt: skip
        click.echo(f"{paint('WARN', 'yellow')}  {late}")
    for row in told["requested"]:
        word = say(f"已申请 {row['unit']} {row['code']} {row['count']} 个号码",
                   f"{row['count']} numbers requested for {row['unit']} {row['code']}")  # fmt: skip
        how = say(_DELIVERIES.get(row["delivery"], row["delivery"]), row["delivery"] or "not sent")
        click.echo(f"{word}  {when(row['at'])}  {how}  {row['detail']}".rstrip())
    if not told["blocks"]:
        return
    heading(say("号段", "blocks"))
    table(
        (Column("单位", "unit"), Column("票据代码", "code"), Column("起", "first"),
         Column("止", "last"), Column("下一个", "next"), Column("剩余", "left", right=True),
         Column("状态", "state"), Column("来源", "source"), Column("发放时间", "granted at")),
        [(row["unit"], row["code"], row["first"], row["last"], row["next"], str(row["left"]),
          say(_BLOCK_STATES.get(row["state"], row["state"]), row["state"]),
          say(_SOURCES.get(row["source"], row["source"]), row["source"]),
          when(row["granted_at"])) for row in told["blocks"]],
        empty="",
    )  # fmt: skip


def _days(row: dict[str, Any] | None) -> str:
    """Return for how many days of the busiest rate a stock lasts."""
    if row is None or row["days"] is None:
        return "-"
    return paint(str(row["days"]), "yellow") if row["low"] else str(row["days"])


@numbers.command("import", zh="按批准文件导入一个号段", en="import a block by an approval")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--code", required=True, metavar="8 digits", zh="票据代码（8 位）", en="code")
@option("--first", required=True, metavar="10 digits", zh="起始号码（10 位）", en="first number")
@option("--last", required=True, metavar="10 digits", zh="终止号码（10 位）", en="last number")
@option("--approval", required=True, metavar="NO", zh="批准文号", en="approval number")
@option("--sheet", is_flag=True, zh="纸质票号段（须给 --point，代码与号码位数照纸质票）",
        en="paper sheets (needs --point; digits as on the paper)")  # fmt: skip
@option("--point", default="", zh="开票点（只用于纸质票）", en="point, for sheets only")
@option("--reserve", is_flag=True, zh="封存备用，需要时再启用", en="sealed, to be opened in need")
@reason()
def import_(unit: str, code: str, first: str, last: str, approval: str, sheet: bool,
            point: str, reserve: bool, reason: str) -> None:  # fmt: skip
    """Import a block."""
    if sheet:
        from fep.cli.ctl_paper_sheets import import_sheets

        import_sheets(unit, point, code, first, last, approval, reason)
        return
    with reached("numbers import") as desk:
        told = desk.call("numbers.import", unit=unit, code=code, first=first, last=last,
                         approval=approval, reason=reason, reserve=reserve)  # fmt: skip
    done = say(f"已导入 {told['count']} 个号码", f"{told['count']} numbers imported")
    known = say("该号段早已导入，没有变化", "this block was imported before; nothing changed")
    emit(told, lambda: click.echo(done if told["new"] else known))


@numbers.command("open-reserve", zh="启用一个封存的备用号段", en="open a sealed reserve block")
@option("--code", required=True, metavar="8 digits", zh="票据代码（8 位）", en="code")
@option("--first", required=True, metavar="10 digits", zh="号段起始号码", en="its first number")
@reason()
def open_reserve(code: str, first: str, reason: str) -> None:
    """Open a reserve."""
    with reached("numbers open-reserve") as desk:
        told = desk.call("numbers.open_reserve", code=code, first=first, reason=reason)
    count = told["opened"]["count"]
    emit(told, lambda: click.echo(say(f"已启用 {count} 个号码", f"{count} numbers opened")))


@numbers.command("return", zh="退回一个号段余下的号码", en="give the rest of a block back")
@option("--code", required=True, metavar="8 digits", zh="票据代码（8 位）", en="code")
@option("--first", required=True, metavar="10 digits", zh="号段起始号码", en="its first number")
@reason()
def return_(code: str, first: str, reason: str) -> None:
    """Return a block."""
    with reached("numbers return") as desk:
        told = desk.call("numbers.return", code=code, first=first, reason=reason)
    count = told["returned"]["count"]
    emit(told, lambda: click.echo(say(f"已退回 {count} 个号码", f"{count} numbers returned")))


for _verb in (request,):
    numbers.add_command(_verb)


@click.command("queue", cls=Verb, zh="等待开票和被拒绝的业务单",
               en="events that wait, and refused ones")  # fmt: skip
@option("--limit", type=click.IntRange(1, 500), default=50, zh="行数", en="rows")
def queue(limit: int) -> None:
    """List the queue."""
    with reached() as desk:
        told = desk.call("queue.list", limit=limit)
    emit(told, lambda: _queue(told))


def _queue(told: dict[str, Any]) -> None:
    columns = (
        Column("编号", "id", right=True), Column("单位", "unit"), Column("流水号", "key"),
        Column("业务系统", "caller"), Column("收到时间", "received at"), Column("原因", "reason"),
    )  # fmt: skip

    def rows(events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
        return [(str(row["id"]), row["unit"], row["key"], row["caller"],
                 when(row["received_at"]), row["reason"] or "-") for row in events]  # fmt: skip

    heading(say(f"等待开票 {told['queued']}，待签名 {told['frozen']}",
                f"{told['queued']} waiting, {told['frozen']} unsigned"))  # fmt: skip
    table(columns, rows(told["waiting"]), empty=say("没有等待的业务单", "nothing waits"))
    heading(say("最近被拒绝（同一流水号可再次开票）",
                "refused lately (the same key may come again)"))  # fmt: skip
    table(columns, rows(told["refused"]), empty=say("没有被拒绝的业务单", "nothing was refused"))
