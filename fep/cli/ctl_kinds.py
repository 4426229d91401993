"""`fepctl kinds check`: every kind of every unit, its codes and stock, and what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, paint, say, sentence, table
from fep.cli.common_reach import Site, find_site, reached
from fep.cli.common_verbs import Verbs

ROOMS = ("kinds", "provinces", "units")


@click.group("kinds", cls=Verbs, zh="票据种类：检查", en="kinds of receipt: check")
def group() -> None:
    """Group the verbs."""


@group.command("check", zh="各单位的票据种类：当年与次年代码、剩余号码、问题",
               en="kinds of every unit with codes and stock; every problem")  # fmt: skip
def check() -> None:
    """Check the kinds; exit 1 when one cannot be issued as configured."""
    site = find_site()
    told = _asked(site)
    told["problems"] = _of_files(site.config, told) + told["problems"]
    told["ok"] = not any(not problem["weak"] for problem in told["problems"])
    emit(told, lambda: _show(told))
    if not told["ok"]:
        sys.exit(1)


def _asked(site: Site) -> dict[str, Any]:
    """Ask the desk; a site that was never started has kinds, but no numbers."""
    try:
        with reached() as desk:
            return dict(desk.call("kinds.list"))
    except CliFault as fault:
        if fault.code != "CTL_NO_STORE":
            raise
    from fep.cli.common_reach import settings_of
    from fep.domain.calendar import to_ms
    from fep.env import RealClock
    from fep.services.desk_kinds import told

    return told(settings_of(site), [], to_ms(RealClock().wall()))


def _of_files(config: Path, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Read the files as they are now: a running daemon still has those of its start."""
    from fep.settings import survey

    seen = survey(config)
    known = {problem["zh"] for problem in told["problems"]}
    found: list[dict[str, Any]] = []
    for problem in (*seen.errors, *seen.warnings):
        path = Path(problem.file)
        if path.parent.name not in ROOMS or problem.zh in known:
            continue
        place = f"{path.parent.name}/{path.name}:{problem.line} {problem.key}".strip()
        found.append({"unit": "", "kind": path.stem, "at": place, "zh": problem.zh,
                      "en": problem.en, "next": problem.suggestion,
                      "weak": problem.weak})  # fmt: skip
    return found


def _show(told: dict[str, Any]) -> None:
    year = told["year"]
    table(
        (Column("单位", "unit"), Column("种类", "kind"), Column("名称", "name"),
         Column("分类", "class"), Column(f"{year} 代码", f"code {year}"),
         Column("剩余", "left", right=True), Column(f"{year + 1} 代码", f"code {year + 1}"),
         Column("剩余", "left", right=True), Column("离线", "offline")),
        [(row["unit"], row["kind"], row["name"], row["class"], row["code"], _left(row, "left"),
          row["next_code"], str(row["next_left"]),
          say("可" if row["offline"] else "不可", "yes" if row["offline"] else "no"))
         for row in told["kinds"]],
        empty=say("没有可列的票据种类", "no kind can be listed"),
    )  # fmt: skip
    for problem in told["problems"]:
        word, colour = ("WARN", "yellow") if problem["weak"] else ("FAIL", "red")
        where = " ".join(part for part in (problem["unit"], problem["kind"], problem["at"]) if part)
        click.echo(f"{paint(word, colour)}  {where}  {sentence(problem['zh'], problem['en'])}")
        if problem["next"]:
            click.echo(f"      → {problem['next']}")
    bad = sum(not problem["weak"] for problem in told["problems"])
    weak = len(told["problems"]) - bad
    colour = "red" if bad else "yellow" if weak else "green"
    count = len(told["kinds"])
    click.echo(paint(say(f"{count} 个票据种类：{bad} 处错误，{weak} 处警告",
                         f"{count} kinds: {bad} errors, {weak} warnings"), colour))  # fmt: skip


def _left(row: dict[str, Any], name: str) -> str:
    if row[name]:
        return str(row[name])
    return paint("0", "red") if row["used"] else "-"
