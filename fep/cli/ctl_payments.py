"""`fepctl payments`: money taken at terminals, unknown outcomes, settlements."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, paint, say, table
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verb, Verbs, option, reason

_STATES = {
    "created": "准备中", "sent": "已发出", "acked": "终端已受理", "approved": "已扣款",
    "declined": "被拒绝", "cancelled": "已取消", "not_sent": "未发出", "unknown": "结果未知",
}  # fmt: skip
_OPS = {"pay": "收款", "void": "撤销", "refund": "退货"}
_TERMINALS = {"ready": "就绪", "busy": "交易中", "recovering": "查询未知交易", "fault": "故障",
              "stopped": "停止"}  # fmt: skip


@click.group("payments", cls=Verbs, zh="POS 支付：列出、查看、查询、结算、终端",
             en="payments at terminals: list, show, inquire, settle, terminals")  # fmt: skip
def group() -> None:
    """Group the verbs of payments."""


@group.command("list", zh="支付，新的在前；可只列没有票据的", en="payments, newest first")
@option("--state", default="", type=click.Choice(["", *_STATES]), zh="只看一种状态",
        en="one state only")  # fmt: skip
@option("--terminal", default="", zh="只看一台终端", en="one terminal only")
@option("--without-receipt", is_flag=True, zh="已扣款但没有票据的",
        en="money taken for which there is no receipt")  # fmt: skip
@option("--limit", type=click.IntRange(1, 500), default=50, zh="行数", en="rows")
def list_(state: str, terminal: str, without_receipt: bool, limit: int) -> None:
    """List payments."""
    with reached() as desk:
        told = desk.call("payments.list", state=state, terminal=terminal, limit=limit,
                         without_receipt=without_receipt)  # fmt: skip
    emit(told, lambda: rows_of(told["payments"]))


def rows_of(payments: list[dict[str, Any]]) -> None:
    """Print payments as a table."""
    table(
        (Column("编号", "id", right=True), Column("支付键", "key"), Column("类型", "op"),
         Column("终端", "terminal"), Column("金额", "amount", right=True),
         Column("状态", "state", fold=False), Column("原因", "fault"),
         Column("卡号", "card", fold=False), Column("参考号", "ref"),
         Column("时间", "at", fold=False)),
        [(str(row["id"]), row["key"], say(_OPS[row["op"]], row["op"]), row["terminal"],
          row["amount"], _state(row["state"]), row["fault"] or "-", row["card"] or "-",
          row["ref"] or "-", row["created_at"][:19].replace("T", " ")) for row in payments],
        empty=say("没有", "none"),
    )  # fmt: skip


def _state(state: str) -> str:
    word = say(_STATES[state], state)
    return paint(word, {"approved": "green", "unknown": "red"}.get(state, "yellow"))


@group.command("show", zh="查看一笔支付", en="one payment and what is known of it")
@click.argument("payment", type=int, metavar="ID")
def show(payment: int) -> None:
    """Show a payment."""
    with reached() as desk:
        told = desk.call("payments.show", payment=payment)
    emit(told, lambda: _facts(told["payment"]))


def _facts(row: dict[str, Any]) -> None:
    for zh, en, value in (
        ("支付键", "key", f"{row['unit']} {row['key']}"),
        ("类型", "op", f"{say(_OPS[row['op']], row['op'])} {row['way']}"),
        ("终端", "terminal", row["terminal"]), ("流水号", "serial", row["serial"]),
        ("金额", "amount", row["amount"]), ("状态", "state", _state(row["state"])),
        ("票据业务键", "receipt key", row["receipt_key"]), ("卡号", "card", row["card"]),
        ("批次/凭证号", "batch/trace", f"{row['batch']} {row['trace']}".strip()),
        ("参考号", "reference", row["ref"]), ("授权号", "authorised", row["auth"]),
        ("主机应答", "host", f"{row['host_code']} {row['text']}".strip()),
        ("操作员", "operator", row["operator"]), ("开始", "begun", row["created_at"]),
        ("结束", "ended", row["ended_at"] or ""),
        ("说明", "what now", f"{row['fault']} {say(row['zh'], row['en'])}".strip()),
    ):  # fmt: skip
        if value:
            click.echo(f"{say(zh, en):<12}  {value}")


@group.command("terminals", zh="终端和最近的结算", en="the terminals and the newest settlements")
def terminals() -> None:
    """List terminals and settlements."""
    with reached() as desk:
        told = desk.call("payments.terminals")
    emit(told, lambda: _terminals(told))


def _terminals(told: dict[str, Any]) -> None:
    table(
        (Column("终端", "terminal"), Column("组", "group"), Column("驱动", "driver"),
         Column("地址", "address", fold=False), Column("状态", "state", fold=False),
         Column("故障", "fault"), Column("排队", "waiting", right=True),
         Column("未知", "unknown", right=True)),
        [(row["id"], row["group"], row["driver"], row["address"],
          say(_TERMINALS[row["state"]], row["state"]), row["fault"] or "-",
          str(row["waiting"]), str(row["unknown"])) for row in told["terminals"]],
        empty=say("没有运行中的终端", "no terminal is running"),
    )  # fmt: skip
    if told["settlements"]:
        _settlements(told["settlements"])


def _settlements(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("终端", "terminal"), Column("批次", "batch"), Column("时间", "at", fold=False),
         Column("终端笔数", "count", right=True), Column("终端金额", "amount", right=True),
         Column("我方笔数", "ours", right=True), Column("我方金额", "our amount", right=True),
         Column("结果", "result", fold=False)),
        [(row["terminal"], row["batch"], row["at"][:19].replace("T", " "), str(row["count"]),
          row["amount"], str(row["our_count"]), row["our_amount"],
          paint(say("一致", "fits"), "green") if row["fits"]
          else paint(say("不符", "differs"), "red")) for row in rows],
        empty=say("没有结算", "no settlement"),
    )  # fmt: skip


@group.command("inquire", zh="再向终端查询一笔结果未知的支付",
               en="ask the terminal for an unknown payment")  # fmt: skip
@click.argument("payment", type=int, metavar="ID")
@reason()
def inquire(payment: int, reason: str) -> None:
    """Inquire a payment."""
    with reached("payments inquire") as desk:
        told = desk.call("payments.inquire", payment=payment, reason=reason)
    emit(told, lambda: _facts(told["payment"]))


@group.command("settle", zh="结算一台终端的批次，并与我方核对",
               en="close a terminal's batch and compare it with our books")  # fmt: skip
@click.argument("terminal")
@reason()
def settle(terminal: str, reason: str) -> None:
    """Settle a terminal."""
    with reached("payments settle") as desk:
        told = desk.call("payments.settle", terminal=terminal, reason=reason)
    emit(told, lambda: _settlements([told["settlement"]]))


@click.command("payment", cls=Verb, zh="两个人共同说明一笔结果未知的支付",
               en="two people say what became of an unknown payment")  # fmt: skip
@click.argument("payment", type=int, metavar="ID")
@option("--charged", is_flag=True, zh="已扣款", en="the payer was charged")
@option("--not-charged", is_flag=True, zh="没有扣款", en="the payer was not charged")
@option("--approve", multiple=True, required=True, metavar="NAME", zh="同意的人，写两次",
        en="who approves; give it twice")  # fmt: skip
@reason()
def resolve_payment(payment: int, charged: bool, not_charged: bool, approve: tuple[str, ...],
                    reason: str) -> None:  # fmt: skip
    """Say what became of a payment."""
    if charged == not_charged:
        raise CliFault("CTL_USAGE", "请在 --charged 与 --not-charged 中选一个",
                       "Choose one of --charged and --not-charged")  # fmt: skip
    with reached("resolve payment") as desk:
        told = desk.call("payments.say", payment=payment, charged=charged, reason=reason,
                         approve=list(approve))  # fmt: skip
    emit(told, lambda: _facts(told["payment"]))
