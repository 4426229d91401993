"""`fepctl link rejected|retry|reverse|accept`: refused deliveries, a group by one command."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, note, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verb, reason

PAGE = 100
_WORDS = {
    "stale_date": "开票日期已过", "not_yours": "号码不属于本单位", "duplicate": "重复",
    "signature": "签名不符", "item": "项目不明", "blue": "原票据不符", "form": "格式不符",
    "login": "应用号或密钥不符", "unsupported": "平台没有此功能", "differs": "内容不同",
    "UNSENDABLE": "不能装入批次", "CONFLICT": "与平台已有内容冲突",
}  # fmt: skip


@click.command("rejected", cls=Verb, zh="平台拒收的上报，按原因分组",
               en="what the platform refused, grouped by reason")  # fmt: skip
@click.argument("group", metavar="[GROUP]", default="")
def rejected(group: str) -> None:
    """List the groups, or the rows of one."""
    with reached() as desk:
        if group:
            told = desk.call("link.refused", group=group, limit=PAGE)
            emit(told, lambda: _rows(told["refused"]))
            return
        told = desk.call("link.rejected")
    emit(told, lambda: _groups(told))


def _groups(told: dict[str, Any]) -> None:
    table(
        (Column("平台", "destination"), Column("原因", "reason", fold=False),
         Column("条数", "count", right=True), Column("金额", "amount", right=True),
         Column("最早", "first"),
         Column("其一", "one of them", fold=False), Column("处理", "held")),
        [(row["dest"], _word(row["reason"]), str(row["count"]),
          f"{row['amount_fen'] / 100:.2f}", when(row["first_at"]), row["sample"],
          say("等待平台开窗", "till the window opens") if row["held"] else "-")
         for row in told["groups"]],
        empty=say("没有被拒收的上报", "nothing was refused"),
    )  # fmt: skip
    if told["groups"]:
        one = told["groups"][0]["reason"]
        for verb, zh, en in (("retry", "整组重报", "send the group again"),
                             ("accept", "整组认可", "take note of the group"),
                             ("reverse", "整组冲红", "reverse the group")):  # fmt: skip
            note(say(f"{zh}：fepctl link {verb} {one} --reason 原因",
                     f"{en}: fepctl link {verb} {one} --reason TEXT"))  # fmt: skip


def _word(reason: str) -> str:
    zh = _WORDS.get(reason)
    return say(f"{reason} {zh}" if zh else reason, reason)


def _rows(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("票据/纸质票", "receipt or sheet", fold=False), Column("内容", "record"),
         Column("结果", "result", fold=False), Column("说明", "detail"),
         Column("时间", "at", fold=False)),
        [(row["name"], row["op"], row["result"], row["detail"] or "-", when(row["updated_at"]))
         for row in rows],
        empty=say("没有被拒收的上报", "nothing was refused"),
    )  # fmt: skip


@click.command("retry", cls=Verb, zh="整组重新上报（不改日期，不重新签名）",
               en="send a group again, neither re-dated nor signed anew")  # fmt: skip
@click.argument("group", metavar="GROUP")
@reason()
def retry(group: str, reason: str) -> None:
    """Send a group again."""
    with reached("link retry") as desk:
        told = desk.call("link.retry", group=group, reason=reason)
    count = told["again"]
    emit(told, lambda: click.echo(say(f"将重新上报 {count} 条", f"{count} will be sent again")))


@click.command("accept", cls=Verb, zh="整组认可平台的拒收，结案", en="take note of a group")
@click.argument("group", metavar="GROUP")
@reason()
def accept(group: str, reason: str) -> None:
    """Close a group."""
    with reached("link accept") as desk:
        told = desk.call("link.accept", group=group, reason=reason)
    count = told["closed"]
    emit(told, lambda: click.echo(say(f"已结案 {count} 条", f"{count} closed")))


@click.command("reverse", cls=Verb, zh="整组冲红：每张开红字票据，拒收结案",
               en="reverse every receipt of a group; the refusals are closed")  # fmt: skip
@click.argument("group", metavar="GROUP")
@reason()
def reverse(group: str, reason: str) -> None:
    """Reverse a group; repeating it is harmless."""
    reds: list[str] = []
    with reached("link reverse") as desk:
        after = 0
        while True:
            rows = desk.call("link.refused", group=group, limit=PAGE, after=after)["refused"]
            if not rows:
                break
            after = rows[-1]["id"]
            reds += [_reverse(desk, row, reason) for row in rows if row["op"] == "ISSUE"]
    if not reds:
        raise CliFault("DLV_GROUP", f"没有可冲红的票据：{group}", f"nothing to reverse: {group}")
    told = {"reversed": reds}
    emit(told, lambda: click.echo(say(f"已冲红 {len(reds)} 张", f"{len(reds)} reversed")))


def _reverse(desk: Any, row: dict[str, Any], reason: str) -> str:
    """Reverse one receipt and close its refusal; return the red one's name."""
    code, _, number = row["name"].partition("-")
    blue = desk.call("receipt.get", code=code, number=number)["receipt"]
    told = desk.call(
        "receipt.reverse", unit=blue["unit"], key=f"RED-{row['name']}"[:50], code=code,
        number=number, reason=reason, operator="", force=True,
    )  # fmt: skip
    desk.call("receipts.accept", name=row["name"], reason=reason)
    return f"{told['receipt']['code']}-{told['receipt']['number']}"
