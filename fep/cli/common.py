"""How verbs answer: tables, fact sheets, JSON, refusals. No verb prints in another way.

Rules: `--json` prints one JSON document and nothing else on standard output; a refusal shows
its stable code first, so that it can be read out over the phone; rich is imported only when
a table is printed.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from fep.cli.common_lang import LANG, say
from fep.cli.common_verbs import CONFIG, JSON

__all__ = [
    "CliFault",
    "Column",
    "emit",
    "facts",
    "hang",
    "heading",
    "note",
    "paint",
    "refuse_with",
    "say",
    "sentence",
    "steady",
    "table",
    "wants_json",
    "when",
]

COLOURS = {"OK": "green", "WARN": "yellow", "FAIL": "red"}
_PIPED_COLUMNS = 200
_FOLDED_LEAST = 12
_GAP = 3


class CliFault(Exception):
    """A refusal as the operator sees it: code, both sentences, both next actions."""

    def __init__(self, code: str, zh: str, en: str, *, details: object = None) -> None:
        super().__init__(code)
        self.code, self.zh, self.en, self.details = code, zh, en, details


def steady() -> None:
    """Let a console that lacks a character show a question mark instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def wants_json() -> bool:
    """Say whether --json was given."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(JSON))


def config_given() -> Path | None:
    """Return the path of -c/--config, None when it was not given."""
    ctx = click.get_current_context(silent=True)
    given = ctx.meta.get(CONFIG) if ctx else None
    return given if isinstance(given, Path) else None


def emit(data: Any, show: Callable[[], None]) -> None:
    """Print `data` as JSON if asked for, else let `show` print it for a person."""
    if wants_json():
        print_json(data)
    else:
        show()


def print_json(data: Any) -> None:
    """Print one JSON document, escaped where the console cannot show Chinese."""
    plain = json.dumps(data, ensure_ascii=False, indent=2)
    try:
        plain.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        plain = json.dumps(data, indent=2)
    click.echo(plain)


def refuse_with(fault: CliFault) -> NoReturn:
    """Print a refusal and leave with exit code 1."""
    if wants_json():
        error: dict[str, object] = {"fault": fault.code, "zh": fault.zh, "en": fault.en}
        if fault.details is not None:
            error["details"] = fault.details
        print_json({"error": error})
    else:
        click.echo(f"{paint(fault.code, 'red')}  {sentence(fault.zh, fault.en)}", err=True)
    sys.exit(1)


def sentence(zh: str, en: str) -> str:
    """Return a sentence that came from outside; English when the Chinese one is missing."""
    return zh if LANG.get() == "zh" and zh else en or zh


def paint(text: str, colour: str) -> str:
    """Colour a word; click takes the colour away where the output is no terminal."""
    return click.style(text, fg=colour, bold=True)


def note(text: str) -> None:
    """Say something beside the answer, on standard error."""
    click.echo(text, err=True)


def heading(text: str) -> None:
    """Print a heading."""
    click.echo(click.style(text, bold=True))


def width(text: str) -> int:
    """Return the columns a terminal uses for `text`."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def hang(text: str, indent: int) -> str:
    """Break a line at the terminal's edge, going on below its own beginning.

    `text` starts in column `indent`. Piped output is one line a fact.
    """
    if not sys.stdout.isatty():
        return text
    room = max(shutil.get_terminal_size().columns - indent - 1, 20)
    lines, used, start, blank = [], 0, 0, -1
    for place, char in enumerate(text):
        used += width(char)
        if char == " ":
            blank = place
        if used > room:
            # Chinese may break anywhere; an ASCII word goes down as a whole.
            inside = width(char) == 1 and width(text[place - 1]) == 1 and char != " "
            cut = blank + 1 if inside and blank > start else place
            lines.append(text[start:cut])
            start, blank, used = cut, -1, width(text[cut : place + 1])
    return f"\n{' ' * indent}".join([*lines, text[start:]])


def facts(rows: Iterable[tuple[str, str]], indent: int = 0) -> None:
    """Print label and value pairs, values aligned; an empty label continues the one above."""
    listed = list(rows)
    room = max((width(label) for label, _ in listed), default=0)
    for label, value in listed:
        pad = " " * (room - width(label) + 2)
        click.echo(f"{' ' * indent}{click.style(label, dim=True)}{pad}{value}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: heading in both languages; `right` aligns figures."""

    zh: str
    en: str
    right: bool = False
    fold: bool = True


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print a table, or the sentence `empty` when there are no rows.

    Where the terminal is too narrow for a table, every row is told in lines of its own: a
    column squeezed to one character, or to none, is worse than no column.
    """
    listed = [tuple(row) for row in rows]
    if not listed:
        click.echo(empty)
        return
    heads = [say(column.zh, column.en) for column in columns]
    least = [
        _least(column, cells)
        for column, cells in zip(columns, zip(heads, *listed, strict=True), strict=True)
    ]
    terminal = sys.stdout.isatty()
    if terminal and sum(least) + _GAP * (len(least) - 1) > shutil.get_terminal_size().columns:
        _stacked(heads, listed)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column, head, room in zip(columns, heads, least, strict=True):
        shown.add_column(
            head,
            min_width=room,
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold",
        )
    for row in listed:
        shown.add_row(*(Text.from_ansi(cell) for cell in row))
    console = Console(width=None if terminal else _PIPED_COLUMNS, highlight=False)
    console.print(shown)


def _least(column: Column, cells: Sequence[str]) -> int:
    """Return the columns of the terminal that a column needs to be read."""
    natural = max(width(line) for cell in cells for line in click.unstyle(cell).split("\n"))
    return min(natural, _FOLDED_LEAST) if column.fold else natural


def _stacked(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print every row as its first cell with the others below, as many to a line as fit."""
    room = shutil.get_terminal_size().columns - 1
    for first, *others in rows:
        click.echo(click.style(first.replace("\n", "  "), bold=True))
        line = " "
        for head, cell in zip(heads[1:], others, strict=True):
            if not click.unstyle(cell).strip("- "):
                continue
            pair = f" {click.style(head, dim=True)} {cell.replace(chr(10), '  ')} "
            if line.strip() and width(click.unstyle(line + pair)) > room:
                click.echo(line.rstrip())
                line = " "
            line += pair
        if line.strip():
            click.echo(line.rstrip())


def when(at_ms: object, *, empty: str = "-") -> str:
    """Return a time of +08:00 as YYYY-MM-DD HH:MM:SS, `empty` for none."""
    if not isinstance(at_ms, int) or at_ms <= 0:
        return empty
    from fep.domain.calendar import local

    return local(at_ms).strftime("%Y-%m-%d %H:%M:%S")


def lasting(ms: int) -> str:
    """Return a duration a person can read: 3d 4h, 12 min, 5 s."""
    seconds = max(ms, 0) // 1000
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return say(f"{days} 天 {hours} 小时", f"{days} d {hours} h")
    if hours:
        return say(f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min")
    if minutes:
        return say(f"{minutes} 分 {seconds} 秒", f"{minutes} min {seconds} s")
    return say(f"{seconds} 秒", f"{seconds} s")
