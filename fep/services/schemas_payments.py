"""Shapes of `payment.*` for the served documents."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.services.schemas_receipts import Asked

Key = Annotated[str, Meta(min_length=1, max_length=50)]
Name = Annotated[str, Meta(min_length=1, max_length=40)]
Amount = Annotated[str, Meta(max_length=20, description="yuan with two decimals")]
WaitS = Annotated[int, Meta(ge=0, le=300, description="answer after so long with what is known")]


class PayAsked(Asked):
    """Take money. `key` names this payment for ever; `receipt_key` the event it pays for.

    `another`: the event was paid with this amount before, and a further payment is meant.
    """

    unit: Name
    key: Key
    terminal: Name
    amount: Amount
    point: Annotated[str, Meta(max_length=40)] = ""
    way: Literal["card", "scan", "show"] = "card"
    payer_code: Annotated[str, Meta(max_length=64)] = ""
    receipt_key: Annotated[str, Meta(max_length=50)] = ""
    operator: Annotated[str, Meta(max_length=50)] = ""
    another: bool = False
    wait_s: WaitS = 300


class VoidAsked(Asked):
    """Take the payment `of` back whole, while its batch is open."""

    unit: Name
    key: Key
    of: Key
    operator: Annotated[str, Meta(max_length=50)] = ""
    wait_s: WaitS = 300


class RefundAsked(Asked):
    """Give a part of the payment `of` back, or all."""

    unit: Name
    key: Key
    of: Key
    amount: Amount
    operator: Annotated[str, Meta(max_length=50)] = ""
    wait_s: WaitS = 300


class KeyAsked(Asked):
    """A payment by its key."""

    unit: Name
    key: Key


class InquireAsked(KeyAsked):
    """A payment whose terminal is to be asked."""

    wait_s: WaitS = 300


class TieAsked(KeyAsked):
    """A payment, and the key of the event that its money is for."""

    receipt_key: Key


class EventAsked(Asked):
    """An event, by the key that its payments name."""

    unit: Name
    receipt_key: Key


class SettleAsked(Asked):
    """The terminal whose batch is to be closed."""

    terminal: Name


class PaymentTold(msgspec.Struct, kw_only=True):
    """A payment. `unknown`: charge nobody again before it is known; `card` is masked.

    `shown`: what the terminal wants the payer to see now, such as the text of a QR code.
    """

    id: int
    unit: str
    key: str
    op: Literal["pay", "void", "refund"]
    way: Literal["card", "scan", "show"]
    terminal: str
    serial: str
    amount: str
    state: Literal[
        "created", "sent", "acked", "approved", "declined", "cancelled", "not_sent", "unknown"
    ]
    receipt_key: str
    operator: str
    caller: str
    fault: str
    zh: str
    en: str
    host_code: str
    text: str
    card: str
    batch: str
    trace: str
    ref: str
    auth: str
    created_at: str
    ended_at: str | None
    settled: bool
    shown: str


class PaymentAnswer(msgspec.Struct, kw_only=True):
    """`repeated`: the key was known before."""

    payment: PaymentTold
    repeated: bool


class PaymentsAnswer(msgspec.Struct, kw_only=True):
    """Payments, voids and refunds of an event, oldest first, at most 100."""

    payments: list[PaymentTold]


class SettlementTold(msgspec.Struct, kw_only=True):
    """A closed batch: the terminal's totals, null where it tells none, and ours."""

    id: int
    terminal: str
    batch: str
    at: str
    count: int | None
    amount: str | None
    refunds: int | None
    refunded: str | None
    our_count: int
    our_amount: str
    our_refunds: int
    our_refunded: str
    fits: bool


class SettleAnswer(msgspec.Struct, kw_only=True):
    """What the settlement says."""

    settlement: SettlementTold
