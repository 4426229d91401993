"""`fepctl fence`: why nothing is issued, and how two people go on."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import emit, facts, paint, say, sentence
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, option, reason


@click.group("fence", cls=Verbs, invoke_without_command=True,
             zh="停止开票状态：原因；lift 两人解除",
             en="the fence: why; lift by two people")  # fmt: skip
@click.pass_context
def group(ctx: click.Context) -> None:
    """Show the fence."""
    if ctx.invoked_subcommand is not None:
        return
    with reached() as desk:
        told = desk.call("fence.status")
    emit(told, lambda: _show(told))


def _show(told: dict[str, Any]) -> None:
    fault = told["fault"]
    if fault is not None:
        word = f"{paint(fault['code'], 'red')}  {sentence(fault['zh'], fault['en'])}"
    elif told["fenced"]:
        word = paint(told["fenced"], "red")
    else:
        word = paint(say("未停止", "open"), "green")
    epoch = say(f"第 {told['epoch']} 代", f"epoch {told['epoch']}")
    facts([
        (say("开票", "issuing"), word),
        (say("数据标识", "store"), f"{told['instance'] or '-'}  {epoch}"),
        (say("见证目录", "witness"), told["witness"] or "-"),
    ])  # fmt: skip


@group.command("lift", zh="两人批准：核销全部在用号段，从新号段继续开票",
               en="by two people: burn all open blocks, go on from new ones")  # fmt: skip
@reason()
@option("--approve", required=True, multiple=True, metavar="NAME",
        zh="批准人，写两次，两个不同的人",
        en="who approves; twice, two different people")  # fmt: skip
def lift(reason: str, approve: tuple[str, ...]) -> None:
    """Lift the fence."""
    with reached("fence lift") as desk:
        told = desk.call("fence.lift", reason=reason, approve=list(approve))
    done = told["lifted"]

    def show() -> None:
        click.echo(say(f"已解除，进入第 {done['epoch']} 代。核销号段 {done['blocks']} 个、"
                       f"号码 {done['numbers']} 个；待人确认的打印 {done['prints']} 张。",
                       f"Lifted, epoch {done['epoch']}. {done['blocks']} blocks with"
                       f" {done['numbers']} numbers burned; {done['prints']} prints wait for a"
                       " person."))  # fmt: skip
        click.echo(f"  → {say('申领新号段或', 'have a block granted or')} "
                   "fepctl numbers import / open-reserve")  # fmt: skip

    emit(told, show)
