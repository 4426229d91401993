"""`fepctl link history|batches|export|import|ack|trace`: what crosses, also by hand."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, facts, heading, note, say, table, when
from fep.cli.common_reach import Desk, of, reached
from fep.cli.common_verbs import Verb, Verbs, option, reason
from fep.domain.faults_desk import LINK_WORDS, desk_refuse

_OPS = {
    "link.state": ("状态", "state"), "link.paused": ("暂停", "paused"),
    "link.resumed": ("恢复", "resumed"), "link.renewed": ("新纪元", "new epoch"),
    "link.conflict": ("内容冲突", "conflict"), "link.cert_rotated": ("换证书", "certificate"),
    "link.cert_revoked": ("证书作废", "certificate revoked"),
    "link.own_cert": ("本机证书", "our certificate"),
    "link.imported": ("人工带入", "brought in"), "link.exported": ("人工带出", "carried out"),
}  # fmt: skip
_STATES = {
    "made": ("未写出", "not written"), "written": ("待应答", "waits for its answer"),
    "acked": ("已应答", "answered"), "due": ("待报", "due"), "sent": ("已发", "sent"),
    "applied": ("已入库", "applied"), "rejected": ("被拒", "refused"),
    "conflict": ("冲突", "conflict"), "closed": ("已结案", "closed"),
    "resent": ("已重报", "sent again"),
}  # fmt: skip


@click.command("history", cls=Verb, zh="通道状态的变化与人工操作",
               en="changes of the link and what people did")  # fmt: skip
@option("--limit", type=click.IntRange(1, 500), default=50, zh="最多几行", en="rows at most")
def history(limit: int) -> None:
    """Show the newest changes."""
    with reached() as desk:
        told = desk.call("link.history", limit=limit)
    emit(told, lambda: table(
        (Column("时间", "when"), Column("事项", "what"), Column("内容", "content"),
         Column("操作人", "by"), Column("原因", "reason")),
        [(when(row["at"]), say(*_OPS[row["op"]]), _content(row), str(row["body"].get("by", "-")),
          _reason(row)) for row in told["history"]],
        empty=say("还没有变化", "nothing has changed yet"),
    ))  # fmt: skip


def _content(row: dict[str, Any]) -> str:
    body = row["body"]
    if row["op"] == "link.state":
        return say(LINK_WORDS.get(body["state"], body["state"]), body["state"])
    if row["op"] == "link.own_cert":
        word = say("作废", "revoked") if body["op"] == "REVOKE_CERT" else say("公布", "announced")
        return f"{word} {body['serial']}"
    for name in ("name", "names", "serial", "epoch"):
        if name in body:
            found = body[name]
            return " ".join(found) if isinstance(found, list) else str(found)
    return str(row["ref"])


def _reason(row: dict[str, Any]) -> str:
    text = str(row["body"].get("reason", "")) or "-"
    return say(LINK_WORDS.get(text, text), text) if row["op"] == "link.state" else text


@click.command("batches", cls=Verb, zh="未应答的批次", en="batches without their answer")
@option(
    "--all",
    "closed",
    is_flag=True,
    zh="连同已应答的，新的在前",
    en="answered ones too, newest first",
)
@option("--limit", type=click.IntRange(1, 500), default=100, zh="最多几行", en="rows at most")
def batches(closed: bool, limit: int) -> None:
    """List batches."""
    with reached() as desk:
        told = desk.call("link.batches", closed=closed, limit=limit)
    emit(told, lambda: table(
        (Column("平台", "destination"), Column("通道", "channel", right=True),
         Column("批号", "seq", right=True), Column("条数", "records", right=True),
         Column("字节", "bytes", right=True), Column("状态", "state"),
         Column("写出", "written", right=True), Column("生成", "made"),
         Column("最近写出", "last written"), Column("下次", "next")),
        [(row["dest"], str(row["channel"]), f"{row['epoch']}/{row['seq']}", str(row["n_rec"]),
          str(row["bytes"] or "-"), say(*_STATES[row["state"]]), str(row["tries"]),
          when(row["created_at"]), when(row["written_at"]), when(row["next_at"]))
         for row in told["batches"]],
        empty=say("没有未应答的批次", "every batch has its answer"),
    ))  # fmt: skip


@click.command("export", cls=Verb, zh="把未应答的批次写到目录（U 盘），人工带过网闸",
               en="write unanswered batches to a directory, to be carried by hand")  # fmt: skip
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@reason()
def export(directory: Path, reason: str) -> None:
    """Write the files of open batches."""
    names: list[str] = []
    after, more = 0, True
    with reached("link export") as desk:
        while more:
            told = desk.call("link.export", after=after, reason=reason)
            for file in told["files"]:
                _write(directory, file["name"], base64.b64decode(file["content"]))
                names.append(file["name"])
                after = file["id"]
            more = told["more"]
    count = len(names)
    done = say(f"已写出 {count} 个文件到 {directory}", f"{count} files written to {directory}")
    none = say("没有未应答的批次，不必带", "every batch has its answer, nothing to carry")
    emit({"files": names}, lambda: click.echo(done if names else none))


def _write(directory: Path, name: str, content: bytes) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=directory / name, why=error.strerror)) from error


@click.command("import", cls=Verb, zh="带入平台的文件（网闸不通时）",
               en="bring in files of the platform, while the gate is dead")  # fmt: skip
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@reason()
def bring(files: tuple[Path, ...], reason: str) -> None:
    """Hand files to the daemon as arrivals."""
    _bring(files, reason, ack=False)


@click.group("ack", cls=Verbs, zh="平台的回执：import 带入", en="the platform's answers: import")
def ack() -> None:
    """Deal with answers that were brought by hand."""


@ack.command("import", zh="带入平台的回执文件（单向光闸）",
             en="bring in an answer of the platform (one-way gate)")  # fmt: skip
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@reason()
def ack_import(files: tuple[Path, ...], reason: str) -> None:
    """Hand ACK files to the daemon."""
    _bring(files, reason, ack=True)


def _bring(files: tuple[Path, ...], reason: str, *, ack: bool) -> None:
    with reached("link import") as desk:
        told = brought(desk, files, reason, ack=ack)
    refused = [row for row in told if "code" in row]
    emit({"files": told}, lambda: table(
        (Column("文件", "file"), Column("类型", "kind"), Column("通道", "channel", right=True),
         Column("批号", "seq", right=True), Column("结果", "result")),
        [(row["path"], "-", "-", "-", f"{row['code']} {say(row['zh'], row['en'])}")
         if row in refused else
         (row["name"], row["kind"], str(row["channel"]), str(row["seq"]), say("已收下", "taken"))
         for row in told],
        empty=say("目录里没有文件", "no file there"),
    ))  # fmt: skip
    _noted(len(told) - len(refused))
    if refused:
        sys.exit(1)


def brought(desk: Desk, given: tuple[Path, ...], reason: str, *, ack: bool) -> list[dict[str, Any]]:
    """Bring in file after file; one of several that is not fit is told, and keeps no other out.

    Raises CliFault.
    """
    told: list[dict[str, Any]] = []
    files = _files_of(given)
    for path in files:
        try:
            told.append({"path": str(path), **_brought(desk, path, reason, ack=ack)})
        except CliFault as fault:
            if len(files) == 1 or fault.code not in ("LINK_FILE", "CTL_FILE"):
                raise
            told.append({"path": str(path), "code": fault.code, "zh": fault.zh, "en": fault.en})
    return told


def _files_of(given: tuple[Path, ...]) -> list[Path]:
    """Return the files, and those of directories."""
    found: list[Path] = []
    for path in given:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [one for one in inside if one is path or one.is_file()]
    return found


def _brought(desk: Desk, path: Path, reason: str, *, ack: bool) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=path, why=error.strerror)) from error
    text = base64.b64encode(content).decode()
    found: dict[str, Any] = desk.call("link.import", content=text, reason=reason, ack=ack)
    return found


def _noted(taken: int) -> None:
    if not taken:
        return
    note(say("已验签，马上生效；结果见 fepctl link",
             "they are verified and take effect at once; see fepctl link"))  # fmt: skip


@click.command("trace", cls=Verb, zh="一张票据上报到哪一步：CODE-NUMBER",
               en="where a receipt is on its way: CODE-NUMBER")  # fmt: skip
@click.argument("ref", metavar="CODE-NUMBER")
def trace(ref: str) -> None:
    """Show every delivery of a receipt and the batch it went in."""
    code, _, number = ref.partition("-")
    with reached() as desk:
        told = desk.call("link.way", code=code, number=number)
    emit(told, lambda: _show_way(told))


def _show_way(told: dict[str, Any]) -> None:
    heading(told["ref"])
    facts([
        (say("开具", "issued"), when(told["issued_at"])),
        (say("监制签名", "supervised"), when(told["supervised_at"])),
    ], indent=2)  # fmt: skip
    table(
        (Column("平台", "destination"), Column("操作", "operation"), Column("状态", "state"),
         Column("记录号", "record", right=True), Column("批号", "batch", right=True),
         Column("写出", "written", right=True), Column("最近写出", "last written"),
         Column("应答", "answer"), Column("说明", "detail"), Column("变更", "changed")),
        [(row["dest"], row["op"], say(*_STATES.get(row["state"], (row["state"],) * 2)),
          str(row["rec_seq"] or "-"), f"{row['epoch']}/{row['batch_seq']}" if row["batch_seq"]
          else "-", str(row["tries"]), when(row["written_at"]), row["result"] or "-",
          row["detail"] or "-", when(row["updated_at"])) for row in told["rows"]],
        empty=say("没有上报任务", "nothing is to be sent"),
    )  # fmt: skip


VERBS = (history, batches, export, bring, ack, trace)
