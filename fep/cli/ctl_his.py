"""`fepctl his trace`: look over a business system's shoulder, live and masked."""

from __future__ import annotations

import json
import threading
from typing import Any

import click

from fep.cli.common import note, paint, say, wants_json, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, option

PAUSE_S = 0.4


@click.group("his", cls=Verbs, zh="业务系统的收发：trace 实时查看（已脱敏）",
             en="a business system's traffic: trace shows it live, masked")  # fmt: skip
def group() -> None:
    """Group the verbs."""


@group.command(
    "trace", zh="实时显示一个业务系统收发的内容（已脱敏），Ctrl-C 结束",
    en="show live, masked, what a business system sends and gets; Ctrl-C ends",
)  # fmt: skip
@click.argument("caller", metavar="APPID")
@option("--seconds", type=float, default=0.0, zh="多少秒后结束，0 为不限",
        en="end after so many seconds, 0 is never")  # fmt: skip
@option("--count", type=click.IntRange(0), default=0, zh="多少条后结束，0 为不限",
        en="end after so many messages, 0 is never")  # fmt: skip
def trace(caller: str, seconds: float, count: int) -> None:
    """Show a caller's traffic; with --json one object a line."""
    since, shown, waited = 0, 0, 0.0
    pause = threading.Event()
    with reached("his trace") as desk:
        if not wants_json():
            note(
                say(
                    f"正在跟踪 {caller}，个人信息与密钥不显示，Ctrl-C 结束",
                    f"tracing {caller}; persons and keys are not shown; Ctrl-C ends",
                )
            )
        while True:
            told = desk.call("his.trace", appid=caller, since=since)
            since = told["cursor"]
            if told["missed"]:
                note(say(f"… 太快，漏了 {told['missed']} 条", f"… {told['missed']} were missed"))
            for entry in told["entries"]:
                _show(entry)
                shown += 1
                if count and shown >= count:
                    return
            if seconds and waited >= seconds:
                return
            pause.wait(PAUSE_S)
            waited += PAUSE_S


def _show(entry: dict[str, Any]) -> None:
    if wants_json():
        click.echo(json.dumps(entry, ensure_ascii=False))
        return
    arrow, colour = ("→", "cyan") if entry["direction"] == "in" else ("←", "green")
    said = entry["said"]
    fault = said.get("fault") or said.get("result", "S0000") if isinstance(said, dict) else ""
    if fault and fault != "S0000":
        colour = "red"
    head = f"{when(entry['at'])}  {entry['door']:<8} {paint(arrow, colour)} {entry['method']}"
    click.echo(f"{head}\n    {json.dumps(said, ensure_ascii=False)}")
