"""`fepctl clock`: our time beside the platform's, and a person's word that it is right."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import emit, facts, lasting, paint, say, sentence, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, reason


@click.group("clock", cls=Verbs, invoke_without_command=True,
             zh="时钟：本机与平台；confirm 确认",
             en="the clock: ours and the platform's; confirm")  # fmt: skip
@click.pass_context
def group(ctx: click.Context) -> None:
    """Show the clock."""
    if ctx.invoked_subcommand is not None:
        return
    with reached() as desk:
        told = desk.call("clock.status")
    emit(told, lambda: _show(told))


def _show(told: dict[str, Any]) -> None:
    offset = told["offset_ms"]
    theirs = when(told["platform"], empty=say("未知", "unknown"))
    rows = [(say("本机", "ours"), when(told["now"])), (say("平台", "platform"), theirs)]
    if offset is not None:
        rows.append((say("平台减本机", "platform - ours"), f"{offset / 1000:+.1f} s"))
    step = told["last_step"]
    if step is not None:
        sign = "-" if step["ms"] < 0 else "+"
        far = f"{when(step['at'])}  {sign}{lasting(abs(step['ms']))}"
        rows.append((say("最近跳动", "last step"), far))
    fault = told["fault"]
    if fault is not None:
        why = f"{paint(fault['code'], 'red')}  {sentence(fault['zh'], fault['en'])}"
        rows.append((say("停止开票", "stopped"), why))
    facts(rows)


@group.command(
    "confirm", zh="确认时钟已正确，继续开票", en="say that the clock is right; issue again"
)
@reason()
def confirm(reason: str) -> None:
    """Confirm the clock."""
    with reached("clock confirm") as desk:
        told = desk.call("clock.confirm", reason=reason)
    emit(told, lambda: click.echo(say("已确认，继续开票", "confirmed, issuing goes on")))
