"""`fepctl receipts import`: receipts of the former system, as a whole file or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fep.cli.common import Column, emit, facts, note, say, sentence, table
from fep.cli.common_reach import Desk, of, reached
from fep.cli.common_verbs import Verb, option
from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.domain.money import format_fen
from fep.wire.old_receipts import COLUMNS, MORE, Row, Wrong, rows_of, text_of

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LOOK_SLICE, PUT_SLICE = 1000, 250  # what is put holds the cashiers up for so long
SHOWN_MAX = 50
FILE_BYTES_MAX = 2 << 30


@click.command("import", cls=Verb, zh="导入原系统开具的票据（CSV），使其可查；默认只检查",
               en="take in receipts of the former system (CSV); only looks unless --apply",
               )  # fmt: skip
@click.argument("file", type=FILE, required=False)
@option(
    "--unit", default="", zh="开票单位（文件没有此列时）", en="unit, for a file without the column"
)
@option("--encoding", type=click.Choice(("utf-8", "gbk")), default=None,
        zh="文件编码（默认自动识别）", en="coding of the file (default: found out)")  # fmt: skip
@option("--preview", is_flag=True, zh="只检查（默认）", en="only look (the default)")
@option("--apply", "apply_", is_flag=True, zh="导入", en="take it in")
@option("--columns", is_flag=True, zh="列出可用的列名", en="list the columns a file may have")
@option("--reason", default="", metavar="TEXT",
        zh="原因（导入时必填，记入日志账）", en="why; needed with --apply, journalled")  # fmt: skip
def command(file: Path | None, unit: str, encoding: str | None, preview: bool, apply_: bool,
            columns: bool, reason: str) -> None:  # fmt: skip
    """Take a file in."""
    if columns:
        _columns()
        return
    if file is None:
        raise click.UsageError("FILE")
    if preview and apply_:
        raise click.UsageError("--preview | --apply")
    if apply_ and not reason.strip():
        raise of(desk_refuse("CTL_REASON"))
    raw = _read(file)
    with reached("receipts import" if apply_ else "") as desk:
        unit = unit or _only_unit(desk)
        rows, wrong = _parsed(raw, encoding or "", unit)
        told: dict[str, Any] = {"new": 0, "conflicts": []} if wrong else _looked(desk, rows)
        wrong += _conflicts(rows, told["conflicts"])
        answer: dict[str, Any] = {
            "file": str(file), "lines": len(rows), "new": told["new"],
            "amount": format_fen(sum(row.amount_fen for row in rows)), "imported": 0,
            "errors": [{"line": w.line, "column": w.column, "zh": w.zh, "en": w.en}
                       for w in wrong[:SHOWN_MAX]],
            "error_count": len(wrong),
        }  # fmt: skip
        if apply_ and not wrong and told["new"]:
            answer["imported"] = _taken(desk, raw, rows, reason)
    emit(answer, lambda: _show(answer, apply_))
    if wrong:
        if apply_:
            note(sentence(*_said(refuse("IMPORT_LINES", count=len(wrong)))))
        sys.exit(1)


def _said(refused: Any) -> tuple[str, str]:
    return f"{refused.code}  {refused.zh}", f"{refused.code}  {refused.en}"


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise of(refuse("REQ_TOO_BIG", limit=FILE_BYTES_MAX))
        return file.read_bytes()
    except OSError as error:
        raise of(desk_refuse("CTL_DENIED", path=file)) from error


def _only_unit(desk: Desk) -> str:
    """Return the site's unit where it has one only."""
    units = {row["unit"] for row in desk.call("kinds.list")["kinds"]}
    return units.pop() if len(units) == 1 else ""


