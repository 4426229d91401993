"""A report for the accountant: one content, shown as tables, as JSON or as a PDF.

The PDF is typeset here, in the command's own process, from `templates/report.typ`; a site may
keep a copy of its own beside fep.toml. Files are readable by their owner only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from fep.cli.common import Column, facts, heading, say, table
from fep.cli.common_verbs import F, option

LAYOUT = "report.typ"


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a report; it is left out when it has no rows."""

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What belongs to one unit: facts and tables."""

    name: str
    facts: Sequence[tuple[str, str]] = ()
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A title, blocks, and what is said below them."""

    title: str
    period: str
    blocks: Sequence[Block]
    notes: Sequence[str] = ()
    signs: Sequence[str] = field(default_factory=tuple)


def pdf_option() -> Callable[[F], F]:
    """Declare --pdf."""
    return option("--pdf", type=click.Path(path_type=Path, dir_okay=False), default=None,
                  metavar="FILE", zh="另存为 PDF", en="write it as a PDF")  # fmt: skip


def show(report: Report) -> None:
    """Print a report for a person."""
    heading(f"{report.title}  {report.period}")
    for block in report.blocks:
        click.echo()
        heading(block.name)
        facts(block.facts, indent=2)
        for part in block.parts:
            rows = [*part.rows, part.total] if part.total else list(part.rows)
            if rows:
                click.echo()
                click.echo(click.style(part.title, dim=True))
                table(part.columns, rows, empty="")
    for line in report.notes:
        click.echo(line)


def write_pdf(report: Report, path: Path) -> None:
    """Write the report as a PDF. Raises CliFault CTL_FILE, RND_*."""
    from fep.cli.common_reach import of
    from fep.domain.faults_desk import desk_refuse

    body = _typeset(report)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(body)
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=path, why=error.strerror)) from error


def _typeset(report: Report) -> bytes:
    import typst

    from fep.cli.common_reach import find_site, of
    from fep.domain.faults_render import render_refuse
    from fep.render import page_fonts
    from fep.settings_places import template_dir

    own = find_site().root / "templates" / LAYOUT
    template = own if own.is_file() else template_dir() / "templates" / LAYOUT
    rooms = page_fonts.directories(page_fonts.DIRECTORIES)
    if not page_fonts.files(rooms):
        raise of(render_refuse("RND_FONT"))
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False,
                        font_paths=list(rooms))  # fmt: skip
    try:
        made = typst.compile(
            str(template), root=str(template.parent), font_paths=fonts, ignore_system_fonts=True,
            format="pdf", sys_inputs={"data": json.dumps(_data(report), ensure_ascii=False)},
            pdf_standards="a-2u", pdf_tags=False,
        )  # fmt: skip
    except typst.TypstError as error:
        why = " ".join(str(error).split())[:200]
        raise of(render_refuse("RND_TEMPLATE", path=str(template), why=why)) from error
    assert isinstance(made, bytes)
    return made


def _data(report: Report) -> dict[str, Any]:
    return {
        "title": report.title, "period": report.period, "notes": list(report.notes),
        "signs": list(report.signs),
        "blocks": [
            {
                "name": block.name, "facts": [list(pair) for pair in block.facts],
                "parts": [
                    {
                        "title": part.title,
                        "heads": [say(column.zh, column.en) for column in part.columns],
                        "right": [column.right for column in part.columns],
                        "rows": [list(row) for row in part.rows], "total": list(part.total),
                    }
                    for part in block.parts if part.rows
                ],
            }
            for block in report.blocks
        ],
    }  # fmt: skip
