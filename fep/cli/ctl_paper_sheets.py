"""`fepctl paper`: sheets of paper: blocks, the next one, exchange, void."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, facts, note, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Lazy, Verbs, option, reason
from fep.cli.ctl_receipts_life import halves

_STATES = {"blank": "空白", "used": "已用", "void": "作废", "active": "在用", "exhausted": "用完"}


_FORMS = "fep.cli.ctl_forms_paper"


@click.group("paper", cls=Verbs, invoke_without_command=True,
             lazy={"jobs": Lazy(_FORMS, "jobs", "未了结的套打任务", "form jobs not settled"),
                   "confirm": Lazy(_FORMS, "confirm", "核对打印机上的印刷号后打印",
                                   "print: the sheet in the tractor bears this number"),
                   "printed": Lazy(_FORMS, "printed", "看过纸张，打印完整清楚",
                                   "somebody looked: the sheet is whole"),
                   "spoil": Lazy(_FORMS, "spoil", "打坏的纸质票作废，换下一张",
                                 "void a spoiled sheet, take the next")},
             zh="纸质票：号段、下一张、换开、作废",
             en="paper sheets: blocks, next, exchange, void")  # fmt: skip
@click.pass_context
def group(ctx: click.Context) -> None:
    """List the blocks of sheets."""
    if ctx.invoked_subcommand is not None:
        return
    with reached() as desk:
        told = desk.call("paper.blocks")
    emit(told, lambda: _blocks(told["blocks"]))


def _state(word: str) -> str:
    return say(_STATES.get(word, word), word)


def _evidence(text: str) -> str:
    """Return where the evidence stands: a record of the journal, or a receipt."""
    what, _, which = text.partition(" ")
    words = {"journal": f"日志账第 {which} 条", "receipt": f"票据 {which}"}
    return say(words.get(what, text), text)


def _blocks(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("单位", "unit"), Column("开票点", "point"), Column("纸质票代码", "code"),
         Column("起", "first"), Column("止", "last"), Column("下一张", "next"),
         Column("空白", "left", right=True), Column("已用", "used", right=True),
         Column("作废", "void", right=True), Column("状态", "state")),
        [(row["unit"], row["point"], row["code"], row["first"], row["last"], row["next"] or "-",
          str(row["left"]), str(row["used"]), str(row["void"]), _state(row["state"]))
         for row in rows],
        empty=say("没有纸质票；导入：fepctl numbers import --sheet",
                  "no sheets; import some: fepctl numbers import --sheet"),
    )  # fmt: skip


def import_sheets(unit: str, point: str, code: str, first: str, last: str, approval: str,
                  reason: str) -> None:  # fmt: skip
    """Import a block of sheets: `fepctl numbers import --sheet`."""
    if not point:
        raise CliFault("CTL_USAGE", "纸质票号段属于一个开票点，请加 --point 开票点",
                       "A block of sheets belongs to a point: add --point POINT")  # fmt: skip
    with reached("numbers import") as desk:
        told = desk.call("paper.import", unit=unit, point=point, code=code, first=first,
                         last=last, approval=approval, reason=reason)  # fmt: skip
    done = say(f"已导入 {told['count']} 张纸质票", f"{told['count']} sheets imported")
    known = say("该号段早已导入，没有变化", "this block was imported before; nothing changed")
    emit(told, lambda: click.echo(done if told["new"] else known))


@group.command("next", zh="开票点的下一张纸质票", en="the next sheet of a point")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--point", required=True, zh="开票点", en="point")
def next_(unit: str, point: str) -> None:
    """Show the next sheet."""
    with reached() as desk:
        told = desk.call("sheets.next", unit=unit, point=point)
    emit(told, lambda: click.echo(
        say(f"{told['sheet']}（空白 {told['left']} 张）", f"{told['sheet']} ({told['left']} blank)")
    ))  # fmt: skip


@group.command("list", zh="已用和作废的纸质票", en="used and void sheets")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--point", default="", zh="开票点", en="point")
@option("--state", type=click.Choice(["used", "void"]), default=None, zh="状态", en="state")
@option("--after", default="", metavar="SHEET", zh="翻页游标", en="cursor of the next page")
@option("--limit", type=click.IntRange(1, 200), default=50, zh="行数", en="rows")
def list_(unit: str, point: str, state: str | None, after: str, limit: int) -> None:
    """List sheets."""
    with reached() as desk:
        told = desk.call("sheets.list", unit=unit, point=point, state=state or "", after=after,
                         limit=limit)  # fmt: skip
    emit(told, lambda: _sheets(told))


def _sheets(told: dict[str, Any]) -> None:
    table(
        (Column("纸质票", "sheet", fold=False), Column("状态", "state", fold=False),
         Column("票据", "receipt", fold=False), Column("时间", "at", fold=False),
         Column("原因", "reason"), Column("依据", "evidence")),
        [(row["sheet"], _state(row["state"]), row["receipt"] or "-", when(row["at"]),
          row["reason"] or "-", _evidence(row["evidence"])) for row in told["sheets"]],
        empty=say("没有已用或作废的纸质票", "no sheet is used or void"),
    )  # fmt: skip
    if told["next"]:
        note(say(f"下一页：--after {told['next']}", f"next page: --after {told['next']}"))


@group.command("show", zh="一张纸质票的情况", en="one sheet")
@click.argument("sheet", metavar="SHEET")
@option("--unit", required=True, zh="开票单位", en="unit")
def show(sheet: str, unit: str) -> None:
    """Show a sheet."""
    with reached() as desk:
        told = desk.call("sheets.show", unit=unit, sheet=sheet)
    row = told["sheet"]
    emit(told, lambda: facts([
        (say("纸质票", "sheet"), row["sheet"]),
        (say("状态", "state"), _state(row["state"])),
        (say("开票点", "point"), row["point"]),
        (say("票据", "receipt"), row.get("receipt") or "-"),
        (say("时间", "at"), when(row["at"]) if "at" in row else "-"),
        (say("原因", "reason"), row.get("reason") or "-"),
        (say("依据", "evidence"), _evidence(row.get("evidence") or "-")),
    ]))  # fmt: skip


@group.command("exchange", zh="换开纸质票；--again 作废旧纸质票重新换开",
               en="exchange a receipt for a sheet; --again voids the old sheet first")  # fmt: skip
@click.argument("name", metavar="CODE-NUMBER")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--point", required=True, zh="开票点", en="point")
@option(
    "--sheet", default="", zh="放入的纸质票编号，用于核对", en="the sheet loaded, to be checked"
)
@option("--again", is_flag=True, zh="重新换开", en="exchange again")
@option("--print", "printed", is_flag=True, zh="在纸质票上套打（先核对印刷号）",
        en="print on the sheet, once its number was confirmed")  # fmt: skip
@reason()
def exchange(
    name: str, unit: str, point: str, sheet: str, again: bool, printed: bool, reason: str
) -> None:
    """Exchange a receipt for paper."""
    code, number = halves(name)
    with reached("paper exchange") as desk:
        told = desk.call(
            "paper.reexchange" if again else "paper.exchange", unit=unit, point=point,
            code=code, number=number, sheet=sheet, reason=reason,
            **({"print": True} if printed else {}),
        )  # fmt: skip
    old, job = told["replaced"], told.get("job")
    done = say("纸质票 ", "sheet ") + told["sheet"]
    if old:
        done += say(f"，{old} 作废", f", {old} is void")
    if job:
        done += say("；请核对打印机上的印刷号：", "; compare the sheet in the printer: ")
        done += f"fepctl paper confirm {job['id']} {told['sheet'].partition('-')[2]}"
    emit(told, lambda: click.echo(done))


@group.command("void", zh="作废空白票或已换开的纸质票", en="void blank or exchanged sheets")
@click.argument("first", metavar="FIRST")
@click.argument("last", metavar="[LAST]", default="")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--point", required=True, zh="开票点", en="point")
@reason()
def void(first: str, last: str, unit: str, point: str, reason: str) -> None:
    """Void sheets."""
    with reached("paper void") as desk:
        told = desk.call("paper.void", unit=unit, point=point, first=first, last=last or first,
                         reason=reason)  # fmt: skip
    count = len(told["voided"])
    emit(told, lambda: click.echo(say(f"已作废 {count} 张", f"{count} voided")))
