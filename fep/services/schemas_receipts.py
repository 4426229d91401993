"""Shapes of `receipt.*` and `event.*` as the served documents tell them.

Rule: these describe what wire.issue_params and the methods do; tests hold both to the same
answers. Money is a text in yuan, a number keeps its leading zeros. Nothing is read here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Yuan = Annotated[
    str,
    Meta(pattern=r"^-?[0-9]{1,11}(\.[0-9]{1,2})?$", description="yuan, at most two decimals",
         examples=["12.30"]),
]  # fmt: skip
Fine4 = Annotated[str, Meta(pattern=r"^(-?[0-9]{1,11}(\.[0-9]{1,4})?)?$")]
Fine6 = Annotated[str, Meta(pattern=r"^(-?[0-9]{1,11}(\.[0-9]{1,6})?)?$")]
Code = Annotated[str, Meta(min_length=1, max_length=8, description="票据代码, 8 digits")]
Number = Annotated[str, Meta(min_length=1, max_length=10, description="票据号码, 10 digits")]
Unit = Annotated[str, Meta(min_length=1, max_length=40, description="开票单位")]
Point = Annotated[str, Meta(min_length=1, max_length=40, description="开票点")]
Key = Annotated[str, Meta(min_length=1, max_length=50, description="业务流水号")]
Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Text50 = Annotated[str, Meta(max_length=50)]
At = Annotated[str, Meta(max_length=17, description="yyyyMMddHHmmssSSS, +08:00")]
Cursor = Annotated[
    int, Meta(extra_json_schema={"minimum": 1 - 2**63, "maximum": 2**63 - 1})
]  # what the store can compare with


class Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of all params: an unknown member is refused."""


class PayerAsked(Asked):
    """交款人. `type` 1 is a person, 2 an organisation."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Literal["1", "2", ""] = "1"
    code: Text50 = ""
    account: Text50 = ""
    bank: Annotated[str, Meta(max_length=100)] = ""
    tel: Annotated[str, Meta(max_length=20)] = ""
    email: Annotated[str, Meta(max_length=100)] = ""


class ItemAsked(Asked):
    """收费项目."""

    code: Annotated[str, Meta(min_length=1, max_length=30)]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    amount: Yuan
    unit: Annotated[str, Meta(max_length=20)] = ""
    std: Fine6 = ""
    number: Fine6 = ""
    remark: Annotated[str, Meta(max_length=100)] = ""


class DetailAsked(Asked):
    """清单明细; `item` names an item's code."""

    item: Annotated[str, Meta(min_length=1, max_length=30)]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    code: Annotated[str, Meta(max_length=30)] = ""
    amount: Fine4 = ""
    unit: Annotated[str, Meta(max_length=20)] = ""
    std: Fine6 = ""
    number: Fine6 = ""
    spec: Annotated[str, Meta(max_length=100)] = ""
    remark: Annotated[str, Meta(max_length=100)] = ""


