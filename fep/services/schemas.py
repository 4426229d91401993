"""Shapes of params and results by method, for the served documents.

A method may carry its own (`Method.params`, `Method.result`); what it does not carry is looked
up here. The methods of the desk bring the shape of their params, and their results are told as
objects with the members listed. Rule: a method without a shape is found by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fep.services import schemas_desk
from fep.services import schemas_receipts as r
from fep.services.forms_shapes import FormJob
from fep.services.methods import Method
from fep.services.schemas_receipts import Asked


class Nothing(Asked):
    """No members."""


class SheetPlace(Asked):
    """The next sheet of a point."""

    unit: r.Unit
    point: r.Point
    sheet_code: Annotated[str, Meta(max_length=20)] = ""


class NextSheet(msgspec.Struct, kw_only=True):
    """The sheet to load (CODE-NUMBER), and how many are left."""

    sheet: str | None
    left: int


class ExchangeAsked(Asked):
    """换开; `sheet` is checked against the next one."""

    unit: r.Unit
    point: r.Point
    code: r.Code
    number: r.Number
    sheet: Annotated[str, Meta(max_length=40)] = ""
    operator: r.Text50 = ""
    reason: Annotated[str, Meta(max_length=200)] = ""
    print: bool = False


class ReexchangeAsked(Asked):
    """重新换开: voids the sheet it has and takes the next.

    With `replaces`, the sheet to be voided, a call may be repeated.
    """

    unit: r.Unit
    point: r.Point
    code: r.Code
    number: r.Number
    reason: r.Reason
    sheet: Annotated[str, Meta(max_length=40)] = ""
    replaces: Annotated[str, Meta(max_length=40)] = ""
    operator: r.Text50 = ""
    print: bool = False


class Exchanged(msgspec.Struct, kw_only=True):
    """The sheet the receipt has now, and the one it had."""

    sheet: str
    replaced: str | None
    repeated: bool
    job: FormJob | msgspec.UnsetType = msgspec.UNSET


class VoidAsked(Asked):
    """作废空白或已换开的纸质票, by name CODE-NUMBER."""

    unit: r.Unit
    point: r.Point
    first: Annotated[str, Meta(min_length=1, max_length=40)]
    reason: r.Reason
    last: Annotated[str, Meta(max_length=40)] = ""
    operator: r.Text50 = ""


class Voided(msgspec.Struct, kw_only=True):
    """The sheets that are void now."""

    voided: list[str]


class SheetAsked(Asked):
    """One `sheet`, or those of the receipt `code`, `number`."""

    unit: r.Unit
    sheet: Annotated[str, Meta(max_length=40)] = ""
    code: Annotated[str, Meta(max_length=8)] = ""
    number: Annotated[str, Meta(max_length=10)] = ""


class SheetGot(msgspec.Struct, kw_only=True):
    """One sheet, or the sheets of a receipt."""

    sheet: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    sheets: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class SheetsAsked(Asked):
    """Sheets that are not blank, by name; `after` is the last one of the page before."""

    unit: r.Unit
    point: Annotated[str, Meta(max_length=40)] = ""
    state: Literal["", "used", "void"] = ""
    after: Annotated[str, Meta(max_length=40)] = ""
    limit: r.Cursor = 50


class Sheets(msgspec.Struct, kw_only=True):
    """A page of sheets and the cursor of the next."""

    sheets: list[dict[str, Any]]
    next: str | None


class PrintAsked(Asked):
    """补打: a copy after the first is marked."""

    code: r.Code
    number: r.Number
    reason: r.Reason
    point: Annotated[str, Meta(max_length=40)] = ""
    operator: r.Text50 = ""


class Job(msgspec.Struct, kw_only=True):
    """A print job and what is known of its paper."""

    id: int
    copy: int
    state: str
    device: str | None
    reason: str | None
    created_at: int
    updated_at: int


class JobTold(msgspec.Struct, kw_only=True):
    """The job."""

    job: Job


class Jobs(msgspec.Struct, kw_only=True):
    """Every copy of a receipt."""

    jobs: list[Job]


class Pong(msgspec.Struct, kw_only=True):
    """Version and time."""

    version: str
    at: str


class MethodTold(msgspec.Struct, kw_only=True):
    """A method the caller may call."""

    name: str
    right: str
    about: str


class MethodsTold(msgspec.Struct, kw_only=True):
    """The methods the caller may call."""

    methods: list[MethodTold]


class Answer(msgspec.Struct, kw_only=True):
    """An answer of the desk: an object, whose members the manual of the command names."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What goes in and what comes out."""

    params: Any
    result: Any


SHAPES: Mapping[str, Shape] = {
    "receipt.issue": Shape(r.IssueAsked, r.Issued),
    "receipt.get": Shape(r.GetAsked, r.Got),
    "receipt.find": Shape(r.FindAsked, r.Found),
    "receipt.reverse": Shape(r.ReverseAsked, r.ReversedTold),
    "receipt.life": Shape(r.LifeAsked, r.LifeGot),
    "event.submit": Shape(r.IssueAsked, r.Submitted),
    "event.get": Shape(r.EventAsked, r.EventGot),
    "paper.next": Shape(SheetPlace, NextSheet),
    "paper.exchange": Shape(ExchangeAsked, Exchanged),
    "paper.reexchange": Shape(ReexchangeAsked, Exchanged),
    "paper.void": Shape(VoidAsked, Voided),
    "paper.get": Shape(SheetAsked, SheetGot),
    "paper.list": Shape(SheetsAsked, Sheets),
    "print.again": Shape(PrintAsked, JobTold),
    "print.get": Shape(r.LifeAsked, Jobs),
    "system.ping": Shape(Nothing, Pong),
    "system.methods": Shape(Nothing, MethodsTold),
    "system.discover": Shape(Nothing, Answer),
}


def shape_of(name: str, method: Method) -> Shape | None:
    """Return the shape of a method, None when nobody has told one."""
    told = SHAPES.get(name)
    params = method.params or (told.params if told else None)
    result = method.result or (told.result if told else None)
    if result is Answer:
        result = schemas_desk.told(name) or Answer
    if params is None or result is None:
        return None
    return Shape(params, result)
