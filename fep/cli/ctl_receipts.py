"""`fepctl receipts`: list, show, find, export."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from fep.cli.common import Column, emit, facts, heading, note, paint, say, table
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Lazy, Verbs, option, unmask
from fep.domain.printing import JOB_WORDS

_STATES = {"frozen": "待签名", "sealed": "已签名", "burned": "已作废",
           "reversing": "冲红中", "reversed": "已冲红"}  # fmt: skip
_UPLOADS = {"": "-", "due": "待报", "sent": "已发", "applied": "已入库", "rejected": "被拒",
            "conflict": "冲突", "closed": "已结案", "resent": "已重报"}  # fmt: skip
_OPS = {"ISSUE": ("上报", "delivery"), "RED": ("上报红字", "red receipt"),
        "PAPER": ("上报换开", "exchange"), "VOID_PAPER": ("上报纸票作废", "void sheet"),
        "VOID_BLANK": ("上报空白作废", "void blank"), "REQUEST": ("申请号码", "request"),
        "RETURN": ("退回号码", "return")}  # fmt: skip
_DAY = click.DateTime(["%Y-%m-%d"])
_PRINTS: dict[str, str] = {"": "-", **JOB_WORDS}
_COLUMNS = (
    Column("票据", "receipt", fold=False), Column("开票时间", "issued at", fold=False),
    Column("金额", "amount", right=True, fold=False), Column("交款人", "payer"),
    Column("状态", "state", fold=False), Column("上报", "delivery", fold=False),
    Column("打印", "paper", fold=False), Column("流水号", "key"),
)  # fmt: skip


_LIFE = "fep.cli.ctl_receipts_life"
_LAZY = {
    "import": Lazy("fep.cli.ctl_receipts_import", "command", "导入原系统开具的票据，使其可查",
                   "take in receipts of the former system, so that they are found"),
    "reverse": Lazy(_LIFE, "reverse", "冲红一张票据", "reverse a receipt as a whole"),
    "life": Lazy(_LIFE, "life", "冲红、纸质票、入账、核销情况",
                 "reversal, paper, booking, write-off"),
    "print": Lazy(_LIFE, "print_", "补打一张（有补打标记）", "print a marked copy"),
    "rejected": Lazy(_LIFE, "rejected", "平台拒收、等待处理的上报",
                     "deliveries the platform refused"),
    "accept": Lazy(_LIFE, "accept", "认可平台的拒收，结案", "take note of a refusal"),
    "retry": Lazy(_LIFE, "retry", "重新上报被拒收的内容", "send what was refused again"),
    "export-csv": Lazy("fep.cli.ctl_receipts_csv", "command", "把一段时间的票据导出为 CSV",
                       "write the receipts of a period as CSV"),
    "render": Lazy("fep.cli.ctl_render", "command", "把票据画成 PDF、图片或小票图片",
                   "draw a receipt as PDF, as pictures, or as its slip"),
}  # fmt: skip


@click.group("receipts", cls=Verbs, lazy=_LAZY,
             zh="票据：列出、查看、查找、导出、出图、冲红、补打、拒收处理",
             en="receipts: list, show, find, export, render, reverse, print, refusals")  # fmt: skip
def group() -> None:
    """Group the verbs."""


@group.command("list", zh="列出票据，新的在前", en="list receipts, newest first")
@option("--unit", default="", zh="开票单位", en="unit")
@option("--on", "day", type=_DAY, metavar="YYYY-MM-DD", zh="某一天", en="one business day")
@option("--from", "from_on", type=_DAY, metavar="YYYY-MM-DD", zh="起始日期", en="first day")
@option("--to", "to_on", type=_DAY, metavar="YYYY-MM-DD", zh="截止日期", en="last day")
@option("--state", type=click.Choice(["frozen", "sealed", "burned"]), default=None,
        zh="状态", en="state")  # fmt: skip
@option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True,
        zh="行数", en="rows")  # fmt: skip
@option("--before", type=int, default=0, metavar="N", zh="翻页游标", en="cursor of the next page")
@unmask()
def list_(unit: str, day: datetime | None, from_on: datetime | None, to_on: datetime | None,
          state: str | None, limit: int, before: int, unmask: str) -> None:  # fmt: skip
    """List receipts."""
    with reached() as desk:
        told = desk.call(
            "receipts.list", unit=unit, from_on=_on(day or from_on), to_on=_on(day or to_on),
            state=state or "", limit=limit, before=before,
            unmask=desk.grant(unmask, "receipts list"),
        )  # fmt: skip
    emit(told, lambda: _page(told))


def _on(day: datetime | None) -> str:
    return day.strftime("%Y-%m-%d") if day is not None else ""


def _page(told: dict[str, Any]) -> None:
    _rows(told["receipts"])
    if told["next"]:
        note(say(f"下一页：--before {told['next']}", f"next page: --before {told['next']}"))


def _rows(receipts: list[dict[str, Any]]) -> None:
    table(_COLUMNS, [
        (f"{row['code']}-{row['number']}", _short(row["issued_at"]), row["amount"],
         row["payer"], _lived(row), _word(_UPLOADS, row["upload"]),
         _word(_PRINTS, row["prints"]), row["key"])
        for row in receipts
    ], empty=say("没有票据", "no receipts"))  # fmt: skip


def _short(iso: str) -> str:
    """Shorten 2026-11-21T09:30:00+08:00: every time shown here is of +08:00."""
    return iso[:19].replace("T", " ")


def _word(words: dict[str, str], value: str) -> str:
    return say(words.get(value, value), value or "-")


def _state(value: str) -> str:
    word = _word(_STATES, value)
    return word if value == "sealed" else paint(word, "yellow")


def _lived(row: dict[str, Any]) -> str:
    """Return what became of a receipt, and that it is on paper."""
    word = _state(row["life"])
    return f"{word} {say('已换开', 'on paper')}" if row["sheet"] else word


@group.command("find", zh="按流水号、号码、票据编号或姓名开头查找",
               en="find by event key, number, code-number or beginning of the name")  # fmt: skip
@click.argument("text")
@option("--unit", default="", zh="开票单位", en="unit")
@option("--limit", type=click.IntRange(1, 1000), default=20, zh="行数", en="rows")
@unmask()
def find(text: str, unit: str, limit: int, unmask: str) -> None:
    """Find receipts."""
    with reached() as desk:
        told = desk.call("receipts.find", text=text, unit=unit, limit=limit,
                         unmask=desk.grant(unmask, "receipts find"))  # fmt: skip
        if not told["receipts"]:
            told["imported"] = desk.call("imports.find", text=text)["receipts"]
    emit(told, lambda: _found(told))


def _found(told: dict[str, Any]) -> None:
    """Show what was found here, else what the former system issued."""
    if not told.get("imported"):
        _rows(told["receipts"])
        return
    table(
        (Column("票据", "receipt", fold=False), Column("流水号", "key"), Column("交款人", "payer"),
         Column("金额", "amount", right=True), Column("状态", "state")),
        [(f"{one['code']}-{one['number']}", one["key"], one["payer"],
          f"{one['amount_fen'] // 100}.{one['amount_fen'] % 100:02d}",
          say("原系统开具", "former system") if one["state"] == "normal"
          else say("原系统开具，已冲红", "former system, reversed"))
         for one in told["imported"]],
        empty="",
    )  # fmt: skip


@group.command("show", zh="查看一张票据的全部情况", en="show everything about one receipt")
@click.argument("name", metavar="CODE-NUMBER")
@unmask()
def show(name: str, unmask: str) -> None:
    """Show a receipt."""
    with reached() as desk:
        told = desk.call("receipts.show", name=name, unmask=desk.grant(unmask, "receipts show"))
        told["life"] = desk.call("receipts.life", name=name)["life"]
    emit(told, lambda: _story(told))


def _story(told: dict[str, Any]) -> None:
    face = told["face"]
    heading(f"{told['code']}-{told['number']}  {face['name']}")
    signed, supervised = told["signature"], told["supervision"]
    facts([
        (say("状态", "state"), _standing(told)),
        (say("校验码", "check code"), told["check_code"]),
        (say("开票时间", "issued at"), _short(told["issued_at"])),
        (say("金额", "amount"), told["amount"]),
        (say("交款人", "payer"), f"{told['payer']}  {face['payer_code']}".strip()),
        (say("开票单位", "unit"), f"{told['unit']}  {face['party']}  {told['point']}"),
        (say("开票人/复核人", "author/checker"), f"{face['cashier']} / {face['checker']}"),
        (say("流水号", "event key"), f"{told['key']}  ({told['caller']})"),
        (say("单位签名", "unit signature"), _signed(signed)),
        (say("财政监制签名", "supervision"), _signed(supervised)),
    ])  # fmt: skip
    if "burned" in told:
        gone = told["burned"]
        words = (_short(gone["at"]), gone["reason"], gone["evidence"])
        facts([(say("空号核销", "burned"), "  ".join(words))])
    _items(face)
    _effects(told)


def _standing(told: dict[str, Any]) -> str:
    """Return the state of a receipt with what became of it: reversal, paper, booking."""
    life, words = told["life"], [_state(told["state"])]
    if life["red"]:
        words.append(paint(say("已冲红，红字票据 ", "reversed by ") + _ref(life["red"]), "yellow"))
    if life["blue"]:
        words.append(paint(say("红字票据，原票据 ", "red receipt of ") + _ref(life["blue"]), "red"))
    if life["sheet"]:
        words.append(say("已换开纸质票 ", "exchanged for sheet ") + life["sheet"])
    if life["booking"] == "yes":
        words.append(say("已入账", "booked"))
    if life["written_off"]:
        words.append(say("已核销", "written off"))
    if life["message"] != "unknown":
        told = life["message"] == "delivered"
        words.append(say("已通知交款人", "payer told") if told
                     else say("通知未送达", "message failed"))  # fmt: skip
    return "  ".join(words)


def _ref(named: dict[str, str]) -> str:
    return f"{named['code']}-{named['number']}"


def _signed(signed: dict[str, Any] | None) -> str:
    if signed is None:
        return say("尚无", "not yet")
    said = f"{_short(signed['signed_at'])}  {say('证书', 'certificate')} {signed['cert_serial']}"
    return f"{said}  {say('验不通过', 'NOT good')}" if signed.get("doubt") else said


def _items(face: dict[str, Any]) -> None:
    table(
        (Column("编码", "code"), Column("项目", "item"), Column("数量", "quantity", right=True),
         Column("单位", "unit"), Column("金额", "amount", right=True)),
        [(item["code"], item["name"], item["number"], item["unit"], item["amount"])
         for item in face["items"]],
        empty=say("没有项目", "no items"),
    )  # fmt: skip
    if face["details"]:
        note(say(f"另有明细 {face['details']} 行", f"and {face['details']} detail lines"))


def _effects(told: dict[str, Any]) -> None:
    from fep.cli.common import when

    rows: list[tuple[str, str]] = []
    for row in told["uploads"]:
        words = [_word(_UPLOADS, row["state"]), row["dest"], when(row["updated_at"]),
                 row["result"], row["detail"]]  # fmt: skip
        label = say(*_OPS.get(row["op"], (row["op"], row["op"])))
        rows.append((label, "  ".join(word for word in words if word)))
    for job in told["prints"]:
        words = [say(f"任务 {job['id']}", f"job {job['id']}"),
                 _word(_PRINTS, job["state"]), job["device"],
                 say(f"第 {job['copy']} 份", f"copy {job['copy']}"), when(job["updated_at"]),
                 job["reason"]]  # fmt: skip
        rows.append((say("打印", "paper"), "  ".join(word for word in words if word)))
    facts(rows)


@group.command("export", zh="导出签名原文、签名、证书和完整 XML",
               en="export the signed original, signature, certificate and XML")  # fmt: skip
@click.argument("name", metavar="CODE-NUMBER")
@option("--dir", "directory", required=True, type=click.Path(path_type=Path, file_okay=False),
        zh="目标目录", en="where to write")  # fmt: skip
def export(name: str, directory: Path) -> None:
    """Write the files of one receipt."""
    from fep.cli.ctl_export import write

    with reached() as desk:
        told = desk.call("receipts.export", name=name)
    written = write(told, directory)
    answer = {"name": told["name"], "dir": str(directory), "files": written}
    emit(answer, lambda: _exported(directory, written))


def _exported(directory: Path, written: list[str]) -> None:
    for file in written:
        click.echo(directory / file)
    how = directory / "VERIFY.txt"
    note(say(f"核对方法见 {how}", f"how to verify: {how}"))
