"""`fepctl link`: the way to the platform; pause and resume."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import emit, facts, heading, lasting, say, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, reason
from fep.cli.ctl_status import link_line


@click.group("link", cls=Verbs, invoke_without_command=True,
             zh="上报通道：状态；pause 暂停、resume 恢复",
             en="the link: state; pause, resume")  # fmt: skip
@click.pass_context
def group(ctx: click.Context) -> None:
    """Show the link."""
    if ctx.invoked_subcommand is not None:
        return
    with reached() as desk:
        told = desk.call("link.status")
    emit(told, lambda: _show(told))


def _show(told: dict[str, Any]) -> None:
    if not told["links"]:
        click.echo(say("没有配置上报通道", "no destination is configured"))
    for row in told["links"]:
        oldest = when(row["oldest_due_at"])
        heading(row["dest"])
        facts([
            (say("状态", "state"), link_line(row, row["oldest_due_at"])),
            (say("最后收到", "last heard"), when(row["last_heard_at"])),
            (say("待报", "backlog"), say(f"{row['backlog']}，最早 {oldest}",
                                         f"{row['backlog']}, oldest {oldest}")),
            (say("未确认批次", "unacked batches"), str(row["unacked_batches"])),
            (say("被拒", "refused"), str(row["rejected"])),
            (say("离线累计", "offline in all"), lasting(row["offline_ms"])),
            (say("纪元", "epoch"), str(row["epoch"])),
        ], indent=2)  # fmt: skip
    live = told["live"]
    if isinstance(live, dict):
        heading(say("运行中的通道", "the running link"))
        facts([(name, str(value)) for name, value in live.items()], indent=2)


@group.command("pause", zh="暂停上报（开票不受影响）", en="stop sending; issuing goes on")
@reason()
def pause(reason: str) -> None:
    """Pause the link."""
    with reached("link pause") as desk:
        told = desk.call("link.pause", reason=reason)
    emit(told, lambda: click.echo(say("已暂停上报", "the link is paused")))


@group.command("resume", zh="恢复上报", en="send again")
@reason()
def resume(reason: str) -> None:
    """Resume the link."""
    with reached("link resume") as desk:
        told = desk.call("link.resume", reason=reason)
    emit(told, lambda: click.echo(say("已恢复上报", "the link is resumed")))
