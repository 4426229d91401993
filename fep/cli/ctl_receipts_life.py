"""`fepctl receipts reverse|life|print|rejected|accept|retry`: what happens to a receipt later."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, facts, heading, note, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verb, option, reason

STATES = {"frozen": "待签名", "sealed": "有效", "reversing": "正在冲红", "reversed": "已冲红",
          "burned": "已空号核销"}  # fmt: skip
_BOOKING = {"unknown": "不明", "no": "未入账", "yes": "已入账"}
_MESSAGE = {"unknown": "-", "failed": "未送达", "delivered": "已送达"}
_DELIVERY = {"": "-", "due": "待报", "sent": "已发", "applied": "已入库", "rejected": "被拒",
             "conflict": "冲突", "closed": "已结案", "resent": "已重报"}  # fmt: skip
OPS = {"ISSUE": "票据", "RED": "红字票据", "PAPER": "换开", "VOID_PAPER": "作废纸质票",
        "VOID_BLANK": "作废空白票", "REQUEST": "申请号码", "RETURN": "退回号码"}  # fmt: skip
_SHEETS = {"blank": "空白", "used": "已用", "void": "作废"}
KEY_MAX = 50
_MARKS = {"booking": "入账", "write_off": "核销", "message": "短信/邮件", "yes": "是", "no": "否",
          "unknown": "不明", "done": "已核销", "open": "未核销", "delivered": "已送达",
          "failed": "未送达"}  # fmt: skip


def halves(name: str) -> tuple[str, str]:
    """Split CODE-NUMBER. Raises CliFault RCP_NAME."""
    code, _, number = name.partition("-")
    if len(code) != 8 or len(number) != 10:
        raise CliFault("RCP_NAME", f"不是票据编号：{name}", f"Not the name of a receipt: {name}")
    return code, number


@click.command("reverse", cls=Verb, zh="冲红一张票据（整张；部分退费请冲红后重开）",
               en="reverse a receipt as a whole; for a part, issue a new one after it")  # fmt: skip
@click.argument("name", metavar="CODE-NUMBER")
@option("--key", default="", zh="冲红流水号（默认由票据编号得出，重复执行结果相同）",
        en="key of the reversal (default: made of the name; repeating is harmless)")  # fmt: skip
@option("--operator", default="", zh="经办人", en="operator")
@option("--force", is_flag=True, zh="已入账也冲红（须配置允许）",
        en="also when it is booked, where configuration allows it")  # fmt: skip
@option("--print", "wants_print", is_flag=True, zh="打印红字票据", en="print the red receipt")
@reason()
def reverse(name: str, key: str, operator: str, force: bool, wants_print: bool,
            reason: str) -> None:  # fmt: skip
    """Reverse a receipt."""
    code, number = halves(name)
    with reached("receipts reverse") as desk:
        blue = desk.call("receipt.get", code=code, number=number)["receipt"]
        told = desk.call(
            "receipt.reverse", unit=blue["unit"], key=(key or f"RED-{name}")[:KEY_MAX],
            code=code, number=number, reason=reason, operator=operator, force=force,
            print=wants_print or None,
        )  # fmt: skip
    red = told["receipt"]
    done = f"{red['code']}-{red['number']}  {red['amount']}"
    again = say("（早已冲红）", " (it was reversed before)") if told["repeated"] else ""
    emit(told, lambda: click.echo(say("红字票据 ", "red receipt ") + done + again))


@click.command("life", cls=Verb, zh="一张票据的冲红、纸质票、入账、核销情况",
               en="reversal, paper, booking and write-off of a receipt")  # fmt: skip
@click.argument("name", metavar="CODE-NUMBER")
def life(name: str) -> None:
    """Show where a receipt stands."""
    with reached() as desk:
        told = desk.call("receipts.life", name=name)
    emit(told, lambda: _life(told))


def _life(told: dict[str, Any]) -> None:
    life = told["life"]
    heading(f"{told['name']}  {say(STATES.get(life['state'], ''), life['state'])}")
    facts([
        (say("红字票据", "red receipt"), _ref(life["red"])),
        (say("原票据", "blue receipt"), _ref(life["blue"])),
        (say("原因", "reason"), life.get("reason", "") or "-"),
        (say("纸质票", "sheet"), life["sheet"] or "-"),
        (say("入账", "booking"), say(_BOOKING[life["booking"]], life["booking"])),
        (say("核销", "written off"), _yes(life["written_off"])),
        (say("短信/邮件", "message"), say(_MESSAGE[life["message"]], life["message"])),
        (say("财政监制", "supervised"), _yes(life["supervised"])),
        (say("上报", "delivery"), say(_DELIVERY[life["delivery"]], life["delivery"] or "-")),
    ])  # fmt: skip
    for sheet in told["sheets"]:
        word = say(_SHEETS.get(sheet["state"], ""), sheet["state"])
        facts([(say("纸质票", "sheet"), f"{sheet['sheet']}  {word}  {sheet['reason']}".strip())])
    for mark in told["marks"]:
        name, value = (say(_MARKS.get(word, word), word) for word in (mark["name"], mark["value"]))
        words = f"{name} {value}  {when(mark['at'])}  {mark['evidence']}"
        facts([(say("标记", "mark"), words)])


def _ref(named: dict[str, str] | None) -> str:
    return f"{named['code']}-{named['number']}" if named else "-"


def _yes(value: bool) -> str:
    return say("是", "yes") if value else say("否", "no")


@click.command("print", cls=Verb, zh="补打一张（有补打标记）", en="print a marked copy")
@click.argument("name", metavar="CODE-NUMBER")
@option("--point", default="", zh="在哪个开票点打印", en="at which point")
@reason()
def print_(name: str, point: str, reason: str) -> None:
    """Print a receipt again."""
    code, number = halves(name)
    with reached("receipts print") as desk:
        told = desk.call("print.again", code=code, number=number, point=point, reason=reason)
    job = told["job"]
    emit(told, lambda: click.echo(
        say(f"打印任务 {job['id']}，第 {job['copy']} 份", f"job {job['id']}, copy {job['copy']}")
    ))  # fmt: skip


@click.command("rejected", cls=Verb, zh="平台拒收、等待处理的上报",
               en="deliveries the platform refused and nobody has dealt with")  # fmt: skip
@option("--limit", type=click.IntRange(1, 500), default=50, zh="行数", en="rows")
def rejected(limit: int) -> None:
    """List refused deliveries."""
    with reached() as desk:
        told = desk.call("receipts.rejected", limit=limit)
    emit(told, lambda: _rejected(told["refused"]))


def _rejected(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("票据/纸质票", "receipt or sheet", fold=False), Column("内容", "record"),
         Column("平台", "destination"), Column("结果", "result", fold=False),
         Column("说明", "detail"), Column("时间", "at", fold=False)),
        [(row["name"], say(OPS.get(row["op"], row["op"]), row["op"]), row["dest"],
          row["result"], row["detail"] or "-", when(row["updated_at"])) for row in rows],
        empty=say("没有被拒收的上报", "nothing was refused"),
    )  # fmt: skip
    if rows:
        one = rows[0]["name"]
        note(say(f"重新上报：fepctl receipts retry {one} --reason 原因",
                 f"send it again: fepctl receipts retry {one} --reason TEXT"))  # fmt: skip
        note(say(f"认可拒收：fepctl receipts accept {one} --reason 原因",
                 f"take note of it: fepctl receipts accept {one} --reason TEXT"))  # fmt: skip


@click.command("accept", cls=Verb, zh="认可平台的拒收，结案", en="take note of a refusal")
@click.argument("name", metavar="CODE-NUMBER")
@reason()
def accept(name: str, reason: str) -> None:
    """Close a refused delivery."""
    with reached("receipts accept") as desk:
        told = desk.call("receipts.accept", name=name, reason=reason)
    count = len(told["closed"])
    emit(told, lambda: click.echo(say(f"已结案 {count} 条", f"{count} closed")))


@click.command("retry", cls=Verb, zh="重新上报被拒收的内容", en="send what was refused again")
@click.argument("name", metavar="CODE-NUMBER")
@reason()
def retry(name: str, reason: str) -> None:
    """Send a refused delivery again."""
    with reached("receipts retry") as desk:
        told = desk.call("receipts.retry", name=name, reason=reason)
    count = len(told["again"])
    emit(told, lambda: click.echo(say(f"将重新上报 {count} 条", f"{count} will be sent again")))
