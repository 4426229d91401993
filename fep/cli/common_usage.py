"""What click says of wrong usage, in the operator's language.

click speaks English only. The sentences a person meets are said again here in Chinese; one
that is not known here is shown as click says it, never swallowed.
"""

from __future__ import annotations

import click

from fep.cli.common_lang import say

_PIECES = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 [参数]…",
           "[COMMAND] [ARGS]...": "[命令] [参数]…", "CODE-NUMBER": "票据编号",
           "CODE-NUMBER|FILE": "票据编号或文件", "DEVICE": "设备", "DIR": "目录",
           "[TOPIC]": "[主题]", "TEXT": "文字", "SHEET": "纸质票编号", "FIRST": "首号",
           "[LAST]": "[末号]", "ID": "编号"}  # fmt: skip


def spoken(piece: str) -> str:
    """Return a piece of a usage line in the operator's language."""
    return say(_PIECES.get(piece, piece), piece)


def sentences(error: click.UsageError) -> tuple[str, str]:
    """Return what is wrong with a command line, in Chinese and in English."""
    return _chinese(error), error.format_message()


def _chinese(error: click.UsageError) -> str:
    if isinstance(error, click.MissingParameter):
        return f"缺少 {_name(error)}"
    if isinstance(error, click.NoSuchOption):
        near = f"；是否应为 {' '.join(error.possibilities)}" if error.possibilities else ""
        return f"没有选项 {error.option_name}{near}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error)} 的值不对：{_value(error)}"
    said = error.format_message()
    if said.startswith("No such command"):
        return f"没有命令 {said.removeprefix('No such command').strip(' .')}"
    if said.startswith("Got unexpected extra argument"):
        return f"多余的参数 {said[said.find('(') :].strip('().')}"
    if said.startswith("Missing command"):
        return "缺少下一级命令"
    return said


def _name(error: click.BadParameter) -> str:
    param = error.param
    if param is None:
        return str(error.param_hint or "")
    if isinstance(param, click.Option):
        return " / ".join(param.opts)
    return str(spoken(param.make_metavar(error.ctx) if error.ctx else param.human_readable_name))


def _value(error: click.BadParameter) -> str:
    kind = error.param.type if error.param is not None else None
    if isinstance(kind, click.Choice):
        return f"只能是 {'、'.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange):
        return f"应为 {kind.min} 到 {kind.max} 的整数"
    if isinstance(kind, click.DateTime):
        return "应为真实存在的日期，写作 YYYY-MM-DD"
    if isinstance(kind, click.types.IntParamType):
        return "应为整数"
    if isinstance(kind, click.Path) and error.message.endswith("does not exist."):
        return f"没有此文件：{error.message.partition(chr(39))[2].rpartition(chr(39))[0]}"
    return error.message
