"""The quick reader of the medical dialect: a call that is plainly right, in one typed pass.

Two readers for one shape, as in fep.wire.issue_params: this one takes a call in which nothing
has to be put right but numbers and days, in half the time, and leaves everything else to the
careful one (medical_table.read), which names the first wrong field. A property test holds
them to the same answers. Never: a refusal, a guess.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fep.domain.faults import Refused
from fep.wire.dialects import medical_values
from fep.wire.dialects.medical_issue import ALIASES
from fep.wire.dialects.medical_table import SHAPES, Field

KEPT_MAX = 4096
_money = medical_values.MONEY.fullmatch
# What only the careful reader knows to read: an escape, a name that is wrong ...
_ODD = (b"\\", *(alias.encode() for alias in ALIASES))
# ... a blank around a value, or between the members of a call that is not written tightly.
_BLANKS = (b'" ', b' "')


class _Unlike(Exception):
    """A call that is for the careful reader."""


class _Written(dict[Any, str]):
    """How values of one shape are kept, by how they were sent: prices come again and again.

    Raises Refused for a value that is none.
    """

    def __init__(self, shape: str) -> None:
        super().__init__()
        self._read = SHAPES[shape]
        self._again = shape not in ("moment", "until")

    def __missing__(self, sent: Any) -> str:
        kept = self._read(sent, "")
        if self._again:
            if len(self) >= KEPT_MAX:
                self.clear()
            self[sent] = kept
        return kept


@dataclass(frozen=True, slots=True)
class _Rows:
    """What has to be done to rows of one table once they are read."""

    amounts: tuple[str, ...]
    shaped: tuple[tuple[str, _Written], ...]
    counts: tuple[tuple[str, int], ...]
    needed: tuple[str, ...]  # those of them that must say something


@dataclass(frozen=True, slots=True)
class _Plan:
    """A table as this reader has it."""

    table: tuple[Field, ...]  # kept, so that its identity stays its own
    decode: Callable[[bytes], Any] | None  # None: its rows are read one by one, not by us
    rows: _Rows
    lists: tuple[tuple[str, _Rows], ...]


_plans: dict[int, _Plan] = {}  # by identity: the tables are constants of the dialects
_shapes: dict[str, _Written] = {}


def quick(table: tuple[Field, ...], text: bytes) -> dict[str, Any] | None:
    """Return what medical_table.read returns for a JSON text, None when anything may be amiss."""
    plan = _plans.get(id(table)) or _planned(table)
    marks = _ODD + _BLANKS if b" " in text else _ODD
    if plan.decode is None or any(mark in text for mark in marks):
        return None
    try:
        if not text.decode().isprintable():  # nor any blank but the plain one
            return None
        # There is no escape, so a quote and a colon are never inside a value.
        call = plan.decode(text.replace(b'":null', b'":""'))
        found: dict[str, Any] = msgspec.to_builtins(call)
        _write(plan.rows, found)
        for name, rows in plan.lists:
            for row in found[name]:
                _write(rows, row)
    except (ValueError, TypeError, RecursionError, Refused, _Unlike):
        return None
    return found


def _write(rows: _Rows, found: MutableMapping[str, Any]) -> None:
    for name in rows.amounts:
        sent = found[name]
        if sent != "" and (type(sent) is not str or not _money(sent)):
            found[name] = medical_values.amount(sent, "")
    for name, written in rows.shaped:
        sent = found[name]
        if sent != "":
            found[name] = written[sent]
    for name, default in rows.counts:
        sent = found[name]
        if type(sent) is not int or not 0 <= sent < 2**31:
            found[name] = medical_values.count(sent, "", default)
    for name in rows.needed:
        if not found[name]:
            raise _Unlike(name)


def _planned(table: tuple[Field, ...]) -> _Plan:
    lists = [field for field in table if field.shape == "list"]
    # Rows that are read one by one, or have lists of their own, are for the other reader.
    ours = all(field.rows and all(row.shape != "list" for row in field.rows) for field in lists)
    decode = msgspec.json.Decoder(_struct(table), float_hook=str).decode if ours else None
    inner = tuple((field.name, _rows(field.rows)) for field in lists)
    plan = _plans[id(table)] = _Plan(table, decode, _rows(table), inner)
    return plan


def _rows(table: tuple[Field, ...]) -> _Rows:
    shaped = [field for field in table if field.shape in SHAPES]
    return _Rows(
        tuple(field.name for field in shaped if field.money),
        tuple((field.name, _shape(field.shape)) for field in shaped if not field.money),
        tuple((field.name, field.default) for field in table if field.shape == "count"),
        tuple(field.name for field in shaped if field.need),
    )


def _shape(shape: str) -> _Written:
    if shape not in _shapes:
        _shapes[shape] = _Written(shape)
    return _shapes[shape]


def _struct(table: tuple[Field, ...]) -> type[msgspec.Struct]:
    """Return the type of a table's objects: unknown members are passed over."""
    return msgspec.defstruct("Call", [_member(field) for field in table], kw_only=True)


def _member(field: Field) -> Any:
    """Return name, type and what stands for a member that is not there."""
    least = 1 if field.need else 0
    if field.shape == "list":
        row: Any = _struct(field.rows)
        listed: Any = Annotated[tuple[row, ...], Meta(min_length=least, max_length=field.rows_max)]
        return (field.name, listed) if field.need else (field.name, listed, ())
    if field.plain:
        text: Any = Annotated[str, Meta(min_length=least, max_length=field.limit)]
        return (field.name, text) if field.need else (field.name, text, "")
    return field.name, Any, ""  # a number or a text: looked at afterwards
