"""`fepctl payments`: money taken at terminals, unknown outcomes, settlements."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, facts, paint, say, table
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verb, Verbs, option, reason
from fep.domain.payment import PAYMENT_WORDS

_STATES = {state.value: word for state, word in PAYMENT_WORDS.items()}
_OPS = {"pay": "收款", "void": "撤销", "refund": "退货"}
_TERMINALS = {"ready": "就绪", "busy": "交易中", "recovering": "查询未知交易", "fault": "故障",
              "stopped": "停止"}  # fmt: skip
_WAYS = {"card": "刷卡", "scan": "扫付款码", "show": "出示二维码"}
_WHY = {"none": "还没有票据", "reversed": "票据已冲红，款未退", "untied": "没有写明业务键"}
_WHY_EN = {"none": "no receipt yet", "reversed": "reversed, not given back",
           "untied": "no event named"}  # fmt: skip


@click.group("payments", cls=Verbs, zh="POS 支付：列出、查看、查询、结算、重打印、终端",
             en="payments at terminals: list, show, inquire, settle, reprint")  # fmt: skip
def group() -> None:
    """Group the verbs of payments."""


@group.command("list", zh="支付，新的在前；可只列没有票据的", en="payments, newest first")
@option("--state", default="", type=click.Choice(["", *_STATES]), zh="只看一种状态",
        en="one state only")  # fmt: skip
@option("--terminal", default="", zh="只看一台终端", en="one terminal only")
@option("--receipt-key", default="", metavar="KEY", zh="只看一个业务单", en="one event only")
@option("--without-receipt", is_flag=True, zh="已扣款但没有有效票据的",
        en="money taken for which no receipt stands")  # fmt: skip
@option("--limit", type=click.IntRange(1, 500), default=50, zh="行数", en="rows")
def list_(state: str, terminal: str, receipt_key: str, without_receipt: bool,
          limit: int) -> None:  # fmt: skip
    """List payments."""
    with reached() as desk:
        told = desk.call("payments.list", state=state, terminal=terminal, limit=limit,
                         receipt_key=receipt_key, without_receipt=without_receipt)  # fmt: skip
    emit(told, lambda: (loose_of if without_receipt else rows_of)(told["payments"]))


def loose_of(payments: list[dict[str, Any]]) -> None:
    """Print money without a receipt, and what can be done about it."""
    table(
        (Column("编号", "id", right=True), Column("支付键", "key"),
         Column("业务键", "event"), Column("终端", "terminal"),
         Column("未退金额", "kept", right=True), Column("原因", "why", fold=False),
         Column("卡号", "card", fold=False), Column("时间", "at", fold=False)),
        [(str(row["id"]), row["key"], row["receipt_key"] or "-", row["terminal"], row["left"],
          say(_WHY[row["why"]], _WHY_EN[row["why"]]), row["card"] or "-", _at(row["created_at"]))
         for row in payments],
        empty=say("没有", "none"),
    )  # fmt: skip
    if payments:
        click.echo(say(
            "补开票据（业务键相同），或退款、改挂另一业务单：",
            "Issue the receipt (same event key), or give it back, or name its event:",
        ))  # fmt: skip
        click.echo("    → fepctl payments back ID --reason TEXT")
        click.echo("    → fepctl payments tie ID --receipt-key KEY --reason TEXT")


def _at(text: str) -> str:
    return text[:19].replace("T", " ")


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
          row["ref"] or "-", _at(row["created_at"])) for row in payments],
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
    facts((say(zh, en), str(value)) for zh, en, value in (
        ("支付键", "key", f"{row['unit']} {row['key']}"),
        ("类型", "op", f"{say(_OPS[row['op']], row['op'])} {say(_WAYS[row['way']], row['way'])}"),
        ("终端", "terminal", row["terminal"]), ("流水号", "serial", row["serial"]),
        ("金额", "amount", row["amount"]), ("状态", "state", _state(row["state"])),
        ("票据业务键", "receipt key", row["receipt_key"]), ("卡号", "card", row["card"]),
        ("批次/凭证号", "batch/trace", f"{row['batch']} {row['trace']}".strip()),
        ("参考号", "reference", row["ref"]), ("授权号", "authorised", row["auth"]),
        ("主机应答", "host", f"{row['host_code']} {row['text']}".strip()),
        ("操作员", "operator", row["operator"]), ("业务系统", "caller", row["caller"]),
        ("开始", "begun", _at(row["created_at"])), ("结束", "ended", _at(row["ended_at"] or "")),
        ("已结算", "settled", say("是", "yes") if row["settled"] else ""),
        ("说明", "what now", f"{row['fault']} {say(row['zh'], row['en'])}".strip()),
    ) if value)  # fmt: skip


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
         Column("终端退货", "refunds", right=True), Column("我方退货", "our refunds", right=True),
         Column("结果", "result", fold=False)),
        [(row["terminal"], row["batch"], _at(row["at"]), _told(row["count"]),
          _told(row["amount"]), str(row["our_count"]), row["our_amount"],
          _told(row["refunded"]), row["our_refunded"], _result(row)) for row in rows],
        empty=say("没有结算", "no settlement"),
    )  # fmt: skip


def _one(verb: str, method: str, **params: Any) -> None:
    """Do something to one payment, and show what it is then."""
    with reached(verb) as desk:
        told = desk.call(method, **params)
    emit(told, lambda: _facts(told["payment"]))


def _told(value: Any) -> str:
    return "-" if value is None else str(value)


def _result(row: dict[str, Any]) -> str:
    if row["count"] is None:
        return paint(say("终端未告知", "not told"), "yellow")
    if row["fits"]:
        return paint(say("一致", "fits"), "green")
    return paint(say("不符", "differs"), "red")


@group.command("sign-in", zh="让终端就绪：查清未知、签到、批次满则结算",
               en="make a terminal ready: inquire, sign in, settle a full batch")  # fmt: skip
@click.argument("terminal")
@reason()
def sign_in(terminal: str, reason: str) -> None:
    """Sign a terminal in."""
    with reached("payments sign-in") as desk:
        told = desk.call("payments.sign_in", terminal=terminal, reason=reason)
    emit(told, lambda: _terminals(told))


@group.command("reprint", zh="让终端重打一笔支付的签购单",
               en="have the terminal print the slip of a payment again")  # fmt: skip
@click.argument("payment", type=int, metavar="ID")
@reason()
def reprint(payment: int, reason: str) -> None:
    """Reprint a slip."""
    with reached("payments reprint") as desk:
        told = desk.call("payments.reprint", payment=payment, reason=reason)
    emit(told, lambda: click.echo(say("终端已重打印", "The terminal prints it again")))


@group.command("back", zh="退还一笔已扣款的支付：未结算撤销，已结算退货",
               en="give a payment back: void it, or refund it once settled")  # fmt: skip
@click.argument("payment", type=int, metavar="ID")
@option("--amount", default="", metavar="YUAN", zh="只退一部分（元）；不写则退还余下全部",
        en="a part only, in yuan; without it all that is left")  # fmt: skip
@reason()
def back(payment: int, amount: str, reason: str) -> None:
    """Give a payment back."""
    _one("payments back", "payments.back", payment=payment, amount=amount, reason=reason)


@group.command("tie", zh="说明一笔已扣款的支付属于哪个业务单",
               en="say for which event the money of a payment is")  # fmt: skip
@click.argument("payment", type=int, metavar="ID")
@option("--receipt-key", required=True, metavar="KEY", zh="票据业务键", en="key of the event")
@reason()
def tie(payment: int, receipt_key: str, reason: str) -> None:
    """Tie a payment to an event."""
    _one("payments tie", "payments.tie", payment=payment, receipt_key=receipt_key, reason=reason)


@group.command("inquire", zh="再向终端查询一笔结果未知的支付",
               en="ask the terminal for an unknown payment")  # fmt: skip
@click.argument("payment", type=int, metavar="ID")
@reason()
def inquire(payment: int, reason: str) -> None:
    """Inquire a payment."""
    _one("payments inquire", "payments.inquire", payment=payment, reason=reason)


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
    _one("resolve payment", "payments.say", payment=payment, charged=charged, reason=reason,
         approve=list(approve))  # fmt: skip