class ChannelAsked(Asked):
    """支付方式."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]
    amount: Yuan


class IssueAsked(Asked):
    """A billing event; items, and channels if given, sum to the total."""

    unit: Unit
    point: Point
    kind: Annotated[str, Meta(min_length=1, max_length=40, description="票据种类")]
    key: Key
    payer: PayerAsked
    total: Yuan
    items: Annotated[list[ItemAsked], Meta(min_length=1, max_length=200)]
    details: Annotated[list[DetailAsked], Meta(max_length=20_000)] = []
    channels: Annotated[list[ChannelAsked], Meta(max_length=20)] = []
    cashier: Text50 = ""
    author: Text50 = ""
    checker: Text50 = ""
    remark: Annotated[str, Meta(max_length=200)] = ""
    occurred_at: At = ""
    ext: Annotated[dict[str, Annotated[str, Meta(max_length=200)]], Meta(max_length=60)] = {}
    print: bool | None = None


class ReceiptTold(msgspec.Struct, kw_only=True):
    """A receipt."""

    code: str
    number: str
    check_code: str
    einvoice_id: str
    unit: str
    point: str
    kind: str
    amount: Yuan
    issued_at: str
    state: Literal["frozen", "sealed", "burned"]
    key: str
    payer: str
    print_job: int | None
    life: Literal["frozen", "sealed", "reversing", "reversed", "burned"]
    sheet: str | None
    url: str | msgspec.UnsetType = msgspec.UNSET


class EventRef(msgspec.Struct, kw_only=True):
    """A durable event that waits."""

    id: int
    key: str
    state: str


class Issued(msgspec.Struct, kw_only=True):
    """`receipt` and `repeated`; a caller with `queue = true` may get `event` instead."""

    receipt: ReceiptTold | msgspec.UnsetType = msgspec.UNSET
    repeated: bool | msgspec.UnsetType = msgspec.UNSET
    event: EventRef | msgspec.UnsetType = msgspec.UNSET
    queued: bool | msgspec.UnsetType = msgspec.UNSET


class Submitted(msgspec.Struct, kw_only=True):
    """The event, durable."""

    event: EventRef


class GetAsked(Asked):
    """`code` and `number`, or `unit` and `key`."""

    code: Annotated[str, Meta(max_length=8)] = ""
    number: Annotated[str, Meta(max_length=10)] = ""
    unit: Annotated[str, Meta(max_length=40)] = ""
    key: Text50 = ""


class Got(msgspec.Struct, kw_only=True):
    """One receipt."""

    receipt: ReceiptTold


class FindAsked(Asked):
    """Newest first; `cursor` is that of the page before, days are YYYY-MM-DD."""

    unit: Annotated[str, Meta(max_length=40)] = ""
    key: Text50 = ""
    payer: Annotated[str, Meta(max_length=100)] = ""
    number: Annotated[str, Meta(max_length=10)] = ""
    from_: Annotated[str, Meta(max_length=10)] = msgspec.field(default="", name="from")
    to: Annotated[str, Meta(max_length=10)] = ""
    limit: Cursor = 50
    cursor: Cursor = 0


class Found(msgspec.Struct, kw_only=True):
    """A page of receipts."""

    receipts: list[ReceiptTold]
    cursor: int | None


class EventAsked(Asked):
    """`unit` and `key`, or `id`."""

    unit: Annotated[str, Meta(max_length=40)] = ""
    key: Text50 = ""
    id: Cursor = 0


class EventTold(msgspec.Struct, kw_only=True):
    """What became of an event; `reason` is the fault code of a refused one."""

    id: int
    unit: str
    key: str
    state: str
    reason: str | None
    received_at: int


class EventGot(msgspec.Struct, kw_only=True):
    """An event and its receipt, if there is one."""

    event: EventTold
    receipt: ReceiptTold | None


class ReverseAsked(Asked):
    """冲红. `key` is the reversal's own; the same key gives the same red receipt."""

    unit: Unit
    key: Key
    code: Code
    number: Number
    reason: Reason
    operator: Text50 = ""
    point: Annotated[str, Meta(max_length=40)] = ""
    occurred_at: At = ""
    force: bool = False
    print: bool | None = None


class Named(msgspec.Struct, kw_only=True):
    """A receipt by its name."""

    code: str
    number: str


class ReversedTold(msgspec.Struct, kw_only=True):
    """The red receipt and the blue one it reverses."""

    receipt: ReceiptTold
    blue: Named
    repeated: bool


class LifeAsked(Asked):
    """A receipt."""

    code: Code
    number: Number


class LifeTold(msgspec.Struct, kw_only=True):
    """Where a receipt stands."""

    state: str
    booking: str
    written_off: bool
    supervised: bool
    delivery: str
    sheet: str | None
    red: Named | None
    blue: Named | None
    reason: str | msgspec.UnsetType = msgspec.UNSET
    operator: str | msgspec.UnsetType = msgspec.UNSET


class LifeGot(msgspec.Struct, kw_only=True):
    """A receipt and where it stands."""

    receipt: ReceiptTold
    life: LifeTold
