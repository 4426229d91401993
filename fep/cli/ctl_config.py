"""`fepctl config check`: everything that is wrong with the configuration, line by line."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fep.cli.common import CliFault, emit, paint, refuse_with, say, sentence
from fep.cli.common_reach import find_config
from fep.cli.common_verbs import Verbs

if TYPE_CHECKING:
    from fep.settings_toml import Problem


@click.group("config", cls=Verbs, zh="配置：检查", en="configuration: check")
def group() -> None:
    """Group the verbs."""


@group.command("check", zh="检查全部配置文件，逐条给出文件与行号",
               en="check all files of the configuration; every problem with its line")  # fmt: skip
def check() -> None:
    """Check the configuration; exit 1 when something is wrong."""
    from fep.settings import survey

    try:
        path = find_config()
    except CliFault as fault:
        refuse_with(fault)
    seen = survey(path)
    told: dict[str, Any] = {
        "config": str(path),
        "ok": not seen.errors,
        "problems": [asdict(problem) for problem in (*seen.errors, *seen.warnings)],
    }
    emit(told, lambda: _show(path, seen.errors, seen.warnings))
    if seen.errors:
        sys.exit(1)


def _show(path: Path, errors: list[Problem], warnings: list[Problem]) -> None:
    show_problems(errors, warnings)
    count, weak = len(errors), len(warnings)
    colour = "red" if count else "yellow" if weak else "green"
    told = say(f"{path}：{count} 处错误，{weak} 处警告", f"{path}: {count} errors, {weak} warnings")
    click.echo(paint(told, colour))


def show_problems(errors: list[Problem], warnings: list[Problem]) -> None:
    """Print problems, two lines each: where and what, then what to do."""
    for word, colour, problems in (("FAIL", "red", errors), ("WARN", "yellow", warnings)):
        for problem in problems:
            place = f"{problem.file}:{problem.line}" if problem.line else problem.file
            key = f"{problem.key}  " if problem.key else ""
            said = sentence(problem.zh, problem.en)
            click.echo(f"{paint(word, colour)}  {place}  {key}{said}")
            if problem.suggestion:
                click.echo(f"      → {problem.suggestion}")
