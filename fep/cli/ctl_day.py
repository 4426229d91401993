"""`fepctl day`: the day close, shifts, months and years, for the accountant."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fep.cli.common import Column, emit, note, paint, say, table, wants_json, when
from fep.cli.common_reach import reached
from fep.cli.common_report import Block, Part, Report, pdf_option, show, write_pdf
from fep.cli.common_verbs import F, Verbs, option, reason
from fep.domain.money import format_fen

POLL_S = 0.3
_MONEY = (
    Column("蓝字张数", "blue", right=True), Column("蓝字金额", "blue amount", right=True),
    Column("红字张数", "red", right=True), Column("红字金额", "red amount", right=True),
    Column("净额", "net", right=True),
)  # fmt: skip


def _unit() -> Callable[[F], F]:
    return option("--unit", default="", zh="只看一个单位", en="one unit only")


@click.group("day", cls=Verbs, zh="日结：结账、查看、班结、月报、年报",
             en="the day close: close, show, shift, month, year")  # fmt: skip
def group() -> None:
    """Group the verbs of the day close."""


@group.command("close", zh="日结已经过去、还没有结的每一天（平时自动进行）",
               en="close every day that is over and not closed (it happens by itself)")  # fmt: skip
@reason()
def close(reason: str) -> None:
    """Close what is due, and wait for it."""
    with reached("day close") as desk:
        told = desk.call("day.close", reason=reason)
        while told["running"]:
            time.sleep(POLL_S)
            told = desk.call("day.progress")
            if told["running"] and told["day"] and not wants_json():
                note(say(f"{told['unit']} {told['day']} 已计 {told['counted']} 张",
                         f"{told['unit']} {told['day']} {told['counted']} counted"))  # fmt: skip
    emit(told, lambda: _closed(told))
    if told["fault"]:
        sys.exit(1)


def _closed(told: dict[str, Any]) -> None:
    for row in told["closed"]:
        click.echo(f"{paint('OK', 'green')}  {row['unit']}  {row['day']}")
    if told["fault"]:
        click.echo(f"{paint('FAIL', 'red')}  {told['fault']}")
    elif not told["closed"]:
        click.echo(say("没有需要日结的日期", "nothing is due"))


@group.command("list", zh="已经日结的日期", en="closed days, newest first")
@_unit()
@option("--limit", type=click.IntRange(1, 1000), default=31, zh="行数", en="rows")
def list_(unit: str, limit: int) -> None:
    """List closed days."""
    with reached() as desk:
        told = desk.call("day.list", unit=unit, limit=limit)
    emit(told, lambda: table(
        (Column("单位", "unit"), Column("日期", "day", fold=False),
         Column("张数", "receipts", right=True), Column("净额", "net", right=True),
         Column("结账时间", "closed at", fold=False)),
        [(row["unit"], row["day"], str(row["count"]), format_fen(row["net_fen"]),
          when(row["closed_at"])) for row in told["days"]],
        empty=say("还没有日结", "no day is closed yet"),
    ))  # fmt: skip


@group.command("show", zh="一天的日结", en="a closed day")
@click.argument("day", metavar="YYYY-MM-DD")
@_unit()
@pdf_option()
def show_day(day: str, unit: str, pdf: Path | None) -> None:
    """Show a closed day."""
    _period(day, unit, pdf, say("日结报表", "Day close"))


@group.command("month", zh="月报（由日结汇总）", en="a month, summed from closed days")
@click.argument("month", metavar="YYYY-MM")
@_unit()
@pdf_option()
def month(month: str, unit: str, pdf: Path | None) -> None:
    """Show a month."""
    _period(month, unit, pdf, say("月报", "Month"))


@group.command("year", zh="年报（由日结汇总）", en="a year, summed from closed days")
@click.argument("year", metavar="YYYY")
@_unit()
@pdf_option()
def year(year: str, unit: str, pdf: Path | None) -> None:
    """Show a year."""
    _period(year, unit, pdf, say("年报", "Year"))


def _period(period: str, unit: str, pdf: Path | None, title: str) -> None:
    with reached() as desk:
        told = desk.call("day.show", period=period, unit=unit)
    _out(told, Report(title, period, _blocks(told), signs=_signs()), pdf)  # fmt: skip


@group.command("shift", zh="班结：一名收费员在一段时间内开出的票据",
               en="a cashier's receipts in a time")  # fmt: skip
@click.argument("cashier", metavar="CASHIER")
@option("--from", "since", required=True, metavar="TIME",
        zh="起，如 “2026-11-21 08:00”", en="from, like \"2026-11-21 08:00\"")  # fmt: skip
@option("--to", "until", required=True, metavar="TIME",
        zh="止（不含）", en="until, not included")  # fmt: skip
@_unit()
@pdf_option()
def shift(cashier: str, since: str, until: str, unit: str, pdf: Path | None) -> None:
    """Show a shift."""
    with reached() as desk:
        told = desk.call("day.shift", cashier=cashier, since=since, until=until, unit=unit)
    period = f"{cashier}  {when(told['since'])[:16]} - {when(told['until'])[:16]}"
    blocks = _blocks(told)
    notes = [] if blocks else [say("这段时间没有票据", "no receipt in this time")]
    _out(told, Report(say("班结报表", "Shift"), period, blocks, notes, _signs()), pdf)


def _signs() -> tuple[str, ...]:
    return (say("制表", "made by"), say("复核", "checked by"), say("收费员", "cashier"))


def _out(told: dict[str, Any], report: Report, pdf: Path | None) -> None:
    if pdf is not None:
        write_pdf(report, pdf)
    emit(told, lambda: click.echo(str(pdf)) if pdf is not None else show(report))


def _blocks(told: dict[str, Any]) -> list[Block]:
    names = {"channel": told["channel_names"], "kind": told["kind_names"]}
    return [
        Block(f"{row['name']}（{row['unit']}）", _facts(row), _parts(row, names))
        for row in told["units"]
    ]


def _facts(row: dict[str, Any]) -> list[tuple[str, str]]:
    total = row["total"]
    found = [
        (say("蓝字", "blue"), _sum(total["blue"], total["blue_fen"])),
        (say("红字", "red"), _sum(total["red"], total["red_fen"])),
        (say("净额", "net"), format_fen(total["net_fen"])),
        (say("空号核销", "burned numbers"), str(total["burned"])),
        (say("纸质票 用/废", "sheets used/void"),
         f"{row['sheets']['used']} / {row['sheets']['void']}"),
    ]  # fmt: skip
    if row["days"]:
        found.append((say("日结天数", "closed days"), str(row["days"])))
    # Before a unit's first receipt there was nothing here to close.
    missing = [day for day in row["missing"] if day >= row["since"]]
    if len(missing) < len(row["missing"]):
        found.append((say("首张开票日期", "first receipt"), row["since"] or "-"))
    if missing:
        found.append((say("没有日结的日期", "days not closed"), _few(missing)))
    waiting = row.get("open") or {}
    if waiting.get("queued") or waiting.get("frozen"):
        queued, frozen = waiting["queued"], waiting["frozen"]
        found.append((say("结账时未完成", "not final at the close"),
                      say(f"待开 {queued}，待签 {frozen}",
                          f"{queued} queued, {frozen} unsigned")))  # fmt: skip
    if row.get("sm3"):
        found.append((say("内容 SM3", "SM3 of the content"), row["sm3"]))
        found.append((say("签名证书", "signed by"), row["cert_serial"]))
        found.append((say("结账时间", "closed at"), when(row["closed_at"])))
    return found


def _sum(count: int, fen: int) -> str:
    return say(f"{count} 张  {format_fen(fen)} 元", f"{count}  {format_fen(fen)}")


def _few(names: list[str]) -> str:
    more = f" … {names[-1]}（{len(names)}）" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _parts(row: dict[str, Any], names: dict[str, dict[str, str]]) -> list[Part]:
    """Return the tables of one unit; `names` are the words for channels and kinds."""
    named = (
        ("kinds", say("按票据种类", "by kind"), ("kind", "code"),
         (Column("种类", "kind"), Column("票据代码", "code", fold=False))),
        ("channels", say("按支付方式", "by channel"), ("channel",), (Column("方式", "channel"),)),
        ("cashiers", say("按收费员", "by cashier"), ("cashier",), (Column("收费员", "cashier"),)),
        ("tills", say("收费员各支付方式", "cashier and channel"), ("cashier", "channel"),
         (Column("收费员", "cashier"), Column("方式", "channel"))),
        ("points", say("按开票点", "by point"), ("point",), (Column("开票点", "point"),)),
        ("items", say("按收费项目", "by item"), ("kind", "item", "name"),
         (Column("种类", "kind"), Column("项目", "item"), Column("名称", "name"))),
    )  # fmt: skip
    parts = [
        Part(title, (*columns, *_MONEY),
             [(*(_text(key, entry[key], names) for key in keys), *_money(entry))
              for entry in row[part]],
             (say("合计", "total"), *[""] * (len(columns) - 1), *_money(row["total"]))
             if part == "kinds" else ())
        for part, title, keys, columns in named
    ]  # fmt: skip
    return [*parts, *_lists(row)]


def _text(key: str, value: str, names: dict[str, dict[str, str]]) -> str:
    if value:
        return say(names.get(key, {}).get(value, value), value)
    return say("（未注明）", "(none)")


def _money(entry: dict[str, Any]) -> tuple[str, ...]:
    return (str(entry["blue"]), format_fen(entry["blue_fen"]), str(entry["red"]),
            format_fen(entry["red_fen"]), format_fen(entry["net_fen"]))  # fmt: skip


def _lists(row: dict[str, Any]) -> list[Part]:
    return [
        Part(say("号码区间", "numbers"),
             (Column("票据代码", "code", fold=False), Column("起", "first", fold=False),
              Column("止", "last", fold=False), Column("张数", "count", right=True)),
             [(r["code"], r["first"], r["last"], str(r["count"])) for r in row["ranges"]]),
        Part(say("空号核销", "burned numbers"), (Column("号码", "number", fold=False),),
             [(name,) for name in row["burned"]]),
        Part(say("以前日期的票据，今日计入", "of earlier dates, counted today"),
             (Column("票据", "receipt", fold=False), Column("开票日期", "issued on", fold=False),
              Column("金额", "amount", right=True)),
             [(r["receipt"], r["issued_on"], format_fen(r["fen"])) for r in row["late"]]),
        Part(say("冲红以前日期的票据", "reversals of earlier receipts"),
             (Column("红字票据", "red", fold=False), Column("原票据", "blue", fold=False),
              Column("原开票日期", "issued on", fold=False), Column("金额", "amount", right=True)),
             [(r["receipt"], r["blue"], r["blue_on"], format_fen(r["fen"]))
              for r in row["earlier"]]),
    ]  # fmt: skip
