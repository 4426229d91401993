"""The one-screen status and the doctor: what the services say, what the store says.

Status is cheap and read often; the doctor also opens keys, runs the self-test and lets
SQLite look at its file. Both run on a stopped site with what is left of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, select

from fep.domain.calendar import day_of
from fep.domain.money import format_fen
from fep.services import (
    desk_books,
    desk_bridges,
    desk_callers,
    desk_guard,
    desk_keys,
    desk_payments,
    desk_prints,
    desk_signers,
)
from fep.services import desk_checks as checks
from fep.services.desk_checks import Check, State, attempt
from fep.services.desk_context import STORE_FILE, DeskContext, Method, Params, pid
from fep.services.desk_fence import forecasts_q
from fep.services.desk_kinds import kind_stock
from fep.services.desk_stock import configured_devices, destinations, link_rows
from fep.store import queries, queries_journal
from fep.store import queries_stock as stock
from fep.store.queries_prints import Held, held_q
from fep.store.schema import receipt

DAY_MS = 86_400_000


class DoctorParams(Params):
    """system.doctor: `full` reads the whole store whatever its size."""

    full: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look into the store shows; taken in one read."""

    days: list[queries.Day]
    stocks: list[stock.Stock]
    used_14d: dict[tuple[str, str], int]
    queued: int
    frozen: int
    prints: dict[str, int]
    held: Held | None
    payments: desk_payments.Money
    links: list[stock.LinkRow]
    journal_seq: int
    journal_at: int
    checkpoint: Mapping[str, object] | None
    last_refusal: str
    forecasts: list[dict[str, Any]]
    books: desk_books.Books


def look_q(conn: Connection, units: tuple[str, ...], dests: tuple[str, ...], now_ms: int) -> Seen:
    """Read everything that status and doctor show."""
    stocks = stock.stock_q(conn, now_ms)
    head = queries_journal.head_q(conn)
    known = units or tuple(dict.fromkeys(row.unit for row in stocks))
    refused = stock.refused_q(conn, 1)
    return Seen(
        days=queries.day_q(conn, known, day_of(now_ms)),
        stocks=stocks,
        used_14d=_used(conn, stocks, day_of(now_ms - checks.NUMBERS_LOW_DAYS * DAY_MS)),
        queued=stock.queued_count_q(conn),
        frozen=stock.frozen_count_q(conn),
        prints=stock.print_counts_q(conn),
        held=held_q(conn, now_ms - desk_prints.WAITS_MS),
        payments=desk_payments.look_q(conn, now_ms),
        links=stock.links_q(conn, dests),
        journal_seq=head.seq if head else 0,
        journal_at=int(msgspec.json.decode(head.line)["at"]) if head else 0,
        checkpoint=queries_journal.checkpoint_q(conn),
        last_refusal=refused[0].reason if refused else "",
        forecasts=forecasts_q(conn, stocks, now_ms),
        books=desk_books.books_q(conn, known, now_ms),
    )


def _used(conn: Connection, stocks: list[stock.Stock], since_on: str) -> dict[tuple[str, str], int]:
    """Return numbers given per unit and code since a day, from the index of days."""
    used: dict[tuple[str, str], int] = {}
    for unit in {row.unit for row in stocks}:
        given = conn.execute(
            select(receipt.c.code, func.count())
            .where(and_(receipt.c.unit == unit, receipt.c.issued_on >= since_on))
            .group_by(receipt.c.code)
        )
        used |= {(unit, code): count for code, count in given}
    return used


def devices_of(ctx: DeskContext) -> list[dict[str, Any]]:
    """Return the devices as members, from the running spool or from configuration."""
    if ctx.spool is None:
        return configured_devices(ctx)
    return [msgspec.to_builtins(device) for device in ctx.spool.devices()]


