"""Reversal (冲红): `receipt.reverse` and `receipt.life`.

A red receipt goes the way of every receipt: freeze, sign, seal, answer. What is its own rides
along in the freeze transaction (fep.store.reversal). A refund in part is a red receipt and a
new blue one, made by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from fep.domain.calendar import CST
from fep.domain.event import BillingEvent
from fep.domain.faults import refuse
from fep.domain.kind import Kind, Province
from fep.domain.life import Policy
from fep.domain.life_red import Ask, red_event
from fep.domain.receipt import Receipt
from fep.ports import Clock
from fep.services.callers import Caller
from fep.services.drafting import Draw
from fep.services.issue import Issue
from fep.services.methods import Method
from fep.services.reversal_old import ReversingOld, content_of, reversible
from fep.services.telling import Telling
from fep.services.web_token import UrlOf, no_url
from fep.store import life, receipts
from fep.store.imports import OldReceipt
from fep.store.issuing import Rider
from fep.store.reversal import Reversing
from fep.store.writer import Store
from fep.wire import issue_params
from fep.wire.fields import Fields

REASON_MAX = 200
DETAILS_MAX = 20_000


class Reversals:
    """The window for reversals."""

    def __init__(
        self, store: Store, issue: Issue, draw: Draw, clock: Clock, policy: Policy,
        url_of: UrlOf = no_url,
    ) -> None:  # fmt: skip
        self._store = store
        self._issue = issue
        self._draw = draw
        self._clock = clock
        self._policy = policy
        self._telling = Telling(store, url_of)

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "receipt.reverse": Method("reverse", self.reverse, "reverse a receipt as a whole"),
            "receipt.life": Method("query", self.life, "where a receipt stands"),
        }

    def reverse(
        self, caller: Caller, params: Any, beside: Callable[[Rider], Rider] = lambda rider: rider
    ) -> Deferred[dict[str, Any]]:
        """`receipt.reverse`: answers when the red receipt is signed and durable.

        `beside` lets a door write words of its own in the same transaction.
        """
        ask = self._asked(params)
        blue = self._store.read(receipts.by_number_q, ask.code, ask.number)
        if blue is None:
            return self._reverse_old(caller, ask, beside)
        if blue.unit != ask.unit or not caller.sees(blue.unit):
            raise refuse("RCP_UNKNOWN")
        ask = replace(ask, point=ask.point or blue.point)
        caller.scope(ask.unit, ask.point)
        if blue.amount_fen < 0:
            raise refuse("LIFE_RED", receipt=blue.ref)
        rider = Reversing(ask, blue.id, self._policy, caller.who or caller.appid)
        event = self._store.read(event_q, blue)
        draft = self._draw.red(event, ask, as_params(ask), caller.appid, beside(rider))
        return self._issue.issue(draft).addCallback(self._reversed, blue)

    def _reverse_old(
        self, caller: Caller, ask: Ask, beside: Callable[[Rider], Rider]
    ) -> Deferred[dict[str, Any]]:
        """Reverse a receipt of a former system (fep.services.reversal_old)."""
        old = reversible(self._store, caller, ask, self._draw.units, self._draw.provinces)
        content = content_of(old)
        event = issue_params.parse(content, details_max=DETAILS_MAX)
        ask = replace(ask, point=ask.point or event.point)
        caller.scope(ask.unit, ask.point)
        rider = ReversingOld(ask, caller.who or caller.appid)
        params = {**as_params(ask), "operator": ask.operator, "old": content}
        draft = self._draw.red(event, ask, params, caller.appid, beside(rider))
        return self._issue.issue(draft).addCallback(self._reversed, old)

    def _asked(self, params: Any) -> Ask:
        fields = Fields(params)
        ask = Ask(
            unit=fields.text("unit", 40, required=True),
            key=fields.text("key", 50, required=True),
            code=fields.text("code", 8, required=True),
            number=fields.text("number", 10, required=True),
            reason=fields.text("reason", REASON_MAX, required=True),
            operator=fields.text("operator", 50),
            point=fields.text("point", 40),
            occurred_at=fields.moment("occurred_at"),
            force=fields.take("force", bool, False),
            print=fields.take("print", bool),
        )
        fields.done()
        if ask.occurred_at:
            return ask
        now = self._clock.wall().astimezone(CST)
        return replace(ask, occurred_at=f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}")

    def life(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`receipt.life {code, number}`: state, paper, booking, delivery, counterparts."""
        fields = Fields(params)
        code = fields.text("code", 8, required=True)
        number = fields.text("number", 10, required=True)
        fields.done()
        found = self._store.read(life.named_q, code, number)
        if found is None or not caller.sees(found.receipt.unit):
            raise refuse("RCP_UNKNOWN")
        return {"receipt": self._telling.one(found.receipt), "life": found.told()}

    def _reversed(self, answer: tuple[Receipt, bool], blue: Receipt | OldReceipt) -> dict[str, Any]:
        red, repeated = answer
        return {
            "receipt": self._telling.answered(red, repeated),
            "blue": {"code": blue.code, "number": blue.number},
            "repeated": repeated,
        }


def as_params(ask: Ask) -> dict[str, Any]:
    """Return a wish as it is stored with its event."""
    told = {name: getattr(ask, name) for name in Ask.__dataclass_fields__}
    return {"reverse": {**told, "print": None}, "print": ask.print}


def event_q(conn: Connection, receipt: Receipt) -> BillingEvent:
    """Return the event of a blue receipt, read back from its request.

    Raises KeyError when it is not there.
    """
    row = receipts.event_by_id_q(conn, receipt.event_id)
    if row is None:
        raise KeyError(receipt.ref)
    return issue_params.parse(msgspec.json.decode(row.params), details_max=DETAILS_MAX)


def any_event_q(
    conn: Connection, receipt: Receipt, bound: Callable[[Receipt], tuple[Kind, Province]]
) -> BillingEvent:
    """Return the event of any receipt; that of a red one as its document writes it."""
    made = life.reversal_by_q(conn, receipt.id)
    if made is None:
        return _of_old_q(conn, receipt, bound) if receipt.amount_fen < 0 else event_q(conn, receipt)
    blue = receipts.by_id_q(conn, made.blue_id)
    row = receipts.event_by_id_q(conn, receipt.event_id)
    if blue is None or row is None:
        raise KeyError(receipt.ref)
    ask = Ask(**msgspec.json.decode(row.params)["reverse"])
    kind, province = bound(receipt)
    return red_event(event_q(conn, blue), ask, kind, negative=province.red_sign == "negative")


def _of_old_q(
    conn: Connection, red: Receipt, bound: Callable[[Receipt], tuple[Kind, Province]]
) -> BillingEvent:
    """Return the event of a red receipt whose blue one a former system issued."""
    row = receipts.event_by_id_q(conn, red.event_id)
    if row is None:
        raise KeyError(red.ref)
    params = msgspec.json.decode(row.params)
    kind, province = bound(red)
    blue = issue_params.parse(params["old"], details_max=DETAILS_MAX)
    return red_event(blue, Ask(**params["reverse"]), kind, negative=province.red_sign == "negative")
