"""Desk method over the kinds of receipt: their codes, the numbers in hand, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fep.domain.kind_check import (
    KindProblem,
    Stocked,
    kind_problems,
    page_problems,
    province_problems,
    stocked,
    unit_problems,
    unprepared,
    year_of,
)
from fep.services.desk_checks import import_command
from fep.services.desk_context import DeskContext, Method, Params
from fep.settings_places import template_dir
from fep.store import queries_stock as stock

TEMPLATES = "templates"


async def list_kinds(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return every kind of every unit with its codes, its stock, and the problems found."""
    return told(ctx.settings, await ctx.read(stock.stock_q, ctx.now_ms()), ctx.now_ms())


def told(settings: Any, stocks: Sequence[stock.Stock], now_ms: int) -> dict[str, Any]:
    """Return the answer of `kinds.list`; without settings there is nothing to list."""
    year = year_of(now_ms)
    answer: dict[str, Any] = {"year": year, "kinds": [], "problems": []}
    if settings is None:
        return answer
    rows = kind_stock(settings, stocks, now_ms)
    answer["kinds"] = [_row(row, settings) for row in rows]
    answer["problems"] = _problems(settings, rows, now_ms)
    return answer


def kind_stock(settings: Any, stocks: Sequence[stock.Stock], now_ms: int) -> list[Stocked]:
    """Return every kind of every unit with the numbers left for this year and the next.

    A stopped site whose configuration is wrong has no settings, and no kinds to tell of.
    """
    if settings is None:
        return []
    left = {(row.unit, row.code): row.left for row in stocks}
    return stocked(settings.units.values(), settings.kinds, left, now_ms)


def page_names(root: Path) -> Set[str]:
    """Return the names of the page templates: the site's own, else those that are shipped."""
    own = root / TEMPLATES
    folder = own if own.is_dir() else template_dir() / TEMPLATES
    return {file.stem for file in folder.glob("*.typ")}


def _row(row: Stocked, settings: Any) -> dict[str, Any]:
    kind, unit = settings.kinds[row.kind], settings.units[row.unit]
    province = settings.provinces.get(unit.province)
    return {
        **asdict(row),
        "unit_name": unit.name,
        "name": f"{province.name if province else ''}{kind.name}",
        "class": kind.receipt_class,
        "specimen": kind.specimen_template.format(code=row.code),
        "numbering": kind.numbering,
        "offline": kind.offline,
        "negative_lines": kind.negative_lines,
        "item_limit": kind.item_limit,
        "overflow": kind.overflow,
        "slip_template": kind.slip_template,
        "page_template": kind.page_template,
        "required": list(kind.required_sources),
        "optional": list(kind.optional_sources),
    }


def _problems(settings: Any, rows: Sequence[Stocked], now_ms: int) -> list[dict[str, Any]]:
    pages = page_names(Path(settings.root))
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(row.kind for row in rows):
        kind = settings.kinds[name]
        for problem in (*kind_problems(kind), *page_problems(kind, pages)):
            found.append(_problem("", name, problem))
    for unit in settings.units.values():
        province = settings.provinces.get(unit.province)
        if province is not None:
            found += [_problem(unit.code, "", p) for p in province_problems(province)]
        years = (year_of(now_ms), year_of(now_ms) + 1)
        for name, problem in unit_problems(unit, settings.kinds, province, years):
            found.append(_problem(unit.code, name, problem))
    found += [_problem(row.unit, row.kind, next_year(row)) for row in unprepared(rows, now_ms)]
    return found


def next_year(row: Stocked) -> KindProblem:
    """Return the finding that next year's numbers are not in hand."""
    return KindProblem(
        ("code_template",), f"明年的票据代码 {row.next_code} 还没有号段",
        f"there is no block yet for next year's code {row.next_code}",
        import_command(row.unit, row.next_code), weak=True,
    )  # fmt: skip


def _problem(unit: str, kind: str, problem: KindProblem) -> dict[str, Any]:
    at = ".".join(str(step) for step in problem.at)
    return {"unit": unit, "kind": kind, "at": at, "zh": problem.zh, "en": problem.en,
            "next": problem.suggestion, "weak": problem.weak}  # fmt: skip


METHODS: dict[str, Method] = {"kinds.list": Method("admin", None, list_kinds)}
