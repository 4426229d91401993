"""A preprinted sheet (套打格式) as data: where its boxes are, in mm from its top left corner.

Owns the shape of conf/forms/*.toml and what may be wrong in one. Rules: a box never leaves
its sheet and no two overlap; a sheet is a whole number of 1/6 inch long, as the holes of a
tractor are. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

INCH_MM = 25.4
DOTS = 180
LENGTH_STEP_MM = INCH_MM / 6
LENGTH_SLACK_MM = 0.1
# The smallest glyphs that are printed: 16 of 180 dots an inch.
LEAST_MM = 16 / DOTS * INCH_MM
ROWS_MAX = 60
SOURCES = frozenset({
    "title", "code", "number", "check_code", "sheet", "issued_on", "year", "month", "day",
    "unit", "unit_code", "payer", "payer_code", "total", "words", "remark", "cashier",
    "checker", "pay_code", "currency", "others", "channels", "marks", "related",
})  # fmt: skip
"""What a field may show; beside these `other:CAPTION` for one entry of 其他信息."""
COLUMNS = frozenset({"name", "code", "count", "quantity", "unit", "standard", "amount", "remark"})
NEEDED = ("number", "total")

Mm = Annotated[float, msgspec.Meta(ge=0, le=600)]
Size = Annotated[float, msgspec.Meta(gt=0, le=600)]
Align = Literal["left", "center", "right"]


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One box. `lines` is how many lines its text may take; `caption` stands on the sheet
    already and is never printed.
    """

    source: str
    x: Mm
    y: Mm
    w: Size
    h: Size
    align: Align = "left"
    lines: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    bold: bool = False
    prefix: Annotated[str, msgspec.Meta(max_length=10)] = ""
    caption: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of the table of items; `x` counts from the left of its block."""

    source: str
    x: Mm
    w: Size
    align: Align = "left"
    caption: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Items(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table of items: `blocks` are the left edges of equal columns of rows."""

    y: Mm
    row: Size
    rows: Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX)]
    blocks: Annotated[list[Mm], msgspec.Meta(min_length=1, max_length=4)]
    columns: Annotated[list[Column], msgspec.Meta(min_length=1, max_length=8)]

    @property
    def room(self) -> int:
        """Return how many items it shows."""
        return self.rows * len(self.blocks)


class FormSheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One preprinted sheet. `kinds` are the kinds of receipts that are printed on it."""

    name: str
    kinds: list[str]
    width: Size
    length: Size
    fields: list[Field]
    items: Items | None = None

    @property
    def room(self) -> int:
        """Return how many items it shows; 0 says that it has no table."""
        return self.items.room if self.items is not None else 0


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the sheet, in mm; `name` is what a person calls it."""

    name: str
    x: float
    y: float
    w: float
    h: float
    caption: str = ""
    trail: tuple[str | int, ...] = ()

    def meets(self, other: Box) -> bool:
        """Say whether the two share more than an edge."""
        return (
            self.x < other.x + other.w - 0.01
            and other.x < self.x + self.w - 0.01
            and self.y < other.y + other.h - 0.01
            and other.y < self.y + self.h - 0.01
        )


def boxes(sheet: FormSheet) -> Iterator[Box]:
    """Yield every box of a sheet, those of the table row by row."""
    for place, one in enumerate(sheet.fields):
        yield Box(one.source, one.x, one.y, one.w, one.h, one.caption, ("fields", place))
    table = sheet.items
    if table is None:
        return
    for block, left in enumerate(table.blocks):
        for row in range(table.rows):
            for column in table.columns:
                yield Box(
                    f"items[{block * table.rows + row}].{column.source}", left + column.x,
                    table.y + row * table.row, column.w, table.row,
                    column.caption if row == 0 else "", ("items",),
                )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing to put right, in both languages."""

    trail: tuple[str | int, ...]
    zh: str
    en: str


def problems(sheet: FormSheet) -> Iterator[Wrong]:
    """Yield everything that is wrong with a sheet."""
    off = sheet.length - round(sheet.length / LENGTH_STEP_MM) * LENGTH_STEP_MM
    if abs(off) > LENGTH_SLACK_MM:
        yield Wrong(("length",), f"纸长 {sheet.length:g} 毫米不是 1/6 英寸的整数倍",
                    f"a length of {sheet.length:g} mm is no multiple of 1/6 inch")  # fmt: skip
    if not sheet.kinds:
        yield Wrong(("kinds",), "没有写用于哪些票据种类", "no kind of receipt is named")
    yield from _names(sheet)
    found = list(boxes(sheet))
    for box in found:
        if box.x + box.w > sheet.width + 0.01 or box.y + box.h > sheet.length + 0.01:
            yield Wrong(box.trail, f"{box.name} 超出纸张", f"{box.name} leaves the sheet")
        if box.h < LEAST_MM:
            yield Wrong(box.trail, f"{box.name} 高不足 {LEAST_MM:.1f} 毫米",
                        f"{box.name} is lower than {LEAST_MM:.1f} mm")  # fmt: skip
    for place, box in enumerate(found):
        for other in found[place + 1 :]:
            if box.meets(other):
                yield Wrong(other.trail, f"{other.name} 与 {box.name} 重叠",
                            f"{other.name} overlaps {box.name}")  # fmt: skip


def _names(sheet: FormSheet) -> Iterator[Wrong]:
    for place, one in enumerate(sheet.fields):
        if one.source not in SOURCES and not one.source.startswith("other:"):
            yield Wrong(("fields", place, "source"), f"没有内容 {one.source}",
                        f"there is nothing called {one.source}")  # fmt: skip
    for column in sheet.items.columns if sheet.items else ():
        if column.source not in COLUMNS:
            yield Wrong(("items",), f"项目没有 {column.source}", f"items have no {column.source}")
    here = {one.source for one in sheet.fields}
    for name in NEEDED:
        if name not in here:
            yield Wrong(("fields",), f"缺少 {name}", f"{name} is missing")
