"""Field tables of the medical dialect: one row a field, read the same way for every method.

Rules: names are compared without blanks around them; unknown names are ignored; a list may
come as a text that holds JSON; what is read is text, or tuples of such rows. The three
versions of the dialect are one table: what a version lacks is optional.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fep.domain.faults import refuse
from fep.wire.dialects import medical_envelope, medical_values

Row = Mapping[str, Any]
ROWS_MAX = 20_000
_MONEY, _NUMBER = medical_values.MONEY.fullmatch, medical_values.PLAIN.fullmatch
_DIGITS = {"price": 6, "detail": 4}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `shape` is text, amount, price, detail, count, day, moment, until or list."""

    name: str
    limit: int = 50
    shape: str = "text"
    need: bool = False
    rows: tuple[Field, ...] = ()
    rows_max: int = 200
    default: int = 0
    optional: bool = dataclasses.field(init=False, default=False)
    plain: bool = dataclasses.field(init=False, default=False)
    money: bool = dataclasses.field(init=False, default=False)
    digits: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        """Note once what is asked at every call: may it be left out, and what is it."""
        optional = not self.need and self.shape not in ("list", "count")
        object.__setattr__(self, "optional", optional)
        object.__setattr__(self, "plain", self.shape == "text")
        object.__setattr__(self, "money", self.shape == "amount")
        object.__setattr__(self, "digits", _DIGITS.get(self.shape, 0))

    def read(self, value: Any, path: str) -> Any:
        """Return the value of this field. Raises Refused REQ_FIELD_*."""
        if self.shape == "list":
            return self._list(value, path)
        if self.shape == "count":
            return medical_values.count(value, path, self.default)
        found = (
            medical_values.text(value, path, self.limit)
            if self.shape == "text"
            else SHAPES[self.shape](value, path)
        )
        if self.need and not found:
            raise refuse("REQ_FIELD_MISSING", field=path)
        return found

    def _list(self, value: Any, path: str) -> tuple[Row, ...]:
        if isinstance(value, str):
            value = medical_envelope.parsed(value.encode(errors="replace")) if value.strip() else []
        if isinstance(value, dict):
            value = [value]
        if value is None:
            value = []
        if not isinstance(value, list):
            raise refuse("REQ_FIELD_TYPE", field=path, why="list")
        if len(value) > self.rows_max:
            raise refuse("REQ_FIELD_LENGTH", field=path, limit=self.rows_max)
        if self.need and not value:
            raise refuse("REQ_FIELD_MISSING", field=path)
        if not self.rows:  # rows that are read one by one, each with its own refusal
            return tuple(row if isinstance(row, dict) else {} for row in value)
        return tuple(
            read(self.rows, row, f"{path}[{place}]")
            for place, row in enumerate(value)
            if row is not None
        )


SHAPES: Mapping[str, Callable[[Any, str], str]] = {
    "amount": medical_values.amount,
    "price": partial(medical_values.decimal, digits=_DIGITS["price"]),
    "detail": partial(medical_values.decimal, digits=_DIGITS["detail"]),
    "day": medical_values.day,
    "moment": medical_values.moment,
    "until": partial(medical_values.moment, fill="235959999"),
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """A table as it is read: what an empty object gives, and the fields by their names."""

    table: tuple[Field, ...]  # kept, so that its identity stays its own
    empty: Mapping[str, Any]
    named: Mapping[str, Field]
    strict: tuple[Field, ...]  # those that have something to say when they are not there


_plans: dict[int, _Plan] = {}  # by identity: the tables are constants of the dialects
_ABSENT: Any = object()


def _planned(table: tuple[Field, ...]) -> _Plan:
    plan = _plans.get(id(table))
    if plan is None:
        empty = {field.name: "" if field.optional else _ABSENT for field in table}
        strict = tuple(field for field in table if not field.optional)
        plan = _Plan(table, empty, {field.name: field for field in table}, strict)
        _plans[id(table)] = plan
    return plan


def read(table: tuple[Field, ...], value: Any, path: str = "") -> dict[str, Any]:
    """Return every field of a table out of one object. Raises Refused REQ_FIELD_*, REQ_PARSE.

    `table` is a constant. What is sent is walked, not what could be: a call fills a third of
    its fields, a row of a list fewer.
    """
    if not isinstance(value, dict):
        raise refuse("REQ_FIELD_TYPE", field=path or "data", why="object")
    plan = _planned(table)
    found = dict(plan.empty)
    named, base = plan.named, f"{path}." if path else ""
    for name, given in value.items():
        field = named.get(name)
        if field is None:
            name = str(name).strip()
            field = named.get(name)
            if field is None:
                continue
        if type(given) is str:
            if field.plain and given.isprintable() and len(given) <= field.limit:
                plain = given.strip()
                if plain or field.optional:
                    found[name] = plain
                    continue
            elif field.money:
                if _MONEY(given):  # most amounts, as they should be written
                    found[name] = given
                    continue
            elif field.digits:
                number = _NUMBER(given)  # and most prices
                if number is not None and len(number[1] or "") <= field.digits:
                    found[name] = given.rstrip("0").rstrip(".") if number[1] else given
                    continue
        if field.optional and (given is None or given == ""):
            found[name] = ""
        else:
            found[name] = field.read(given, base + name)
    for field in plan.strict:
        if found[field.name] is _ABSENT:
            found[field.name] = field.read(None, base + field.name)
    return found


def texts(names: str, limit: int = 50) -> tuple[Field, ...]:
    """Return optional text fields of one length, named in a line."""
    return tuple(Field(name, limit) for name in names.split())


def needed(names: str, limit: int = 50) -> tuple[Field, ...]:
    """Return mandatory text fields of one length, named in a line."""
    return tuple(Field(name, limit, need=True) for name in names.split())


def amounts(names: str) -> tuple[Field, ...]:
    """Return optional amounts in yuan, named in a line."""
    return tuple(Field(name, shape="amount") for name in names.split())


def days(names: str) -> tuple[Field, ...]:
    """Return optional dates, named in a line."""
    return tuple(Field(name, shape="day") for name in names.split())
