"""`fepctl numbers audit`: the proof that every number is in exactly one state."""

from __future__ import annotations

import sys
from typing import Any

import click

from fep.cli.common import Column, emit, heading, note, paint, say, table, wants_json, when
from fep.cli.common_reach import Desk, reached
from fep.cli.common_verbs import Verb

_PARTS = {"receipts": "票据", "burns": "空号核销", "journal": "日志账"}


@click.command("audit", cls=Verb, zh="逐号核对：不缺号、不重号，每个空号有证据",
               en="prove that no number is missing or double; evidence of burns")  # fmt: skip
def command() -> None:
    """Audit the numbers; exit 1 when anything is wrong."""
    with reached() as desk:
        told = _audited(desk)
    emit(told, lambda: _show(told))
    if not told["good"]:
        sys.exit(1)


def _audited(desk: Desk) -> dict[str, Any]:
    told: dict[str, Any] = desk.call("numbers.audit")
    part = told["part"]
    while not told["done"]:
        told = desk.call("numbers.audit", audit=told["audit"])
        if told["part"] != part and not wants_json():
            part = told["part"]
            note(say(f"核对 {_PARTS.get(part, part)} …", f"reading {part} …"))
    return told


def _show(told: dict[str, Any]) -> None:
    table(
        (Column("单位", "unit"), Column("票据代码", "code"), Column("领入", "granted", right=True),
         Column("已用", "used", right=True), Column("待签", "unsigned", right=True),
         Column("核销", "burned", right=True), Column("退回", "returned", right=True),
         Column("过期", "expired", right=True), Column("备用", "reserve", right=True),
         Column("剩余", "left", right=True)),
        [(row["unit"], row["code"], *(str(row[name]) for name in (
            "granted", "used", "unsigned", "burned", "returned", "expired", "reserve", "left")))
         for row in told["stock"]],
        empty=say("没有号段", "no block"),
    )  # fmt: skip
    if told["evidence"]:
        heading(say("核销证据", "evidence of burns"))
        for row in told["evidence"]:
            last = "" if row["ref"].endswith(row["last"]) else f"…{row['last']}"
            click.echo(f"{row['ref']}{last}  {when(row['at'])}  {row['reason']}  {row['evidence']}")
    for finding in told["findings"]:
        click.echo(f"{paint('FAIL', 'red')}  {finding}")
    given = sum(row["granted"] for row in told["stock"])
    counts = say(
        f"号码 {given}，票据 {told['receipts']}，核销 {told['burns']}，日志账 {told['records']} 条",
        f"{given} numbers, {told['receipts']} receipts, {told['burns']} burned,"
        f" {told['records']} journal records",
    )
    if told["good"]:
        click.echo(f"{paint('OK', 'green')}  {counts}")
    else:
        click.echo(f"{paint('FAIL', 'red')}  {told['found']}  {counts}")