def _parsed(raw: bytes, encoding: str, unit: str) -> tuple[list[Row], list[Wrong]]:
    rows: list[Row] = []
    wrong: list[Wrong] = []
    try:
        text = text_of(raw, encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return [], [Wrong(line, "", "编码不对，试试 --encoding", "wrong coding, try --encoding")]
    for found in rows_of(text, unit):
        if isinstance(found, Row):
            rows.append(found)
        else:
            wrong.append(found)
    if not rows and not wrong:
        wrong.append(Wrong(1, "", "文件没有数据行", "the file has no lines of data"))
    return rows, wrong


def _params(row: Row) -> dict[str, Any]:
    values = row.values
    return {
        "unit": values["unit"], "code": values["code"], "number": values["number"],
        "key": values.get("key", ""), "check_code": values.get("check_code", ""),
        "payer": values.get("payer", ""), "amount_fen": row.amount_fen,
        "issued_at": row.issued_at, "state": row.state,
        "more": {name: values[name] for name in MORE if values.get(name)},
    }  # fmt: skip


def _slices(rows: list[Row], size: int) -> Iterator[list[dict[str, Any]]]:
    for at in range(0, len(rows), size):
        yield [_params(row) for row in rows[at : at + size]]


def _looked(desk: Desk, rows: list[Row]) -> dict[str, Any]:
    new, conflicts = 0, []
    for part in _slices(rows, LOOK_SLICE):
        told = desk.call("imports.check", rows=part)
        new += told["new"]
        conflicts += told["conflicts"]
    return {"new": new, "conflicts": conflicts}


def _conflicts(rows: list[Row], conflicts: list[dict[str, str]]) -> list[Wrong]:
    if not conflicts:
        return []
    lines = {f"{row.values['code']}-{row.values['number']}": row.line for row in rows}
    words = {
        "ours": ("是本机开具的票据", "is a receipt of this front-end"),
        "differs": ("已导入过，但内容不同", "was imported before and says otherwise"),
    }
    return [
        Wrong(lines[one["receipt"]], "number", f"{one['receipt']} {words[one['why']][0]}",
              f"{one['receipt']} {words[one['why']][1]}")
        for one in conflicts
    ]  # fmt: skip


def _taken(desk: Desk, raw: bytes, rows: list[Row], reason: str) -> int:
    """Stage all slices, then let them be seen; what is here already is left out."""
    from fep.crypto import sm3

    opened = desk.call("imports.begin", file_sm3=sm3.digest(raw).hex())["id"]
    count = amount = 0
    for part in _slices(rows, PUT_SLICE):
        fresh = desk.call("imports.put", id=opened, rows=part)
        if fresh["conflicts"]:  # issued or imported by somebody else meanwhile
            raise of(refuse("IMPORT_GONE"))
        count += fresh["new"]
        amount += fresh["amount_fen"]
    return int(desk.call("imports.live", id=opened, count=count, amount_fen=amount,
                         reason=reason)["count"])  # fmt: skip


def _show(told: dict[str, Any], applied: bool) -> None:
    facts([
        (say("文件", "file"), told["file"]),
        (say("票据", "receipts"), str(told["lines"])),
        (say("金额", "amount"), told["amount"]),
        (say("新的", "new"), str(told["new"])),
        (say("错误", "errors"), str(told["error_count"])),
        *([(say("已导入", "taken in"), str(told["imported"]))] if applied else []),
    ])  # fmt: skip
    if told["errors"]:
        table(
            (Column("行", "line", right=True), Column("列", "column"), Column("问题", "problem")),
            [(str(e["line"]), e["column"], sentence(e["zh"], e["en"])) for e in told["errors"]],
            empty="",
        )  # fmt: skip
    elif not applied:
        click.echo(say("检查通过；导入：加 --apply --reason 原因",
                       "nothing is wrong; take it in with --apply --reason TEXT"))  # fmt: skip


def _columns() -> None:
    told = [{"column": name, "names": list(known)} for name, known in COLUMNS.items()]
    emit({"columns": told}, lambda: table(
        (Column("列", "column", fold=False), Column("可用的列名", "names it may have")),
        [(name, "  ".join(known)) for name, known in COLUMNS.items()], empty="",
    ))  # fmt: skip
