"""Params of `receipt.issue` and `event.submit` -> a checked `BillingEvent`.

Two readers for one shape. The careful one names the first wrong field; the quick one takes
what is plainly right (a tenth of the time, and this is the issuing path) and leaves
everything else to the careful one. A property test holds them to the same answers.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fep.domain.event import BillingEvent, Channel, Detail, Item, Payer, check
from fep.domain.money import NotMoney, parse_fen
from fep.wire.fields import Fields, tuple_of

ITEMS_MAX = 200
CHANNELS_MAX = 20
EXT_MAX = 60

_encode = msgspec.json.Encoder().encode
Text50 = Annotated[str, Meta(max_length=50)]
Key = Annotated[str, Meta(min_length=1, max_length=50)]
Name = Annotated[str, Meta(min_length=1, max_length=40)]


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=1, max_length=30)]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    amount: str
    unit: Annotated[str, Meta(max_length=20)] = ""
    std: str = ""
    number: str = ""
    remark: Annotated[str, Meta(max_length=100)] = ""


class _Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=1, max_length=20)]
    amount: str


class _Issue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    unit: Name
    point: Name
    kind: Name
    key: Key
    payer: Payer
    total: str
    items: Annotated[list[_Item], Meta(max_length=ITEMS_MAX)]
    details: list[Detail] = []
    channels: Annotated[list[_Channel], Meta(max_length=CHANNELS_MAX)] = []
    cashier: Text50 = ""
    author: Text50 = ""
    checker: Text50 = ""
    remark: Annotated[str, Meta(max_length=200)] = ""
    occurred_at: Annotated[str, Meta(max_length=17)] = ""
    ext: dict[str, Annotated[str, Meta(max_length=200)]] = {}
    print: bool | None = None


# Every decimal of an event at once: a look at each costs more than all the rest of the reading.
_DECIMALS4 = re.compile(r"(?:(?:-?[0-9]{1,11}(?:\.[0-9]{1,4})?)?\n)*")
_DECIMALS6 = re.compile(r"(?:(?:-?[0-9]{1,11}(?:\.[0-9]{1,6})?)?\n)*")
_decode = msgspec.json.Decoder(_Issue).decode


def written(params: Any) -> msgspec.Raw:
    """Return params as JSON text, for those who need it more than once."""
    return msgspec.Raw(_encode(params))


def parse(params: Any, *, details_max: int = 20_000) -> BillingEvent:
    """Return the event of params, decoded or `written`. Raises Refused REQ_FIELD_*, EVT_*."""
    # A number may not stand for a text (`strict`), and text is read faster than it is converted.
    body = _encode(params)
    # No escape and all printable: no control character hides in any field.
    if b"\\" not in body and body.decode().isprintable():
        event = _quick(body, details_max)
        if event is not None:
            check(event)
            return event
    if isinstance(params, msgspec.Raw):
        params = msgspec.json.decode(body)
    event = careful(params, details_max=details_max)
    check(event)
    return event


def _quick(body: bytes, details_max: int) -> BillingEvent | None:
    """Return the event of params in which nothing is amiss, None when anything may be."""
    try:
        read = _decode(body)
        if len(read.details) > details_max or len(read.ext) > EXT_MAX or not _decimal(read):
            return None
        return BillingEvent(
            read.unit, read.point, read.kind, read.key, read.payer, parse_fen(read.total),
            tuple([Item(i.code, i.name, parse_fen(i.amount), i.unit, i.std, i.number, i.remark)
                   for i in read.items]),
            tuple(read.details),
            tuple([Channel(c.code, parse_fen(c.amount)) for c in read.channels]),
            read.cashier, read.author, read.checker, read.remark, read.occurred_at, read.ext,
            read.print,
        )  # fmt: skip
    except (msgspec.ValidationError, NotMoney):
        return None


def _decimal(read: _Issue) -> bool:
    """Say whether every price, quantity and detail amount is one; none holds a line end."""
    fine = [text for item in read.items for text in (item.std, item.number)]
    fine += [text for detail in read.details for text in (detail.std, detail.number)] + [""]
    coarse = [detail.amount for detail in read.details] + [""]
    return bool(_DECIMALS6.fullmatch("\n".join(fine)) and _DECIMALS4.fullmatch("\n".join(coarse)))


def careful(params: Any, *, details_max: int = 20_000) -> BillingEvent:
    """Return the event, or raise the refusal that names the first wrong field."""
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
    return event


def _payer(fields: Fields) -> Payer:
    return Payer(
        name=fields.text("name", 100, required=True),
        type="2" if fields.choice("type", ("1", "2"), "1") == "2" else "1",
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
