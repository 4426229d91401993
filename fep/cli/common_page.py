"""Showing a page of the manual on a terminal: headings, code, tables, paragraphs.

The manual uses a small part of Markdown on purpose. No word of a page is ever cut: the cells
of a table are folded, because a line of advice without its end is worse than none.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

_MARKS = re.compile(r"\*\*(.+?)\*\*|`([^`]+)`|!?\[([^\]]*)\]\([^)]*\)")
_RULE_ROW = re.compile(r"\|[\s|:-]+\|")
MAX_COLUMNS = 110


def show(markdown: str, columns: int) -> None:
    """Print a page through the pager, at most MAX_COLUMNS wide."""
    from rich.console import Console

    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=min(columns, MAX_COLUMNS),
                      highlight=False)  # fmt: skip
    for part in _parts(markdown):
        console.print(part)
    # Left to itself click tells less to pass the colours on.
    click.echo_via_pager(paper.getvalue())


def _parts(markdown: str) -> Iterator[Any]:
    """Return what the page is made of, as rich renders it."""
    from rich.padding import Padding
    from rich.text import Text

    for kind, lines in groupby(_kinds(markdown), key=lambda pair: pair[0]):
        body = [line for _, line in lines]
        if kind == "code":
            yield Padding(Text("\n".join(body), style="cyan"), (0, 0, 0, 4))
        elif kind == "table":
            yield _table(body)
        elif kind == "heading":
            yield Text("\n".join(line.lstrip("# ") for line in body), style="bold yellow")
        else:
            for line in body:
                yield _plain(line)


def _kinds(markdown: str) -> Iterator[tuple[str, str]]:
    """Say of each line what it belongs to; the fences of code are left out."""
    code = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            code = not code
        elif code:
            yield "code", line
        elif line.startswith("#"):
            yield "heading", line
        elif line.startswith("|"):
            yield "table", line
        else:
            yield "text", line


def _plain(line: str) -> Any:
    """Return a line with its marks as styles."""
    from rich.text import Text

    shown, end = Text(), 0
    for mark in _MARKS.finditer(line):
        shown.append(line[end : mark.start()])
        strong, code, link = mark.groups()
        shown.append(strong or code or link or "", style="bold" if strong else "cyan")
        end = mark.end()
    shown.append(line[end:])
    return shown


def _table(rows: list[str]) -> Any:
    from rich import box
    from rich.table import Table

    head, *body = [[cell.strip() for cell in row.strip("| ").split(" | ")]
                   for row in rows if not _RULE_ROW.fullmatch(row)]  # fmt: skip
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_lines=False)
    for cell in head:
        table.add_column(_plain(cell), overflow="fold")
    for cells in body:
        padded = [*cells, *[""] * (len(head) - len(cells))]
        table.add_row(*(_plain(cell) for cell in padded[: len(head)]))
    return table
