"""Desk methods of the day close: close, list, show, shift, month and year.

A closed day is shown only after its signature and its chain have been verified; a month or a
year is the sum of its closed days and names those that are missing. Shifts are read from the
receipts themselves, closed or not.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from fep.crypto import certs, sm3
from fep.domain.calendar import CST, day_of, to_ms
from fep.domain.dayclose import Sum, days_between, span
from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.services.days import Days
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.face import CHANNEL_NAMES
from fep.store import days
from fep.store.days import Closed
from fep.store.queries import certificate_of_serial_q

if TYPE_CHECKING:
    from fep.services.days import Days

LISTED_MAX = 1000
SHIFT_DAYS_MAX = 31


class ListParams(Params):
    """day.list."""

    unit: str = ""
    limit: int = 31


class CloseParams(Params):
    """day.close: why a person asks for it."""

    reason: str


class ShowParams(Params):
    """day.show: a date YYYY-MM-DD, a month YYYY-MM or a year YYYY; all units by default."""

    period: str
    unit: str = ""


class ShiftParams(Params):
    """day.shift: a cashier's receipts from `since` to `until`, "YYYY-MM-DD HH:MM" of +08:00."""

    cashier: str
    since: str
    until: str
    unit: str = ""


def _days(ctx: DeskContext) -> Days:
    if ctx.accounts is None:
        raise desk_refuse("CTL_STOPPED", verb="day close")
    found: Days = ctx.accounts.days
    return found


async def close(ctx: DeskContext, asked: CloseParams) -> dict[str, Any]:
    """Begin to close what is due; `day.progress` tells how far it is."""
    reason = stated(asked.reason)
    await ctx.writer("day close").do("day.asked", _asked_txn, reason, ctx.peer)
    _days(ctx).begin()
    return _days(ctx).progress.told()


def _asked_txn(tx: Any, reason: str, who: str) -> None:
    tx.journal("day.asked", "", {"reason": reason, "who": who})


async def progress(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return how far the close is."""
    return _days(ctx).progress.told()


async def list_days(ctx: DeskContext, asked: ListParams) -> dict[str, Any]:
    """Return the newest closed days."""
    limit = max(1, min(asked.limit, LISTED_MAX))
    return {"days": await ctx.read(days.listed_q, _units(ctx, asked.unit), limit)}


async def show(ctx: DeskContext, asked: ShowParams) -> dict[str, Any]:
    """Return the sum of a period's closed days a unit, verified, and what is not closed."""
    try:
        first, last = span(asked.period)
    except ValueError as error:
        raise refuse("DAY_NAME", text=asked.period[:40]) from error
    today = day_of(ctx.now_ms())
    units = []
    for unit in _units(ctx, asked.unit):
        found = await ctx.read(_verified_q, unit, first, last)
        summed = Sum()
        for closed in found:
            summed.merge(closed.told())
        have = {closed.day for closed in found}
        over = [day for day in days_between(first, last) if day < today]
        units.append({
            "unit": unit, "name": _name(ctx, unit), "days": len(found),
            "missing": [day for day in over if day not in have],
            "since": await ctx.read(days.first_day_q, unit),
            "closed_at": found[-1].closed_at if found else 0,
            "sm3": found[-1].sm3.hex() if len(found) == 1 else "",
            "cert_serial": found[-1].cert_serial if found else "",
            "signature": found[-1].der.hex() if len(found) == 1 else "",
            "open": found[-1].told()["open"] if found else {"queued": 0, "frozen": 0},
            **summed.told(),
        })  # fmt: skip
    if len(units) == 1 and not units[0]["days"]:
        raise refuse("DAY_NONE", unit=units[0]["unit"], day=asked.period)
    return {"what": "period", "period": asked.period, "first": first, "last": last,
            "units": units, "channel_names": CHANNEL_NAMES,
            "kind_names": kind_names(ctx)}  # fmt: skip


def _verified_q(conn: Connection, unit: str, first: str, last: str) -> list[Closed]:
    """Return closed days whose bodies are what was signed. Raises Refused DAY_BROKEN."""
    found = days.closed_q(conn, unit, first, last)
    keys: dict[str, certs.Certificate | None] = {}
    for closed in found:
        serial = closed.cert_serial
        if serial not in keys:
            der = certificate_of_serial_q(conn, serial)
            keys[serial] = certs.parse(der) if der else None
        key = keys[serial]
        genuine = key is not None and key.public_key.verify(closed.body, closed.der)
        if not genuine or sm3.digest(closed.body) != closed.sm3:
            raise refuse("DAY_BROKEN", day=f"{unit} {closed.day}")
    for before, after in itertools.pairwise(found):
        if after.told()["prev"] != before.sm3.hex():
            raise refuse("DAY_BROKEN", day=f"{unit} {after.day}")
    return found


async def shift(ctx: DeskContext, asked: ShiftParams) -> dict[str, Any]:
    """Return what a cashier issued in a time, from the receipts themselves."""
    since, until = _moment(asked.since), _moment(asked.until)
    first, last = day_of(since), day_of(until)
    if until <= since or len(days_between(first, last)) > SHIFT_DAYS_MAX + 1:
        raise refuse("DAY_NAME", text=f"{asked.since} - {asked.until}"[:80])
    units = []
    for unit in _units(ctx, asked.unit):
        summed, after = Sum(), 0
        while True:
            rows, after = await ctx.read(
                days.issued_q, unit, since, until, (first, last), after
            )  # fmt: skip
            for row in rows:
                if row.entry.cashier == asked.cashier and not row.frozen:
                    summed.add(row.entry)
            if not after:
                break
        if summed.total.blue or summed.total.red or summed.total.burned:
            units.append({"unit": unit, "name": _name(ctx, unit), "days": 0, "missing": [],
                          **summed.told()})  # fmt: skip
    return {"what": "shift", "cashier": asked.cashier, "since": since, "until": until,
            "units": units, "channel_names": CHANNEL_NAMES,
            "kind_names": kind_names(ctx)}  # fmt: skip


def _moment(text: str) -> int:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise refuse("DAY_NAME", text=text[:40]) from error
    return to_ms(at if at.tzinfo else at.replace(tzinfo=CST))


def _units(ctx: DeskContext, unit: str) -> Sequence[str]:
    if unit and unit not in ctx.units:
        raise refuse("CFG_UNIT", unit=unit[:40])
    return (unit,) if unit else ctx.units


def _name(ctx: DeskContext, unit: str) -> str:
    found = ctx.settings.units.get(unit) if ctx.settings is not None else None
    return str(found.name) if found is not None else unit


def kind_names(ctx: DeskContext) -> dict[str, str]:
    """Return the names of kinds as an accountant says them."""
    kinds = ctx.settings.kinds if ctx.settings is not None else {}
    return {id_: kind.name.removesuffix("（电子）") for id_, kind in kinds.items()}


METHODS: dict[str, Method] = {
    "day.close": Method("admin", CloseParams, close, changes=True),
    "day.progress": Method("admin", None, progress),
    "day.list": Method("admin", ListParams, list_days),
    "day.show": Method("admin", ShowParams, show),
    "day.shift": Method("admin", ShiftParams, shift),
}
