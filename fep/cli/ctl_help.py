"""`fepctl help TOPIC`: the manual that ships with the program."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from fep.cli.common import Column, emit, say, table
from fep.cli.common_lang import LANG
from fep.cli.common_reach import of
from fep.cli.common_verbs import Verb
from fep.domain.faults_desk import desk_refuse


@click.command("help", cls=Verb, zh="手册；不带主题时列出主题", en="the manual; lists its topics")
@click.argument("topic", required=False, default="")
def command(topic: str) -> None:
    """Show a page of the manual, in the other language where this one has none."""
    pages = topics()
    if not topic:
        listed = {name: title(path) for name, path in pages.items()}
        emit({"topics": listed}, lambda: _list(listed))
        return
    page = pages.get(topic.removesuffix(".md"))
    if page is None:
        raise of(desk_refuse("CTL_TOPIC", topic=topic, topics=", ".join(pages)))
    text = page.read_text("utf-8")
    emit({"topic": topic, "markdown": text}, lambda: _show(text))


def topics() -> dict[str, Path]:
    """Return the pages by topic; those of the operator's language win."""
    root = Path(__file__).parent.parent / "docs"
    found: dict[str, Path] = {}
    for language in ("en", "zh") if LANG.get() == "zh" else ("zh", "en"):
        for page in sorted((root / language).glob("*.md")):
            found[page.stem] = page
    return dict(sorted(found.items()))


def title(page: Path) -> str:
    """Return the first heading of a page."""
    with page.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), "")


def _list(listed: dict[str, str]) -> None:
    table((Column("主题", "topic"), Column("内容", "content")), listed.items(),
          empty=say("没有手册", "no manual"))  # fmt: skip
    click.echo(say("查看：fepctl help 主题", "read one: fepctl help TOPIC"))


def _show(text: str) -> None:
    if not sys.stdout.isatty():
        click.echo(text)
        return
    from fep.cli import common_page

    common_page.show(text, shutil.get_terminal_size().columns)
