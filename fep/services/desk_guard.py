"""Checks of what stands guard: fence, witness, clock, offline budget, stock in days."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fep.domain.faults import Refused
from fep.domain.link_budget import MS_PER_HOUR, WARN_PERCENT
from fep.domain.money import format_fen
from fep.domain.stock import LOW_DAYS
from fep.services import desk_checks as checks
from fep.services.desk_checks import Check, State
from fep.services.desk_context import DeskContext

LIFT = "fepctl fence lift --help"
CONFIRM = "fepctl clock confirm --reason TEXT"


def guards(ctx: DeskContext) -> list[Check]:
    """Return what status and doctor say of fence, clock and budget."""
    found: list[Check] = []
    fault = ctx.fence.fault if ctx.fence is not None else None
    if fault is not None:
        found.append(_refused("FENCE", fault, LIFT))
    elif ctx.issue is not None:
        found.append(checks.fence(ctx.issue.fenced))
    if ctx.clockwatch is not None and ctx.clockwatch.fault is not None:
        found.append(_refused("CLOCK", ctx.clockwatch.fault, CONFIRM))
    if ctx.budget is not None:
        found.append(_budget(ctx))
    return found


def _refused(code: str, fault: Refused, next_: str) -> Check:
    return Check(code, State.FAIL, f"{fault.code} {fault.zh}", f"{fault.code} {fault.en}", next_)


def budget(ctx: DeskContext) -> dict[str, Any]:
    """Return limits and use of the offline budget as members; empty when stopped."""
    if ctx.budget is None:
        return {}
    limits, use = ctx.budget.limits, ctx.budget.use()
    return {
        "hours_max": limits.hours, "hours": round(use.offline_ms / MS_PER_HOUR, 1),
        "count_max": limits.count, "count": use.count,
        "amount_max": _yuan(limits.amount_fen), "amount": format_fen(use.amount_fen),
        "single_max": _yuan(limits.single_fen), "percent": limits.used_percent(use),
        "warning": limits.warning(use),
    }  # fmt: skip


def _yuan(fen: int | None) -> str | None:
    return None if fen is None else format_fen(fen)


def _budget(ctx: DeskContext) -> Check:
    told = budget(ctx)
    percent = told["percent"]
    zh = f"离线额度已用 {percent}%（{told['hours']} 小时，{told['count']} 张，{told['amount']} 元）"
    en = (f"{percent}% of the offline budget is used ({told['hours']} h, {told['count']}"
          f" receipts, {told['amount']} yuan)")  # fmt: skip
    if percent >= 100:
        return Check("OFFLINE", State.FAIL, zh, en, "fepctl link")
    if percent >= WARN_PERCENT[0]:
        return Check("OFFLINE", State.WARN, zh, en, "fepctl link")
    return Check("OFFLINE", State.OK, zh, en)


def witness(data: Path, directory: Path) -> Check:
    """Look where the witness is: beside the data it is lost together with them."""
    if not directory.is_dir():
        return Check("WITNESS", State.WARN, f"还没有见证目录 {directory}",
                     f"there is no witness at {directory} yet", f"ls -ld {directory}")  # fmt: skip
    if directory.resolve().is_relative_to(data.resolve()):
        return Check("WITNESS", State.FAIL, f"见证目录 {directory} 在数据目录之内，防不住旧备份",
                     f"the witness {directory} lies inside the data: it guards nothing",
                     "fepctl help fence")  # fmt: skip
    if directory.stat().st_dev == data.stat().st_dev:
        return Check("WITNESS", State.WARN, f"见证目录 {directory} 与数据同盘，请换一块磁盘",
                     f"the witness {directory} is on the file system of the data, use another disk",
                     "fepctl help fence")  # fmt: skip
    return Check("WITNESS", State.OK, f"见证目录 {directory} 在另一文件系统",
                 f"the witness {directory} is on a file system of its own")  # fmt: skip


def days(rows: Sequence[dict[str, Any]]) -> list[Check]:
    """Warn of stocks that last less than a week at the busiest day's rate."""
    return [
        Check("NUMBERS_DAYS", State.WARN,
              f"{row['unit']} {row['code']} 按最忙一天计只够 {row['days']} 天",
              f"{row['unit']} {row['code']} lasts {row['days']} days at the busiest rate"
              f" (under {LOW_DAYS})",
              checks.import_command(row["unit"], row["code"]))
        for row in rows if row["low"]
    ]  # fmt: skip
