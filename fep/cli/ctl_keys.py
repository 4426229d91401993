"""`fepctl keys`: the signing keys of units and node; reset after a refused PIN."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import Column, emit, paint, say, table
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, option, reason
from fep.cli.ctl_keys_look import look

_STATES = {
    "ready": "就绪", "starting": "启动中", "removed": "未插入", "failing": "签名错误",
    "failed": "不可用", "down": "进程中断", "stopped": "停止", "": "-",
}  # fmt: skip
_VALID = {"ok": "有效", "soon": "即将到期", "expired": "已过期", "early": "尚未生效",
          "missing": "没有证书"}  # fmt: skip
_ROLES = {"main": "主用", "standby": "备用", "node": "节点", "platform": "平台"}


@click.group("keys", cls=Verbs, invoke_without_command=True,
             zh="签名密钥：列出；reset 口令纠正后重新登录",
             en="signing keys: list; reset after a PIN was put right")  # fmt: skip
@click.pass_context
def group(ctx: click.Context) -> None:
    """Show the keys."""
    if ctx.invoked_subcommand is None:
        _ask()


@group.command("list", zh="密钥、证书与状态（同 fepctl keys）", en="keys, certificates, states")
def list_() -> None:
    """Show the keys."""
    _ask()


def _ask() -> None:
    with reached() as desk:
        told = desk.call("keys.list")
    emit(told, lambda: _show(told["keys"]))


def _show(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("单位", "unit"), Column("用途", "role", fold=False), Column("类型", "kind"),
         Column("状态", "state", fold=False), Column("证书", "certificate"),
         Column("序列号", "serial"), Column("有效至", "valid until", fold=False),
         Column("位置", "where")),
        [(row["unit"] or "-", say(_ROLES[row["role"]], row["role"]), row["kind"], _state(row),
          row["subject"] or "-", row["serial"] or "-", _until(row), _where(row))
         for row in rows],
        empty=say("没有", "none"),
    )  # fmt: skip
    for row in rows:
        if row["fault"]:
            name = f"{row['unit']} {say(_ROLES[row['role']], row['role'])}"
            click.echo(f"{paint(row['fault'], 'red')}  {name}  {say(row['zh'], row['en'])}")


def _state(row: dict[str, Any]) -> str:
    state = row["state"]
    word = say(_STATES.get(state, state), state or "-")
    colour = {"ready": "green", "": "", "stopped": ""}.get(state, "red")
    shown = paint(word, colour) if colour else word
    return f"{shown} ←" if row["signs"] else shown


def _where(row: dict[str, Any]) -> str:
    """Return the device that was found in a UKEY's slot, else the file."""
    return str(row["backend"] if row["kind"] == "skf" and row["backend"] else row["where"])


def _until(row: dict[str, Any]) -> str:
    if row["valid"] == "missing":
        return paint(say(_VALID["missing"], "no certificate"), "red")
    day = row["not_after"][:10]
    if row["valid"] == "ok":
        return str(day)
    colour = "yellow" if row["valid"] == "soon" else "red"
    return f"{day} {paint(say(_VALID[row['valid']], row['valid']), colour)}"


@group.command("reset", zh="口令或 UKEY 已处理好：重新登录一次",
               en="PIN or UKEY has been put right: log in once more")  # fmt: skip
@click.argument("unit", metavar="UNIT")
@option("--standby", is_flag=True, zh="备用的那一个", en="the one that stands by")
@reason()
def reset(unit: str, standby: bool, reason: str) -> None:
    """Reset a key."""
    role = "standby" if standby else "main"
    with reached("keys reset") as desk:
        told = desk.call("keys.reset", unit=unit, role=role, reason=reason)
    emit(told, lambda: click.echo(say("将重新登录一次，请用 fepctl keys 查看结果",
                                      "one more login; see fepctl keys")))  # fmt: skip


for _verb in (look,):
    group.add_command(_verb)
