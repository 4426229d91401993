"""`fepctl journal`: follow the SM3 chain, and write it out for somebody else to follow."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from fep.cli.common import emit, note, paint, say, wants_json
from fep.cli.common_reach import Desk, of, reached
from fep.cli.common_verbs import Verbs, option
from fep.domain.faults_desk import desk_refuse

_TELL_EVERY = 100_000


@click.group("journal", cls=Verbs, zh="日志账：核对链、导出", en="the journal: verify, export")
def group() -> None:
    """Group the verbs."""


@group.command("verify", zh="从头核对哈希链", en="follow the hash chain from its start")
def verify() -> None:
    """Follow the chain slice by slice; exit 1 where it is broken."""
    with reached() as desk:
        told = _walked(desk)
    emit(told, lambda: _verdict(told))
    if not told["good"]:
        sys.exit(1)


def _walked(desk: Desk) -> dict[str, Any]:
    after, digest, shown, checkpoints = 0, "", _TELL_EVERY, 0
    while True:
        walk = desk.call("journal.verify", after=after, hash=digest)
        after, digest = walk["last"], walk["hash"]
        checkpoints += walk.get("checkpoints", 0)  # an older daemon tells none
        told = {"records": after, "hash": digest, "checkpoints": checkpoints}
        if walk["broken_at"]:
            return {**told, "good": False, "broken_at": walk["broken_at"], "why": walk["why"]}
        if walk["done"]:
            return {**told, "good": True, "broken_at": 0, "why": ""}
        if after >= shown and not wants_json():
            note(say(f"已核对 {after} 条", f"{after} records followed"))
            shown += _TELL_EVERY


def _verdict(told: dict[str, Any]) -> None:
    counts = say(f"{told['records']} 条连贯，{told['checkpoints']} 个签名检查点（gmssl 核对）",
                 f"{told['records']} records follow, {told['checkpoints']} signed checkpoints"
                 " (verified by gmssl)")  # fmt: skip
    if told["good"]:
        click.echo(f"{paint('OK', 'green')}  {counts}")
        click.echo(f"SM3 {told['hash']}")
        return
    click.echo(
        paint(
            say(
                f"日志账在第 {told['broken_at']} 条断裂",
                f"the journal is broken at record {told['broken_at']}",
            ),
            "red",
        )
    )
    click.echo(told["why"])


@group.command("export", zh="导出日志账（每行：哈希 空格 记录）",
               en="write the journal out, one `hash record` a line")  # fmt: skip
@option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False),
        zh="输出文件", en="file to write")  # fmt: skip
@option("--after", type=click.IntRange(0), default=0, zh="从第几条之后开始",
        en="only records above this one")  # fmt: skip
def export(out: Path, after: int) -> None:
    """Write the journal to a file."""
    with reached() as desk:
        try:
            told = _written(desk, out, after)
        except OSError as error:
            raise of(desk_refuse("CTL_FILE", path=out, why=error.strerror)) from error
    emit(told, lambda: click.echo(say(f"已导出 {told['records']} 条到 {out}",
                                      f"{told['records']} records written to {out}")))  # fmt: skip


def _written(desk: Desk, out: Path, after: int) -> dict[str, Any]:
    count, digest = 0, ""
    fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8", newline="\n") as file:
        while True:
            told = desk.call("journal.export", after=after)
            for record in told["records"]:
                file.write(f"{record['hash']} {record['line']}\n")
                after, digest = record["seq"], record["hash"]
                count += 1
            if told["done"]:
                return {"file": str(out), "records": count, "last": after, "hash": digest}
