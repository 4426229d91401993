"""Verbs of the command line: click commands that speak two languages.

Every verb takes -c/--config, --json and --lang, before it or after it. A group may load its
verbs by name only when they are called: `--help` imports none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from fep.cli.common_lang import LANGUAGES, say
from fep.cli.common_usage import spoken

F = TypeVar("F", bound=Callable[..., Any])
CONFIG = "fep.config"
JSON = "fep.json"


class Option(click.Option):
    """An option with its help in both languages."""

    def __init__(self, *args: Any, zh: str = "", en: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zh, self.en = zh, en

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the help line in the operator's language."""
        if self.zh:
            self.help = say(self.zh, self.en)
        return super().get_help_record(ctx)


def option(*names: str, zh: str, en: str, **kwargs: Any) -> Callable[[F], F]:
    """Declare an option; `zh` and `en` are its help."""
    return click.option(*names, cls=Option, zh=zh, en=en, **kwargs)


def reason() -> Callable[[F], F]:
    """Declare --reason, which every changing verb asks for."""
    return option("--reason", required=True, metavar="TEXT",
                  zh="原因（记入日志账）", en="why; it is journalled")  # fmt: skip


def unmask() -> Callable[[F], F]:
    """Declare --unmask: the reason for showing personal fields."""
    return option("--unmask", metavar="REASON", default="",
                  zh="显示个人信息的原因（记入日志账）",
                  en="show personal fields; the reason is journalled")  # fmt: skip


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if value is not None and value is not False:
            ctx.meta[name] = value
        return value

    return keep


def shared_options() -> list[click.Parameter]:
    """Return fresh copies of the options every verb has."""
    return [
        Option(["-c", "--config"], type=click.Path(path_type=Path),
               expose_value=False, callback=_keep(CONFIG), metavar="FILE",
               zh="配置文件（默认 $FEP_CONFIG、./fep.toml、/etc/fep/fep.toml）",
               en="configuration (default $FEP_CONFIG, ./fep.toml, /etc/fep/fep.toml)"),
        Option(["--json"], is_flag=True, expose_value=False, callback=_keep(JSON),
               zh="输出 JSON", en="print JSON"),
        Option(["--lang"], type=click.Choice(LANGUAGES), expose_value=False,
               zh="语言", en="language"),
    ]  # fmt: skip


class _Speaking(click.Command):
    """What verbs and groups share: shared options and headings in the operator's language."""

    def __init__(self, *args: Any, zh: str = "", en: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zh, self.en = zh, en
        self.params.extend(shared_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; a refusal is shown here, where --json is still known."""
        from fep.cli.common import CliFault, refuse_with

        try:
            return super().invoke(ctx)
        except CliFault as fault:
            refuse_with(fault)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return --help with its sentence in the operator's language."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = say("显示帮助", "show this help")
        return found

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the one-line help."""
        return say(self.zh, self.en).split("\n", 1)[0]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        pieces = " ".join(spoken(piece) for piece in self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=say("用法：", "Usage: "))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the verb does."""
        formatter.write_paragraph()
        with formatter.indentation():
            for line in say(self.zh, self.en).split("\n"):
                formatter.write_text(line)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under a heading in the operator's language."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [option.get_help_record(ctx) for option in options]
        with formatter.section(say("选项", "Options")):
            formatter.write_dl([record for record in records if record])
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class Verb(_Speaking):
    """One verb."""


@dataclass(frozen=True, slots=True)
class Lazy:
    """A verb that is imported when it is called: module, attribute, help."""

    module: str
    attribute: str
    zh: str
    en: str


class Verbs(_Speaking, click.Group):
    """A group of verbs, some of them lazy."""

    command_class = Verb

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they were declared."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, importing its module if need be."""
        entry = self.lazy.get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        found = getattr(importlib.import_module(entry.module), entry.attribute)
        assert isinstance(found, click.Command), entry
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs; lazy ones are not imported for it."""
        rows: list[tuple[str, str]] = []
        for name in self.list_commands(ctx):
            entry = self.lazy.get(name)
            if entry is not None:
                rows.append((name, say(entry.zh, entry.en)))
            else:
                rows.append((name, self.commands[name].get_short_help_str()))
        with formatter.section(say("命令", "Commands")):
            formatter.write_dl(rows)