async def status(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return the one-screen status."""
    now_ms = ctx.now_ms()
    seen = await ctx.read(look_q, ctx.units, destinations(ctx), now_ms)
    devices = devices_of(ctx)
    links = link_rows(ctx, seen.links)
    names = {code: unit.name for code, unit in _units(ctx).items()}
    alarms = [check for check in _state_checks(ctx, seen, links, devices, now_ms)
              if check.state is not State.OK]  # fmt: skip
    return {
        "daemon": daemon(ctx),
        "now": now_ms,
        "today": [
            {"unit": day.unit, "name": names.get(day.unit, ""), "count": day.count,
             "amount": format_fen(day.amount_fen)}
            for day in seen.days
        ],
        "numbers": [asdict(row) for row in seen.stocks],
        "queue": {
            "waiting": seen.queued, "unsigned": seen.frozen,
            **(dict(ctx.issue.stats()) if ctx.issue else {}),
        },
        "links": links,
        "devices": devices,
        "prints": seen.prints,
        "journal": {"seq": seen.journal_seq, "at": seen.journal_at},
        "checkpoint": _checkpoint(seen),
        "offline": desk_guard.budget(ctx),
        "alarms": [check.told() for check in alarms],
    }  # fmt: skip


def daemon(ctx: DeskContext) -> dict[str, Any]:
    """Return what is known of the daemon: running since, or stopped since and why."""
    node = ctx.settings.node.id if ctx.settings is not None else ""
    told: dict[str, Any] = {"running": ctx.live, "node": node, "version": ctx.version}
    if ctx.live:
        told |= {"pid": pid(), "started_at": ctx.started_at,
                 "fenced": ctx.issue.fenced if ctx.issue else ""}  # fmt: skip
    else:
        told |= dict(ctx.stopped)
    return told


def _checkpoint(seen: Seen) -> dict[str, Any] | None:
    if seen.checkpoint is None:
        return None
    return {"seq": seen.checkpoint["seq"], "at": seen.checkpoint["at"]}


def _units(ctx: DeskContext) -> Mapping[str, Any]:
    return ctx.settings.units if ctx.settings is not None else {}


def _state_checks(
    ctx: DeskContext, seen: Seen, links: list[dict[str, Any]], devices: list[dict[str, Any]],
    now_ms: int,
) -> list[Check]:  # fmt: skip
    """Return the checks that need no more than what was read: status shows them as alarms."""
    found: list[Check] = []
    if not ctx.live:
        found.append(checks.stopped(ctx.stopped))
    found += desk_guard.guards(ctx)
    found += checks.doors(ctx.doors())
    found += desk_callers.checks_of(ctx)
    found += desk_signers.checks_of(ctx)
    found.append(attempt("DISK", lambda: checks.disk(ctx.data_dir)))
    offsets = [row["live"]["platform_offset_ms"] for row in links if "live" in row]
    found.append(checks.clock(ctx.clock.wall(), seen.journal_at, offsets))
    kinds = kind_stock(ctx.settings, seen.stocks, now_ms)
    wanted = [(row.unit, row.code) for row in kinds if row.used]
    found += checks.numbers(seen.stocks, wanted, seen.used_14d)
    found += checks.next_year(kinds, now_ms)
    found += desk_guard.days(seen.forecasts)
    found += checks.links(links)
    found += checks.printers(devices)
    found += desk_bridges.checks_of(ctx)
    found.append(checks.queue(seen.queued, seen.frozen, seen.last_refusal))
    found.append(checks.uncertain(seen.prints["uncertain"]))
    found += desk_prints.checks_of(seen.held)
    found += desk_payments.checks_of(ctx, seen.payments)
    found += desk_books.checks(ctx, seen.books)
    return found


async def doctor(ctx: DeskContext, asked: DoctorParams) -> dict[str, Any]:
    """Return every check of the site, one line each."""
    found: list[Check] = []
    if ctx.settings is not None:
        found += await ctx.aside(without_store, ctx.settings, ctx.clock.wall())
    path = ctx.data_dir / STORE_FILE
    for code, query in (
        ("STORE", lambda conn: desk_keys.store_sound(conn, path, asked.full)),
        ("JOURNAL", desk_keys.journal_sound),
    ):
        found.append(await ctx.read(_sound, code, query))
    now_ms = ctx.now_ms()
    seen = await ctx.read(look_q, ctx.units, destinations(ctx), now_ms)
    links = link_rows(ctx, seen.links)
    found += _state_checks(ctx, seen, links, devices_of(ctx), now_ms)
    found += checks.bare_kinds(kind_stock(ctx.settings, seen.stocks, now_ms))
    if ctx.selfcheck is not None:
        found += _selfcheck(ctx.selfcheck())
    return {"daemon": daemon(ctx), "checks": [check.told() for check in found]}


def without_store(settings: Any, now: datetime) -> list[Check]:
    """Return the checks that a site needs no store for."""
    return [
        desk_keys.configuration(settings),
        *_key_checks(settings, now),
        *desk_keys.cryptography(),
        checks.sqlite_version(),
        attempt("WITNESS", lambda: desk_guard.witness(settings.node.data, settings.node.witness)),
    ]


def _sound(conn: Connection, code: str, query: Any) -> Check:
    return attempt(code, lambda: query(conn))


def _key_checks(settings: Any, now: datetime) -> list[Check]:
    root = Path(settings.root)
    node = settings.node
    found = [
        attempt("KEY_NODE", lambda: desk_keys.pair(
            "KEY_NODE", root / node.key, root / node.cert,
            desk_keys.passphrase_of(node.passphrase, root), now))
    ]  # fmt: skip
    for unit in settings.units.values():
        for place in unit.key_places():
            found.append(attempt("KEY_UNIT", partial(desk_keys.unit_key, place, root, now)))
    return found


def _selfcheck(results: Any) -> list[Check]:
    """Return what the hourly self-check last found (fep/services/selfcheck.py)."""
    listed = [msgspec.to_builtins(result) for result in results]
    good = sum(members["state"] == State.OK.value for members in listed)
    found = [Check("SELFCHECK", State.OK, f"定时自检 {good} 项通过",
                   f"{good} findings of the hourly self-check are good")]  # fmt: skip
    for members in listed:
        state = State(members["state"])
        if state is State.OK:
            continue
        text = f"{members['name']} {members['detail']}"
        found.append(Check("SELFCHECK", state, text, text, "journalctl -u fep -n 50"))
    return found


METHODS: dict[str, Method] = {
    "system.status": Method("query", None, status),
    "system.doctor": Method("admin", DoctorParams, doctor),
}
