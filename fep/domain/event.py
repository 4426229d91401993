"""Billing events: what a business system says happened, checked before anything is queued.

Two rules: every dialect ends in a `BillingEvent`; whatever can fail because of the caller's
content fails here, never inside a transaction. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.domain.faults import refuse
from fep.domain.money import Fen, format_fen


class Payer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """交款人. `type` is 1 for a person, 2 for an organisation."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Literal["1", "2"] = "1"
    code: Annotated[str, Meta(max_length=50)] = ""
    account: Annotated[str, Meta(max_length=50)] = ""
    bank: Annotated[str, Meta(max_length=100)] = ""
    tel: Annotated[str, Meta(max_length=20)] = ""
    email: Annotated[str, Meta(max_length=100)] = ""


class Item(msgspec.Struct, frozen=True):
    """One line of the face. `amount_fen` counts; `std` and `number` are texts as given."""

    code: str
    name: str
    amount_fen: Fen
    unit: str = ""
    std: str = ""
    number: str = ""
    remark: str = ""


class Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the detail list, under the item with code `item`."""

    item: Annotated[str, Meta(min_length=1, max_length=30)]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    code: Annotated[str, Meta(max_length=30)] = ""
    amount: str = ""
    unit: Annotated[str, Meta(max_length=20)] = ""
    std: str = ""
    number: str = ""
    spec: Annotated[str, Meta(max_length=100)] = ""
    remark: Annotated[str, Meta(max_length=100)] = ""


class Channel(msgspec.Struct, frozen=True):
    """One way of paying and what came by it."""

    code: str
    amount_fen: Fen


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """业务单. The scope of `key` is the unit, over all callers and doors."""

    unit: str
    point: str
    kind: str
    key: str
    payer: Payer
    total_fen: Fen
    items: tuple[Item, ...]
    details: tuple[Detail, ...]
    channels: tuple[Channel, ...]
    cashier: str = ""
    author: str = ""
    checker: str = ""
    remark: str = ""
    occurred_at: str = ""
    ext: Mapping[str, str] = field(default_factory=dict)
    print: bool | None = None
    # (code, number) of the blue receipt that a red one reverses; callers never set it.
    related: tuple[str, str] | None = None

    def content(self) -> bytes:
        """Return the bytes whose SM3 decides whether two events are the same.

        Payer, total, items, channels, kind and the blue receipt of a red one; never times,
        operators or remarks.
        """
        parts = [self.kind, self.payer.name, self.payer.type, self.payer.code,
                 str(self.total_fen)]  # fmt: skip
        for item in self.items:
            parts += ("i", item.code, item.name, str(item.amount_fen))
        for channel in self.channels:
            parts += ("c", channel.code, str(channel.amount_fen))
        if self.related is not None:
            parts += ("r", *self.related)
        return "\x1f".join(parts).encode()


def check(event: BillingEvent) -> None:
    """Refuse an event whose money does not hold together.

    Raises Refused: EVT_TOTAL, EVT_ITEMS_SUM, EVT_CHANNELS_SUM, EVT_ITEMS_NONE.
    """
    if event.total_fen <= 0:
        raise refuse("EVT_TOTAL", total=format_fen(event.total_fen))
    if not event.items:
        raise refuse("EVT_ITEMS_NONE")
    items = sum(item.amount_fen for item in event.items)
    if items != event.total_fen:
        raise refuse("EVT_ITEMS_SUM", sum=format_fen(items), total=format_fen(event.total_fen))
    if event.channels:
        paid = sum(channel.amount_fen for channel in event.channels)
        if paid != event.total_fen:
            raise refuse(
                "EVT_CHANNELS_SUM", sum=format_fen(paid), total=format_fen(event.total_fen)
            )
