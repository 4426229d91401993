"""Payments at terminals, for business systems: one key, one debit, however often it is asked.

Rules: a call waits in short steps, the first one a second for what the payer is to see, and goes
on with the same key, so a lost line or a proxy's time limit loses nothing. `unknown` is an
answer: charge nobody again before it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

STEP_S = 8
PATIENCE_S = 300
_UNDER_WAY = frozenset({"created", "sent", "acked"})

Sure = Callable[..., Any]
"""Calls a method that may be repeated, as `Client.sure` does."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the front-end tells it. Money is text in yuan; `card` is masked.

    `state`: approved, declined, cancelled, not_sent, unknown, or created, sent, acked while it
    is under way. `zh` and `en` say what to do now; `shown` is what the payer is to see.
    """

    unit: str
    key: str
    op: str
    way: str
    terminal: str
    amount: str
    state: str
    receipt_key: str
    fault: str
    zh: str
    en: str
    card: str
    batch: str
    trace: str
    ref: str
    auth: str
    shown: str

    @property
    def taken(self) -> bool:
        """Say whether the money moved."""
        return self.state == "approved"

    @property
    def under_way(self) -> bool:
        """Say whether the terminal is still busy with it."""
        return self.state in _UNDER_WAY

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Payment:
        """Read an answer of `payment.*`, or the params of `payment.done`."""
        members = answer.get("payment", answer)
        return cls(**{name: str(members.get(name) or "") for name in cls.__slots__})


class Till:
    """The payments of a client: `client.till.pay(...)`."""

    def __init__(self, sure: Sure) -> None:
        self._sure = sure

    def pay(
        self, *, unit: str, key: str, terminal: str, amount: str, receipt_key: str = "",
        way: str = "card", payer_code: str = "", operator: str = "", another: bool = False,
        patience_s: int = PATIENCE_S, on_shown: Callable[[str], None] = lambda _text: None,
    ) -> Payment:  # fmt: skip
        """Take money. `way`: card, scan (with `payer_code`) or show (the payer scans ours).

        `on_shown` hears what the terminal wants shown. Raises RemoteFault, Unreachable.
        """
        return self._patient(
            "payment.pay", patience_s, on_shown, unit=unit, key=key, terminal=terminal,
            amount=amount, receipt_key=receipt_key, way=way, payer_code=payer_code,
            operator=operator, another=another,
        )  # fmt: skip

    def void(self, *, unit: str, key: str, of: str, operator: str = "",
             patience_s: int = PATIENCE_S) -> Payment:  # fmt: skip
        """Take the payment `of` back whole, before its batch is settled."""
        return self._patient("payment.void", patience_s, unit=unit, key=key, of=of,
                             operator=operator)  # fmt: skip

    def refund(self, *, unit: str, key: str, of: str, amount: str, operator: str = "",
               patience_s: int = PATIENCE_S) -> Payment:  # fmt: skip
        """Give a part of the payment `of` back, or all, also after the settlement."""
        return self._patient("payment.refund", patience_s, unit=unit, key=key, of=of,
                             amount=amount, operator=operator)  # fmt: skip

    def get(self, *, unit: str, key: str) -> Payment:
        """Return a payment as it is now."""
        return Payment.of(self._sure("payment.get", unit=unit, key=key))

    def of(self, *, unit: str, receipt_key: str) -> list[Payment]:
        """Return what was paid and given back for an event, oldest first."""
        told = self._sure("payment.list", unit=unit, receipt_key=receipt_key)
        return [Payment.of(row) for row in told["payments"]]

    def inquire(self, *, unit: str, key: str, patience_s: int = PATIENCE_S) -> Payment:
        """Have the terminal asked for an unknown payment."""
        return self._patient("payment.inquire", patience_s, unit=unit, key=key)

    def cancel(self, *, unit: str, key: str) -> Payment:
        """Ask the terminal to let the payer go; returns what became of the payment."""
        return Payment.of(self._sure("payment.cancel", unit=unit, key=key))

    def tie(self, *, unit: str, key: str, receipt_key: str) -> Payment:
        """Say for which event the money of a payment is."""
        return Payment.of(self._sure("payment.tie", unit=unit, key=key, receipt_key=receipt_key))

    def reprint(self, *, unit: str, key: str) -> Payment:
        """Have the terminal print its own slip again."""
        return Payment.of(self._sure("payment.reprint", unit=unit, key=key))

    def settle(self, terminal: str) -> dict[str, Any]:
        """Close the batch of a terminal; returns its totals beside ours."""
        return dict(self._sure("payment.settle", terminal=terminal)["settlement"])

    def _patient(self, method: str, patience_s: int,
                 on_shown: Callable[[str], None] = lambda _text: None,
                 **params: Any) -> Payment:  # fmt: skip
        left, wait, seen = patience_s, 1, ""
        while True:
            wait = max(0, min(wait, left))
            found = Payment.of(self._sure(method, **params, wait_s=wait))
            if found.shown and found.shown != seen:
                seen = found.shown
                on_shown(seen)
            if not found.under_way or not wait:
                return found
            left, wait = left - wait, STEP_S
