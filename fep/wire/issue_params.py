"""Params of `receipt.issue` and `event.submit` -> a checked `BillingEvent`."""

from __future__ import annotations

from typing import Any

from fep.domain.event import BillingEvent, Channel, Detail, Item, Payer, check
from fep.wire.fields import Fields, tuple_of

ITEMS_MAX = 200
CHANNELS_MAX = 20
EXT_MAX = 60


def parse(params: Any, *, details_max: int = 20_000) -> BillingEvent:
    """Return the event of decoded params. Raises Refused REQ_FIELD_*, EVT_*."""
    fields = Fields(params)
    payer = Fields(fields.take("payer", dict, {}), "payer")
    wish = fields.take("print", bool)
    event = BillingEvent(
        unit=fields.text("unit", 40, required=True),
        point=fields.text("point", 40, required=True),
        kind=fields.text("kind", 40, required=True),
        key=fields.text("key", 50, required=True),
        payer=_payer(payer),
        total_fen=fields.fen("total"),
        items=tuple_of(fields.objects("items", ITEMS_MAX), _item),
        details=tuple_of(fields.objects("details", details_max), _detail),
        channels=tuple_of(fields.objects("channels", CHANNELS_MAX), _channel),
        cashier=fields.text("cashier", 50),
        author=fields.text("author", 50),
        checker=fields.text("checker", 50),
        remark=fields.text("remark", 200),
        occurred_at=fields.text("occurred_at", 17),
        ext=fields.texts("ext", EXT_MAX, 200),
        print=wish,
    )
    payer.done()
    fields.done()
    check(event)
    return event


def _payer(fields: Fields) -> Payer:
    return Payer(
        name=fields.text("name", 100, required=True),
        type=fields.choice("type", ("1", "2"), "1"),
        code=fields.text("code", 50),
        account=fields.text("account", 50),
        bank=fields.text("bank", 100),
        tel=fields.text("tel", 20),
        email=fields.text("email", 100),
    )


def _item(fields: Fields) -> Item:
    return Item(
        code=fields.text("code", 30, required=True),
        name=fields.text("name", 100, required=True),
        amount_fen=fields.fen("amount"),
        unit=fields.text("unit", 20),
        std=fields.decimal("std", 6),
        number=fields.decimal("number", 6),
        remark=fields.text("remark", 100),
    )


def _detail(fields: Fields) -> Detail:
    return Detail(
        item=fields.text("item", 30, required=True),
        code=fields.text("code", 30),
        name=fields.text("name", 100, required=True),
        amount=fields.decimal("amount", 4),
        unit=fields.text("unit", 20),
        std=fields.decimal("std", 6),
        number=fields.decimal("number", 6),
        spec=fields.text("spec", 100),
        remark=fields.text("remark", 100),
    )


def _channel(fields: Fields) -> Channel:
    return Channel(code=fields.text("code", 20, required=True), amount_fen=fields.fen("amount"))
