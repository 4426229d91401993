"""`fepctl resolve`: outcomes that wait for a person."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, heading, say, table, when
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Lazy, Verbs, option, reason
from fep.cli.ctl_payments import rows_of
from fep.cli.ctl_receipts_life import OPS

_REFUSED = {"rejected": "被拒", "conflict": "冲突"}


@click.group("resolve", cls=Verbs, invoke_without_command=True,
             lazy={"payment": Lazy("fep.cli.ctl_payments", "resolve_payment",
                                   "两个人共同说明一笔结果未知的支付",
                                   "two people say what became of an unknown payment")},
             zh="结果不明的事项；print 说明某张纸的结果，payment 说明一笔支付的结果",
             en="unknown outcomes; tell what became of a sheet or a payment")  # fmt: skip
@click.pass_context
def resolve(ctx: click.Context) -> None:
    """List unknown outcomes."""
    if ctx.invoked_subcommand is not None:
        return
    with reached() as desk:
        told = desk.call("resolve.list")
    emit(told, lambda: _unknown(told))


def _unknown(told: dict[str, Any]) -> None:
    prints, uploads = told["prints"], told["uploads"]
    heading(say(f"打印结果不确定 {len(prints)} 张", f"{len(prints)} uncertain prints"))
    table(
        (Column("编号", "id", right=True), Column("票据", "receipt", fold=False),
         Column("设备", "device"), Column("份", "copy", right=True), Column("时间", "at"),
         Column("原因", "reason")),
        [(str(row["id"]), row["ref"], row["device"] or row["device_group"], str(row["copy"]),
          when(row["updated_at"]), row["reason"] or "-") for row in prints],
        empty=say("没有", "none"),
    )  # fmt: skip
    if prints:
        one = prints[0]["id"]
        click.echo(say("  请看纸再说明：", "  Look at the paper, then say:"))
        click.echo(f"    → fepctl resolve print {one} --printed --reason TEXT")
        click.echo(f"    → fepctl resolve print {one} --reprint --reason TEXT")
    if told["forms"]:
        count = len(told["forms"])
        heading(say(f"套打结果不明 {count} 张", f"{count} sheets nobody knows about"))
        from fep.cli.ctl_forms_paper import rows_of as form_rows

        form_rows(told["forms"])
    heading(say(f"平台拒收 {len(uploads)} 条", f"{len(uploads)} refused by the platform"))
    table(
        (Column("票据/纸质票", "receipt or sheet", fold=False), Column("内容", "record"),
         Column("平台", "destination"), Column("状态", "state"), Column("结果", "result"),
         Column("说明", "detail"), Column("时间", "at")),
        [(row["ref"], say(OPS.get(row["op"], row["op"]), row["op"]), row["dest"],
          say(_REFUSED.get(row["state"], row["state"]), row["state"]), row["result"], row["detail"],
          when(row["updated_at"])) for row in uploads],
        empty=say("没有", "none"),
    )  # fmt: skip
    if uploads:
        one = uploads[0]["ref"]
        click.echo(f"    → fepctl receipts retry {one} --reason TEXT")
        click.echo(f"    → fepctl receipts accept {one} --reason TEXT")
        click.echo("    → fepctl link rejected")
    heading(say(f"支付结果未知 {len(told['payments'])} 笔（请勿重复刷卡）",
                f"{len(told['payments'])} unknown payments: do not charge again"))  # fmt: skip
    rows_of(told["payments"])
    if told["payments"]:
        one = told["payments"][0]["id"]
        click.echo(f"    → fepctl payments inquire {one} --reason TEXT")
        click.echo(f"    → fepctl resolve payment {one} --charged --approve A --approve B"
                   " --reason TEXT")  # fmt: skip
    if told["frozen"]:
        click.echo(say(f"另有 {told['frozen']} 张待签名（自动补签）",
                       f"{told['frozen']} receipts wait for their signature"))  # fmt: skip


@resolve.command("print", zh="说明一张纸是否已打出", en="say whether a sheet came out")
@click.argument("job", type=int, metavar="ID")
@option("--printed", is_flag=True, zh="已打印：不再打", en="it came out")
@option("--reprint", is_flag=True, zh="未打出：补打一张（有补打标记）",
        en="it did not: print a marked copy")  # fmt: skip
@reason()
def print_(job: int, printed: bool, reprint: bool, reason: str) -> None:
    """Resolve a print."""
    if printed == reprint:
        raise CliFault("CTL_USAGE", "请在 --printed 与 --reprint 中选一个",
                       "Choose one of --printed and --reprint")  # fmt: skip
    with reached("resolve print") as desk:
        told = desk.call("print.resolve", job=job, reason=reason,
                         verdict="printed" if printed else "reprint")  # fmt: skip
    again = (told["resolution"] or {}).get("reprint")
    done = say("已记录", "noted")
    if again:
        done = say(f"已安排补打，打印任务 {again['id']}",
                   f"a copy will be printed, job {again['id']}")  # fmt: skip
    emit(told, lambda: click.echo(done))
