"""Puts a receipt on a preprinted sheet: which text stands where, in which size.

Rules: a text that is too wide is broken where its box has lines, then drawn smaller; what
then has no room is refused before any paper is taken, never shortened; numbers are not broken.
A text is centred between the top and the foot of its box. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fep.domain.columns import columns, wrap
from fep.domain.faults import refuse
from fep.domain.printing import Form, FormText
from fep.render.form_sheet import DOTS, INCH_MM, Field, FormSheet

# Glyph heights in dots: the printer's own font, then what is drawn.
SIZES = (24, 20, 16)
# Between the text and the left and right edge of its box, so that it touches no line.
PAD_MM = 0.6
GAP = "  "  # between two entries of one box
GRID_MM = 10


def lay(name: str, sheet: FormSheet, data: Mapping[str, Any], paper: str) -> Form:
    """Return the form of a receipt; `data` is that of a page (fep.render.page_view).

    `paper` is the sheet's name, CODE-NUMBER. Raises Refused FRM_OVERFLOW.
    """
    texts: list[FormText] = []
    own = {one.source.partition(":")[2] for one in sheet.fields if ":" in one.source}
    # An entry of 其他信息 that has a box of its own does not stand among the others.
    data = {**data, "others": [pair for pair in data["other"] if pair[0] not in own]}
    for one in sheet.fields:
        text = _text(one.source, data, paper)
        if text:
            texts += _placed(name, one, one.prefix + text)
    texts += _items(name, sheet, data["items"])
    return Form(name, sheet.width, sheet.length, tuple(texts))


def grid(name: str, width_mm: float, length_mm: float, device: str, at: str) -> Form:
    """Return a test grid: a cross every 10 mm, its centre being the point, and its mm.

    Laid on a preprinted sheet it tells how far the printer is off.
    """
    # The lines of this glyph cross in the middle of its cell in every font.
    half = tall = 12 / DOTS * INCH_MM
    texts = []
    for y in range(GRID_MM, int(length_mm - 2), GRID_MM):
        for x in range(GRID_MM, int(width_mm - 2), GRID_MM):
            texts.append(FormText("┼", x - half, y - tall))
        texts.append(FormText(str(y), 2.0, y - 8 / DOTS * INCH_MM, dots=16))
    for x in range(2 * GRID_MM, int(width_mm - 6), 2 * GRID_MM):
        texts.append(FormText(str(x), x - 2.0, 2.0, dots=16))
    texts.append(FormText(f"{device} {at}", 22.0, 3.3 + GRID_MM))
    return Form(name, width_mm, length_mm, tuple(texts))


def _placed(form: str, one: Field, text: str) -> list[FormText]:
    """Place a text in its box. Raises Refused FRM_OVERFLOW."""
    wide, high = (one.w - 2 * PAD_MM) / INCH_MM * DOTS, one.h / INCH_MM * DOTS
    for dots in SIZES:
        across = int(wide * 2 / dots)
        room = min(one.lines, int((high + _leading(dots)) // (dots + _leading(dots))))
        if across < 2 or not room:
            continue
        lines = _broken(text, across) if room > 1 else (text,)
        if len(lines) <= room and all(columns(line) <= across for line in lines):
            return list(_lines(one, lines, dots))
    raise refuse("FRM_OVERFLOW", form=form, field=one.source, text=text[:40])


def _lines(one: Field, lines: tuple[str, ...], dots: int) -> Iterator[FormText]:
    step = (dots + _leading(dots)) / DOTS * INCH_MM
    tall = len(lines) * step - _leading(dots) / DOTS * INCH_MM
    top = one.y + (one.h - tall) / 2
    for place, line in enumerate(lines):
        room = one.w - columns(line) * dots / 2 / DOTS * INCH_MM
        left = {"left": PAD_MM, "center": room / 2, "right": room - PAD_MM}[one.align]
        yield FormText(line, one.x + left, top + place * step, dots, one.bold)


def _leading(dots: int) -> int:
    return max(2, dots // 8)


def _broken(text: str, across: int) -> tuple[str, ...]:
    """Break a text, between its entries where it has some."""
    lines: list[str] = []
    for entry in text.split(GAP):
        joined = f"{lines[-1]}{GAP}{entry}" if lines else entry
        if lines and columns(joined) <= across:
            lines[-1] = joined
        else:
            lines += wrap(entry, across)
    return tuple(lines)


def _items(form: str, sheet: FormSheet, items: list[Mapping[str, str]]) -> Iterator[FormText]:
    table = sheet.items
    if table is None:
        return
    if len(items) > table.room:  # of a kind that is configured no more
        raise refuse("FRM_OVERFLOW", form=form, field="items", text=str(len(items)))
    for place, item in enumerate(items):
        block, row = divmod(place, table.rows)
        for column in table.columns:
            box = Field(
                f"items.{column.source}", table.blocks[block] + column.x,
                table.y + row * table.row, column.w, table.row, column.align,
                lines=2 if column.source == "name" else 1,
            )  # fmt: skip
            if item[column.source]:
                yield from _placed(form, box, item[column.source])


def _text(source: str, data: Mapping[str, Any], paper: str) -> str:
    """Return what a field shows, empty when the receipt has nothing of the kind."""
    if source == "sheet":
        return paper.partition("-")[2]
    if source in ("year", "month", "day"):
        return str(data["issued_on"]).split("-")[("year", "month", "day").index(source)]
    if source == "others":
        return GAP.join(f"{label}：{value}" for label, value in data["others"])
    if source == "channels":
        return GAP.join(f"{label} {value}" for label, value in data["channels"])
    if source == "marks":
        return GAP.join(data["marks"])
    if source == "related":
        return f"{data['related_code']} {data['related_number']}".strip()
    if source.startswith("other:"):
        return str(dict(data["other"]).get(source.partition(":")[2], ""))
    return str(data[source])
