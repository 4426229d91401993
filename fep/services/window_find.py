"""The window's look-ups over many receipts: `receipt.find` and the feed `event.list`.

Both are paged by cursors that stay good while receipts are issued: a search walks back by id,
the feed goes forward by the journal. Every page looks at a bounded number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from fep.domain.calendar import iso
from fep.domain.faults import refuse
from fep.domain.money import NotMoney, format_fen, parse_fen
from fep.domain.receipt import Receipt
from fep.services import schemas_api as shapes
from fep.services.callers import Caller
from fep.services.imports import Imports
from fep.services.methods import Method
from fep.services.telling import Telling
from fep.services.web_token import UrlOf, no_url
from fep.store import feed, find
from fep.store.feed import Feed, Happened
from fep.store.totals import totals_q
from fep.store.writer import Store
from fep.wire.fields import Fields

Aside = Callable[..., Awaitable[Any]]
"""Runs a query off the reactor thread."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
LIVES = ("", "sealed", "reversed", "red")


class Finding:
    """Searches receipts and tells the feed."""

    def __init__(self, store: Store, url_of: UrlOf = no_url, aside: Aside | None = None) -> None:
        """`aside` runs a query off the reactor thread; without it totals are read at once."""
        self._store = store
        self._aside = aside
        self._telling = Telling(store, url_of)
        self._imports = Imports(store)

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "receipt.find": Method(
                "query", self.find, "receipts by day, payer, amount, number and more",
                shapes.FindAsked, shapes.Found,
            ),
            "event.list": Method(
                "query", self.feed, "what happened to receipts, in order, from a cursor on",
                shapes.FeedAsked, shapes.FeedTold,
            ),
            "day.totals": Method(
                "query", self.totals, "count and sum of what was issued and reversed in a period",
                shapes.TotalsAsked, shapes.TotalsTold,
            ),
        }  # fmt: skip

    def find(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`receipt.find`: newest first, paged by `cursor`."""
        fields = Fields(params)
        query = find.Query(
            unit=fields.text("unit", 40),
            key=fields.text("key", 50),
            payer=fields.text("payer", 100),
            number=fields.text("number", 10),
            day_from=_day(fields, "from"),
            day_to=_day(fields, "to"),
            units=caller.units,
            kind=fields.text("kind", 40),
            point=fields.text("point", 40),
            life=fields.choice("life", LIVES, ""),
            amount_from=_amount(fields, "amount_from"),
            amount_to=_amount(fields, "amount_to"),
            cashier=fields.text("cashier", 50),
            channel=fields.text("channel", 20),
        )
        limit = min(max(fields.take("limit", int, 50), 1), 200)
        cursor = fields.take("cursor", int, 0)
        fields.done()
        found = self._store.read(find.find_q, query, limit, cursor)
        told = self._telling.all(found.receipts)
        if (query.key or query.number) and not (told or cursor):
            told = self._imports.found(caller, query.key or query.number, query.unit)
        return {"receipts": told, "cursor": found.cursor}

    def feed(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`event.list {since, limit?, unit?}`: ordered, without gaps, resumable for ever."""
        fields = Fields(params)
        since = max(fields.take("since", int, 0), 0)
        limit = min(max(fields.take("limit", int, 100), 1), feed.PAGE_MAX)
        unit = fields.text("unit", 40)
        fields.done()
        if unit:
            caller.scope(unit)
        units = frozenset({unit}) if unit else caller.units
        page = self._store.read(feed.feed_q, since, limit, units)
        if since > page.head:
            raise refuse("FEED_AHEAD", since=since, last=page.head)
        return {
            "events": self.told(page),
            "cursor": page.cursor,
            "more": page.cursor < page.head,
        }

    async def totals(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`day.totals {from, to?, unit?, point?, kind?}`: by issue day, reds on their own."""
        fields = Fields(params)
        first = fields.text("from", 10, required=True)
        last = fields.text("to", 10) or first
        unit, point = fields.text("unit", 40), fields.text("point", 40)
        kind = fields.text("kind", 40)
        fields.done()
        if unit:
            caller.scope(unit, point)
        if not (is_day(first) and is_day(last) and first <= last):
            raise refuse("EXPORT_PERIOD", first=first, last=last)
        query = find.Query(unit=unit, point=point, kind=kind, day_from=first, day_to=last,
                           units=caller.units)  # fmt: skip
        if self._aside is None:
            found = self._store.read(totals_q, query)
        else:
            found = await self._aside(totals_q, query)
        return {
            "from": first,
            "to": last,
            "issued": {"count": found.issued, "amount": format_fen(found.issued_fen)},
            "reversed": {"count": found.reversed, "amount": format_fen(found.reversed_fen)},
            "net": format_fen(found.issued_fen + found.reversed_fen),
        }

    # from feed and from notifications
    def told(self, page: Feed) -> list[dict[str, Any]]:
        """Return the entries of a page as callers are told them."""
        named: dict[int, Receipt] = {}
        for entry in page.entries:
            named.update({one.id: one for one in (entry.receipt, entry.blue) if one is not None})
        told = dict(zip(named, self._telling.all(list(named.values())), strict=True))
        return [_entry(entry, told) for entry in page.entries]


def is_day(text: str) -> bool:
    """Say whether a text is a day that exists, written YYYY-MM-DD."""
    if _DAY.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _day(fields: Fields, name: str) -> str:
    """Return a day, empty when none is given. Raises Refused REQ_FIELD_VALUE."""
    text = fields.text(name, 20)
    if text and not is_day(text):
        raise refuse("REQ_FIELD_VALUE", field=name, value=text, allowed="YYYY-MM-DD")
    return text


def _entry(entry: Happened, told: dict[int, dict[str, Any]]) -> dict[str, Any]:
    more = entry.more
    key = more.get("key") or (entry.receipt.key if entry.receipt is not None else "")
    return {
        "seq": entry.seq,
        "at": iso(entry.at),
        "type": entry.kind,
        "unit": entry.unit,
        "key": key,
        "receipt": told[entry.receipt.id] if entry.receipt is not None else None,
        "blue": told[entry.blue.id] if entry.blue is not None else None,
        "sheet": more.get("sheet", more.get("first", "")),
        "last_sheet": more.get("last", ""),
        "reason": more.get("reason", ""),
    }


def _amount(fields: Fields, name: str) -> int | None:
    text = fields.text(name, 20)
    try:
        return parse_fen(text) if text else None
    except NotMoney as error:
        raise refuse("REQ_FIELD_MONEY", field=name, value=text) from error
