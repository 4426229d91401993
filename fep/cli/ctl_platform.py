"""`fepctl link ask` and `fepctl numbers request`: questions and requests to the platform."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, emit, facts, heading, note, say, when
from fep.cli.common_reach import of, reached
from fep.cli.common_verbs import Verb, option, reason
from fep.domain.faults_desk import desk_refuse
from fep.domain.platform import QUESTIONS, Operation

POLL_S = 0.5
_OPERATIONS = [op.value for op in QUESTIONS]
_WORDS = {
    "CAPABILITIES": ("平台接口有哪些功能", "what the platform's dialect has"),
    "NOTICE": ("开缴款通知", "make a notice"), "NOTICE_VOID": ("作废缴款通知", "void a notice"),
    "PAYMENT": ("查缴款情况", "what became of a pay code"),
    "BY_PAY_CODE": ("按缴款码查票据", "the receipt of a pay code"),
    "ITEMS": ("可用收费项目", "items that may be charged"),
    "FILE": ("下载票据文件", "the receipt as a file"), "TIME": ("平台时间", "its time"),
}  # fmt: skip
_NAMES = {
    "dialect": ("方言", "dialect"), "has": ("有", "has"), "unsupported": ("没有", "has not"),
    "at_ms": ("时间", "time"),
}  # fmt: skip


@click.command("ask", cls=Verb, zh="问平台：功能、缴款通知、缴款情况、收费项目、文件、时间",
               en="ask the platform: what it can do, notices, payments, items, files")  # fmt: skip
@click.argument("operation", type=click.Choice(_OPERATIONS, case_sensitive=False))
@click.argument("pairs", metavar="[NAME=VALUE]…", nargs=-1)
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--wait", "wait_s", type=click.IntRange(0, 86_400), default=60, metavar="SECONDS",
        zh="最多等几秒（平台在网闸另一侧，可能较慢）",
        en="seconds to wait: the platform is behind the gate")  # fmt: skip
@option("--out", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE",
        zh="把应答中的文件（base64）存到此处，须由本机直接报送",
        en="write the file of the answer (base64) here; direct link only")  # fmt: skip
@reason()
def ask(operation: str, pairs: tuple[str, ...], unit: str, wait_s: int, out: Path | None,
        reason: str) -> None:  # fmt: skip
    """Ask, and wait for the answer a while; exit 1 without a good one."""
    if out is not None and operation.upper() != Operation.FILE.value:
        raise CliFault("CTL_USAGE", "--out 只用于 file", "--out goes with file")
    fields = dict(_pair(text) for text in pairs)
    with reached("link ask") as desk:
        told = desk.call("link.ask", operation=operation.upper(), unit=unit, fields=fields,
                         reason=reason, whole=out is not None)  # fmt: skip
        until = time.monotonic() + wait_s
        while told["state"] == "sent" and time.monotonic() < until:
            time.sleep(POLL_S)
            told = desk.call("link.asked", unit=unit, ask=told["ask"])
    facts = told.pop("facts", {})
    if out is not None and told["state"] == "applied":
        _keep(out, facts)
    emit(told, lambda: _show(operation.upper(), told))
    if told["state"] != "applied":
        sys.exit(1)


def _keep(out: Path, facts: dict[str, str]) -> None:
    """Write the longest member of an answer, decoded, readable by its owner only."""
    text = max(facts.values(), key=len, default="")
    try:
        content = base64.b64decode(text, validate=True)
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except ValueError as error:
        raise of(
            desk_refuse("CTL_FILE", path=out, why="not base64", why_zh="应答中没有文件")
        ) from error
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=out, why=error.strerror)) from error
    note(say(f"已写出 {len(content)} 字节到 {out}", f"{len(content)} bytes written to {out}"))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise CliFault("CTL_USAGE", f"应为 名称=值：{text}", f"NAME=VALUE, not {text}")
    return name, value


def _show(operation: str, told: dict[str, Any]) -> None:
    if told["state"] == "sent":
        note(say("平台还没有应答", "the platform has not answered yet"))
        return
    zh, en = _WORDS[operation]
    found = _members(told["detail"])
    if found is None:
        click.echo(f"{say(zh, en)}: {told['result']}  {told['detail']}")
        return
    heading(f"{say(zh, en)}  {told['result']}")
    facts([(say(*_NAMES.get(name, (name, name))), _value(name, value))
           for name, value in found.items()], indent=2)  # fmt: skip


def _members(detail: str) -> dict[str, Any] | None:
    """Return the members of an answer, None where it is words."""
    try:
        found = json.loads(detail)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found else None


def _value(name: str, value: object) -> str:
    if name == "at_ms" and str(value).isdecimal():
        return when(int(str(value)))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@click.command("request", cls=Verb, zh="向平台申请号码", en="ask the platform for numbers")
@option("--unit", required=True, zh="开票单位", en="unit")
@option("--code", required=True, metavar="8 digits", zh="票据代码（8 位）", en="code")
@option("--count", required=True, type=click.IntRange(1, 1_000_000), zh="数量", en="how many")
@reason()
def request(unit: str, code: str, count: int, reason: str) -> None:
    """Ask for numbers."""
    with reached("numbers request") as desk:
        told = desk.call("numbers.request", unit=unit, code=code, count=count, reason=reason)
    done = say(f"已申请 {count} 个号码", f"{count} numbers requested")
    known = say("上次的申请还没有结果，没有变化", "an earlier request is open; nothing changed")
    emit(told, lambda: click.echo(done if told["requested"] else known))


@click.command("rotate", cls=Verb, zh="更换通道密钥：公布 [link] next_cert；平台应答后改用新密钥",
               en="announce [link] next_cert; once it is answered the next key signs")  # fmt: skip
@reason()
def rotate(reason: str) -> None:
    """Rotate the node's key on the link; repeat it to see how far it is."""
    with reached("link rotate") as desk:
        told = desk.call("link.rotate", reason=reason)
    signs = say("新密钥已启用", "the next key signs")
    waits = say(f"等待平台应答（{told['state']}）", f"waits for the platform ({told['state']})")
    emit(told, lambda: click.echo(f"{told['serial']}  {signs if told['signs'] else waits}"))


@click.command("revoke", cls=Verb, zh="作废本机用过的通道证书（序列号，十六进制）",
               en="revoke a former certificate of this node (serial, hex)")  # fmt: skip
@click.argument("serial")
@reason()
def revoke(serial: str, reason: str) -> None:
    """Revoke a certificate."""
    with reached("link revoke") as desk:
        told = desk.call("link.revoke", serial=serial, reason=reason)
    done = say("已通知平台作废", "the platform is told")
    emit(told, lambda: click.echo(f"{told['serial']}  {done}"))
