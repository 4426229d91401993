"""`fepctl link`: the way to the platform; pause and resume."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import emit, facts, heading, lasting, say, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, reason
from fep.cli.ctl_link_batches import VERBS
from fep.cli.ctl_link_refused import accept, rejected, retry, reverse
from fep.cli.ctl_platform import ask, revoke, rotate
from fep.cli.ctl_status import state_line

HEARD = ("online", "degraded")


@click.group("link", cls=Verbs, invoke_without_command=True,
             zh="上报通道：状态；pause 暂停、resume 恢复",
             en="the link: state; pause, resume")  # fmt: skip
@click.pass_context
def group(ctx: click.Context) -> None:
    """Show the link."""
    if ctx.invoked_subcommand is not None:
        return
    _ask()


@group.command("status", zh="通道状态（同 fepctl link）", en="the state, as fepctl link")
def status() -> None:
    """Show the link."""
    _ask()


def _ask() -> None:
    with reached() as desk:
        told = desk.call("link.status")
        told["outlook"] = desk.call("link.outlook")
    emit(told, lambda: _show(told))


def _show(told: dict[str, Any]) -> None:
    if not told["links"]:
        click.echo(say("没有配置上报通道", "no destination is configured"))
    for row in told["links"]:
        heading(row["dest"])
        facts([
            (say("状态", "state"), state_line(row)),
            (say("最后收到", "last heard"), when(row["last_heard_at"])),
            (say("待报", "backlog"), _backlog(row)),
            (say("未确认批次", "unacked batches"), str(row["unacked_batches"])),
            (say("被拒", "refused"), str(row["rejected"])),
            (say("已离线", "offline for"),
             "-" if row["state"] in HEARD else lasting(row["offline_ms"])),
            (say("纪元", "epoch"), str(row["epoch"])),
            *_live(row.get("live")),
        ], indent=2)  # fmt: skip
    _outlook(told["outlook"])


def _backlog(row: dict[str, Any]) -> str:
    """Return how many wait, since when and how old the oldest of them is."""
    count, live = row["backlog"], row.get("live")
    if not count or not row["oldest_due_at"]:
        return str(count)
    oldest = when(row["oldest_due_at"])
    if live is None:
        return say(f"{count}，最早 {oldest}", f"{count}, oldest {oldest}")
    age = lasting(int(live["oldest_age_s"] * 1000))
    return say(f"{count}，最早 {oldest}（{age}前）", f"{count}, oldest {oldest} ({age} ago)")


def _outlook(told: dict[str, Any]) -> None:
    """Show how long things last, the sentence a technician is asked for first."""
    heading(say("展望", "outlook"))
    empty, numbers, quota = told["empty_in_s"], told["numbers_days"], told["quota_days"]
    facts([
        (say("积压清空", "backlog empty"),
         say("尚不可知（通道未在上报）", "unknown, nothing moves") if empty is None
         else lasting(empty * 1000)),
        (say("号码可用", "numbers last"),
         say("无用量", "not used lately") if numbers is None
         else say(f"{numbers} 天", f"{numbers} days")),
        (say("离线额度可用", "offline quota lasts"),
         say("不限", "no limit") if quota is None else say(f"{quota} 天", f"{quota} days")),
    ], indent=2)  # fmt: skip


def _live(live: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return what only the running link knows."""
    if live is None:
        return []
    offset = live["platform_offset_ms"] / 1000
    return [
        (say("每秒入库", "applied per s"), f"{live['applied_per_s']:.1f}"),
        (say("隔离文件", "files set aside"), str(live["quarantined"])),
        (say("监制签名不符", "bad supervision"), _bad(live)),
        (say("平台时钟差", "platform clock"), f"{offset:+.1f} s"),
        (say("人工暂停", "paused"), say("是", "yes") if live["paused"] else say("否", "no")),
    ]


def _bad(live: dict[str, Any]) -> str:
    count = live.get("supervision_bad", 0)
    return f"{count}  {live['supervision_bad_last']}" if count else "0"


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


for _verb in (rejected, retry, reverse, accept, ask, rotate, revoke, *VERBS):
    group.add_command(_verb)
