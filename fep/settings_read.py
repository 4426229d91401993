"""Tables of a TOML file -> strict structs, with every problem told and not just the first.

Owns the sentences about keys and values. Rules: an unknown key names its nearest known one; a
wrong value is left at its default, so that what follows from it can still be checked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from fep.settings_toml import Source, Trail

S = TypeVar("S", bound=msgspec.Struct)

_TYPES = {
    "str": ("文本（加引号）", "text in quotes"), "int": ("整数", "an integer"),
    "float": ("数字", "a number"), "bool": ("true 或 false", "true or false"),
    "array": ("数组 […]", "an array […]"), "object": ("表", "a table"),
}  # fmt: skip
_AT = re.compile(r" - at `\$(.*)`$")
_GOT = re.compile(r"Expected `([a-z]+)`, got `([a-z]+)`")
_BOUND = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)")
_LENGTH = re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)")
_SHAPE = re.compile(r"Expected `str` matching regex (.+)")
_WRONG = object()


def read(kind: type[S], table: Any, source: Source, trail: Trail = ()) -> S | None:
    """Return the struct of a table; None when a required key is missing or wrong."""
    if not isinstance(table, Mapping):
        source.wrong(trail, f"应为表 [{trail[-1]}]", f"must be a table [{trail[-1]}]")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            _unknown(source, (*trail, key), list(fields))
    values: dict[str, Any] = {}
    whole = True
    for name, field in fields.items():
        place = (*trail, name)
        if name not in table:
            if field.required:
                source.wrong(place, "缺少此项", "is missing", f"{name} = …")
                whole = False
            continue
        found = _value(field.type, table[name], source, place)
        if found is not _WRONG:
            values[name] = found
        elif field.required:
            whole = False
    return _made(kind, values, source, trail) if whole else None


def _value(kind: Any, value: Any, source: Source, trail: Trail) -> Any:
    if _is_struct(kind):
        found = read(kind, value, source, trail)
        return _WRONG if found is None else found
    rows = _row_type(kind)
    if rows is not None and isinstance(value, list):
        read_all = [read(rows, row, source, (*trail, n)) for n, row in enumerate(value)]
        value = tuple(row for row in read_all if row is not None)
        if len(value) < len(read_all):
            # What was left out has been told; the rest is still worth checking.
            return value
    try:
        return msgspec.convert(value, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        _tell(source, trail, kind, value, str(error))
        return _WRONG


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _row_type(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct of `tuple[Struct, ...]`, with or without a bound on its length."""
    if hasattr(kind, "__metadata__"):
        return _row_type(kind.__origin__)
    parts = get_args(kind)
    if get_origin(kind) is tuple and parts and _is_struct(parts[0]):
        struct: type[msgspec.Struct] = parts[0]
        return struct
    return None


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and "\0" not in value:
        return Path(value)
    raise TypeError("Expected `str`, got `object`")


def _made(kind: type[S], values: dict[str, Any], source: Source, trail: Trail) -> S | None:
    try:
        return kind(**values)
    except ValueError as error:
        source.wrong(trail, f"值不可用：{error}", f"holds a value that cannot be used: {error}")
        return None


def _unknown(source: Source, trail: Trail, known: list[str]) -> None:
    key = str(trail[-1])
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    zh = f"未知的配置项，是否应为 {near[0]}" if near else "未知的配置项"
    en = f"unknown key, did you mean {near[0]}" if near else "unknown key"
    source.wrong(trail, zh, en, near[0] if near else " | ".join(known))


def _tell(source: Source, trail: Trail, kind: Any, value: Any, said: str) -> None:
    """Say in both languages what msgspec says; an element of an array has its own line."""
    found = _AT.search(said)
    if found:
        said = said[: found.start()]
        for step in re.findall(r"\[(\d+)\]", found.group(1)):
            trail = (*trail, int(step))
            value = value[int(step)] if isinstance(value, list | tuple) else value
    allowed = _choices(kind)
    if allowed and isinstance(value, str):
        near = difflib.get_close_matches(value, allowed, n=1, cutoff=0.5)
        shown = " | ".join(allowed)
        source.wrong(trail, f"“{value}”不在允许的值中：{shown}",
                     f'"{value}" is none of: {shown}', near[0] if near else shown)  # fmt: skip
        return
    zh, en = _sentences(said)
    source.wrong(trail, zh, en)


def _sentences(said: str) -> tuple[str, str]:
    if found := _GOT.match(said):
        want, got = (_TYPES.get(name, (name, name)) for name in found.groups())
        return f"应为{want[0]}，实为{got[0]}", f"must be {want[1]}, not {got[1]}"
    if found := _BOUND.match(said):
        return f"应 {found[1]} {found[2]}", f"must be {found[1]} {found[2]}"
    if found := _LENGTH.match(said):
        zh, en = ("字符数", "characters") if found[1] == "str" else ("项数", "entries")
        return f"{zh}应 {found[2]} {found[3]}", f"must have {found[2]} {found[3]} {en}"
    if found := _SHAPE.match(said):
        return f"格式应符合 {found[1]}", f"must match {found[1]}"
    return f"值不可用：{said}", said


def _choices(kind: Any) -> list[str]:
    """Return the values a Literal allows, wherever it stands in the type."""
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    parts = (kind.__origin__,) if hasattr(kind, "__metadata__") else get_args(kind)
    return [value for part in parts for value in _choices(part)]
