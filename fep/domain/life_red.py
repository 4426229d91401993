"""What a red receipt says: the whole blue one again, turned round. No I/O.

Rules: the red receipt is the blue one as a whole, line by line, so that both cancel out; a
partial refund is a red receipt and a new blue one, made by the caller. In our books a red
amount is always negative; how the document writes it is the province's choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from fep.domain.event import BillingEvent
from fep.domain.kind import Kind

REMARK_MAX = 200


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to reverse: `key` is the reversal's own, code and number name the blue receipt."""

    unit: str
    key: str
    code: str
    number: str
    reason: str
    operator: str = ""
    point: str = ""  # empty: that of the blue receipt
    occurred_at: str = ""
    force: bool = False
    print: bool | None = None

    @property
    def blue(self) -> str:
        """Return the name of the blue receipt."""
        return f"{self.code}-{self.number}"

    def content(self) -> bytes:
        """Return the bytes whose SM3 decides whether two wishes are the same."""
        return "\x1f".join(("reverse", self.unit, self.code, self.number)).encode()


def red_event(blue: BillingEvent, ask: Ask, kind: Kind, *, negative: bool) -> BillingEvent:
    """Return the event of the red receipt as its document writes it."""
    turned = _negated(blue, kind) if negative else blue
    remark = f"冲红：原票据代码{ask.code}号码{ask.number}，{ask.reason}"
    return replace(
        turned,
        key=ask.key,
        point=ask.point or blue.point,
        cashier=ask.operator or blue.cashier,
        author=ask.operator or blue.author,
        remark=remark[:REMARK_MAX],
        occurred_at=ask.occurred_at or blue.occurred_at,
        related=(ask.code, ask.number),
        print=ask.print,
    )


def _negated(blue: BillingEvent, kind: Kind) -> BillingEvent:
    money = {
        member.source[4:]
        for member in kind.main_ext
        if member.money and member.source.startswith("ext.")
    }
    return replace(
        blue,
        total_fen=-blue.total_fen,
        items=tuple(
            msgspec.structs.replace(item, amount_fen=-item.amount_fen, number=minus(item.number))
            for item in blue.items
        ),
        details=tuple(
            msgspec.structs.replace(
                detail, amount=minus(detail.amount), number=minus(detail.number)
            )
            for detail in blue.details
        ),
        channels=tuple(
            msgspec.structs.replace(channel, amount_fen=-channel.amount_fen)
            for channel in blue.channels
        ),
        ext={name: minus(text) if name in money else text for name, text in blue.ext.items()},
    )


def minus(text: str) -> str:
    """Return a decimal text with its sign turned round; nothing and zero stay as they are."""
    if not any(char in "123456789" for char in text):
        return text
    return text[1:] if text.startswith("-") else f"-{text}"
