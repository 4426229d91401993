"""Checks of the books for doctor and status: days not closed, differences, revoked certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from fep.domain.calendar import day_of
from fep.domain.dayclose import due
from fep.services.desk_checks import Check, State
from fep.services.desk_context import DeskContext
from fep.store.days import first_day_q, last_closed_q
from fep.store.reconcile import open_count_q

PATIENCE_MS = 2 * 3_600_000  # after midnight, before an unclosed day is worth a word


@dataclass(frozen=True, slots=True)
class Books:
    """Days that are over and not closed, as unit and date; differences nobody dealt with."""

    unclosed: tuple[tuple[str, str], ...] = ()
    differences: int = 0


def books_q(conn: Connection, units: Sequence[str], now_ms: int) -> Books:
    """Look at closed days and differences; nothing of a store that is older than they are."""
    try:
        found: list[tuple[str, str]] = []
        for unit in units:
            last = last_closed_q(conn, unit)
            first = "" if last else first_day_q(conn, unit)
            days = due(last.day if last else "", first, day_of(now_ms - PATIENCE_MS))
            found += [(unit, day) for day in days]
        return Books(tuple(found), open_count_q(conn))
    except OperationalError:
        return Books()


def checks(ctx: DeskContext, books: Books) -> list[Check]:
    """Return the lines about the books; none when all is well."""
    found: list[Check] = []
    tests = {unit.code for unit in ctx.settings.units.values() if unit.test} if ctx.settings else ()
    unclosed = [(unit, day) for unit, day in books.unclosed if unit not in tests]
    if unclosed:
        unit, day = unclosed[0]
        found.append(Check("DAYS", State.WARN, f"{len(unclosed)} 天没有日结，最早 {unit} {day}",
                           f"{len(unclosed)} days are not closed, the first {unit} {day}",
                           "fepctl day close --reason TEXT"))  # fmt: skip
    if books.differences:
        found.append(Check("RECONCILE", State.WARN,
                           f"与平台对账有 {books.differences} 项差异待处理",
                           f"{books.differences} differences with the platform wait for a person",
                           "fepctl reconcile show"))  # fmt: skip
    for unit, signer in ctx.signers.items():
        refused = ctx.accounts.revoked(unit, signer.cert_serial) if ctx.accounts else None
        if refused is not None:
            found.append(Check("SIGNER", State.FAIL, refused.zh, refused.en, "fepctl help keys"))
    return found
