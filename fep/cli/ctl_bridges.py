"""`fepctl bridges`: the fep-bridges of cashiers' PCs; what a new PC gets is made here."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, paint, say, table
from fep.cli.common_reach import reached
from fep.cli.common_verbs import Verbs, option, reason

_STATES = {"connected": "已连接", "away": "未连接", "fault": "故障", "stopped": "停止"}
_WORDS = {
    "in_use": "使用中", "absent": "不存在", "paper_end": "缺纸", "offline": "脱机",
    "error": "故障", "paused": "已暂停", "jam": "卡纸", "cover_open": "上盖未合",
    "output_full": "出纸盘满", "toner": "缺墨粉",
}  # fmt: skip
_INI = """# fep-bridge：把本机的打印机、串口、POS 控件借给前置机。
# What this PC lends to the front-end. Start: python bridge.py
[bridge]
id = {id}
server = {server}
key_file = bridge.key
# tls = yes
# ca_file = ca.pem

# [port slip]
# kind = spool
# queue = XP-80
# [port com]
# kind = serial
# path = COM3
# baud = 9600
# [port pos]
# kind = bankall
# library = c:\\gmc\\posinf.dll
"""


@click.group("bridges", cls=Verbs, zh="收银电脑上的桥：列出、新密钥、制作安装目录",
             en="bridges on cashiers' PCs: list, key, kit")  # fmt: skip
def group() -> None:
    """Group the verbs of bridges."""


@group.command("list", zh="登记的桥、是否连接、借出的端口", en="bridges, whether they are there,"
               " what they lend")  # fmt: skip
def list_() -> None:
    """List bridges."""
    with reached() as desk:
        told = desk.call("bridges.list")
    emit(told, lambda: _rows(told["bridges"]))


def _rows(bridges: list[dict[str, Any]]) -> None:
    table(
        (Column("桥", "bridge", fold=False), Column("名称", "name"),
         Column("状态", "state", fold=False), Column("电脑", "PC"),
         Column("地址", "address", fold=False), Column("借出", "lends"),
         Column("日志条数", "journalled", right=True)),
        [(row["id"], row["name"] or "-", _state(row["state"]), row["host"] or "-",
          row["address"] or "-", _ports(row["ports"]), str(row["entries"])) for row in bridges],
        empty=say("没有登记的桥，见 fepctl help bridge",
                  "no bridge is registered: fepctl help bridge"),
    )  # fmt: skip
    for row in bridges:
        if row["fault"]:
            click.echo(f"{row['fault']}  {say(row['zh'], row['en'])}")


def _state(state: str) -> str:
    colour = {"connected": "green", "fault": "red"}.get(state, "yellow")
    return paint(say(_STATES.get(state, state), state), colour)


def _ports(ports: list[dict[str, Any]]) -> str:
    told = []
    for port in ports:
        words = " ".join(say(_WORDS.get(word, word), word) for word in port["state"])
        told.append(f"{port['name']}({port['kind']}{f' {words}' if words else ''})")
    return " ".join(told) or "-"


@group.command("key", zh="为一座桥生成新密钥，旧密钥立即失效",
               en="make a new key for a bridge; the old one ends at once")  # fmt: skip
@click.argument("bridge", metavar="BRIDGE")
@reason()
def key(bridge: str, reason: str) -> None:
    """Make a key."""
    with reached() as desk:
        told = desk.call("bridges.key", bridge=bridge, reason=reason)
    emit(told, lambda: click.echo(say(f"已生成 {told['key_file']}，再制作安装目录",
                                      f"{told['key_file']} is made, now make a kit")))  # fmt: skip


@group.command(
    "kit",
    zh="制作安装目录：bridge.py、bridge.ini、bridge.key，拷到收银电脑即可",
    en="write a directory to be copied to the PC: bridge.py, bridge.ini and its key",
)
@click.argument("bridge", metavar="BRIDGE")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@option("--server", required=True, metavar="HOST:PORT", zh="前置机的地址与端口",
        en="where the PC reaches the front-end")  # fmt: skip
@reason()
def kit(bridge: str, directory: Path, server: str, reason: str) -> None:
    """Make a key and write what the PC needs."""
    found = find_spec("fep.bridge")
    if directory.exists() and any(directory.iterdir()):
        raise CliFault("CTL_EXISTS", f"目录 {directory} 不是空的", f"{directory} is not empty")
    with reached() as desk:
        told = desk.call("bridges.key", bridge=bridge, reason=reason)
    assert found is not None
    assert found.origin is not None
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(found.origin, directory / "bridge.py")
        (directory / "bridge.ini").write_text(_INI.format(id=bridge, server=server), "utf-8")
        target = directory / "bridge.key"
        target.touch(mode=0o600)
        target.write_bytes(Path(told["key_file"]).read_bytes())
    except OSError as error:
        raise CliFault("CTL_FILE", f"写不了 {directory}：{error.strerror}",
                       f"{directory} cannot be written: {error.strerror}") from error  # fmt: skip
    told = {"bridge": bridge, "directory": str(directory)}
    emit(
        told,
        lambda: click.echo(
            say(
                f"{directory} 已备好，请整个拷到收银电脑，拷完删除",
                f"{directory} is ready: copy it to the PC, then delete it",
            )
        ),
    )
