"""`fepctl evidence`: one folder for an inspector, named file by file in a signed index."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from fep.cli.common import emit, note, say, wants_json
from fep.cli.common_reach import Desk, of, reached
from fep.cli.common_verbs import Verb, option, reason
from fep.domain.calendar import iso, to_ms
from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse

_PARTS = {"granted": "领入号段", "used": "已用号码", "burned": "空号核销", "signatures": "签名",
          "refused": "被拒业务单", "late": "迟报票据", "certificates": "证书"}  # fmt: skip
_READ_ME = """\
财政电子票据前置机 检查用证据 / evidence of a fiscal e-receipt front-end
{node}  {since} … {until}

index.json      各文件的字节数与 SM3；index.sig 是节点密钥对它的 SM2 签名（DER）
                bytes and SM3 of every file; index.sig is the node's SM2 signature over it (DER)
node.crt        节点证书 / the node's certificate
journal.txt     日志账（格式与核对脚本见 journal.md） / the journal; format and script: journal.md
checkpoints.txt 签名检查点 / signed checkpoints
granted used burned signatures refused late certificates .csv

openssl x509 -in node.crt -pubkey -noout > node.pub
openssl pkeyutl -verify -pubin -inkey node.pub -rawin -digest sm3 -in index.json \\
    -sigfile index.sig -pkeyopt distid:1234567812345678
python3 verify_journal.py journal.txt node.crt {before}
"""


@click.command("evidence", cls=Verb, zh="为检查人员导出一个目录的证据（不含个人信息）",
               en="write a folder of evidence for an inspector (no personal data)")  # fmt: skip
@option("--from", "since", required=True, metavar="YYYY-MM-DD", zh="起始日期", en="first day")
@option("--to", "until", required=True, metavar="YYYY-MM-DD", zh="截止日期（含）", en="last day")
@option("--dir", "place", required=True, type=click.Path(path_type=Path, file_okay=False),
        zh="新目录", en="a new directory")  # fmt: skip
@reason()
def command(since: str, until: str, place: Path, reason: str) -> None:
    """Write the folder."""
    since_ms, until_ms = _period(since, until)
    try:
        if place.exists() and any(place.iterdir()):
            raise of(refuse("EVD_DIR", path=place))
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with reached("evidence") as desk:
            told = _written(desk, place, since_ms, until_ms, reason)
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=place, why=error.strerror)) from error
    done = say(f"已写入 {place}：{told['files']} 个文件", f"{told['files']} files in {place}")
    emit(told, lambda: click.echo(f"{done}  index SM3 {told['sm3']}"))


def _period(since: str, until: str) -> tuple[int, int]:
    try:
        first, last = (datetime.strptime(f"{day} +0800", "%Y-%m-%d %z") for day in (since, until))
    except ValueError as error:
        raise of(refuse("EVD_RANGE", since=since, until=until)) from error
    if last < first:
        raise of(refuse("EVD_RANGE", since=since, until=until))
    after = last + timedelta(days=1)
    return to_ms(first), to_ms(after)


def _written(desk: Desk, place: Path, since: int, until: int, why: str) -> dict[str, Any]:
    begun = desk.call("evidence.begin", since=since, until=until)
    counts: dict[str, int] = {}
    for part in begun["parts"]:
        if not wants_json():
            note(f"{say(_PARTS.get(part, part), part)} …")
        counts[part] = _table(desk, place / f"{part}.csv", part, since, until)
    counts["journal"], counts["checkpoints"] = _journal(desk, place, begun["journal"])
    (place / "node.crt").write_text(_pem(bytes.fromhex(begun["certificate"])), "ascii")
    manual = files("fep").joinpath("docs/zh/journal.md").read_text("utf-8")
    (place / "journal.md").write_text(manual, "utf-8")
    (place / "README.txt").write_text(
        _READ_ME.format(node=begun["node"], since=iso(since), until=iso(until - 1),
                        before=begun["journal"]["before"]), "utf-8")  # fmt: skip
    index = json.dumps(
        {
            "counts": counts, "files": _named(place), "from": iso(since), "journal":
            begun["journal"], "node": begun["node"], "to": iso(until - 1),
            "written": iso(begun["now"]),
        },
        ensure_ascii=False, indent=1, sort_keys=True,
    )  # fmt: skip
    (place / "index.json").write_text(index, "utf-8")
    done = desk.call("evidence.sign", index=index, reason=why)
    (place / "index.sig").write_bytes(bytes.fromhex(done["signature"]))
    return {"dir": str(place), "files": len(list(place.iterdir())), "sm3": done["sm3"],
            "counts": counts}  # fmt: skip


def _table(desk: Desk, path: Path, part: str, since: int, until: int) -> int:
    count, after = 0, 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        while True:
            told = desk.call("evidence.part", part=part, since=since, until=until, after=after)
            if after == 0:
                out.writerow(told["columns"])
            for row in told["rows"]:
                out.writerow(
                    iso(value) if name.endswith("_at") or name == "at" else value
                    for name, value in zip(told["columns"], row, strict=True)
                )
            count += len(told["rows"])
            if told["after"] is None:
                return count
            after = told["after"]


def _journal(desk: Desk, place: Path, stretch: dict[str, Any]) -> tuple[int, int]:
    count = checkpoints = 0
    after, last = stretch["first"] - 1, stretch["last"]
    with (
        (place / "journal.txt").open("w", encoding="utf-8", newline="\n") as out,
        (place / "checkpoints.txt").open("w", encoding="utf-8", newline="\n") as signed,
    ):
        while after < last:
            told = desk.call("journal.export", after=after)
            for record in told["records"]:
                if record["seq"] > last:
                    break
                out.write(f"{record['hash']} {record['line']}\n")
                if '"op":"journal.checkpoint"' in record["line"]:
                    signed.write(f"{record['line']}\n")
                    checkpoints += 1
                count += 1
            after = told["records"][-1]["seq"] if told["records"] else last
    return count, checkpoints


def _named(place: Path) -> dict[str, dict[str, Any]]:
    from fep.crypto import sm3

    return {
        path.name: {"bytes": path.stat().st_size, "sm3": sm3.digest(path.read_bytes()).hex()}
        for path in sorted(place.iterdir())
    }


def _pem(der: bytes) -> str:
    from base64 import encodebytes

    body = encodebytes(der).decode().replace("\n", "")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
