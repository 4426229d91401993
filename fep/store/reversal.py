"""Reversal in the store: the red receipt's companion in the freeze transaction.

The refusal is decided in that transaction, on what is true at that moment, and the unique
index on live reversals stands behind it: two reversals of one receipt cannot both commit.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert

from fep.domain.faults import Refused
from fep.domain.life import Life, LifeFacts, LifeStep, NoteBooking, Policy, decide
from fep.domain.life_red import Ask
from fep.domain.receipt import Receipt
from fep.store.life import Standing, standing_q
from fep.store.receipts import by_id_q
from fep.store.schema import reversal
from fep.store.tx import Tx


@dataclass(frozen=True, slots=True)
class Reversing:
    """Rides with the draft of a red receipt (fep.store.issuing.Rider)."""

    ask: Ask
    blue_id: int
    policy: Policy
    caller: str

    def refusal(self, tx: Tx) -> Refused | None:
        """Return why the blue receipt may not be reversed now; journalled."""
        try:
            _decided(self._standing(tx), self.ask, self.policy)
        except Refused as refused:
            tx.journal("receipt.reverse_refused", self.ask.blue, {
                "caller": self.caller, "key": self.ask.key, "operator": self.ask.operator,
                "reason": self.ask.reason, "why": refused.code,
            })  # fmt: skip
            return refused
        return None

    def frozen(self, tx: Tx, receipt: Receipt) -> None:
        """Bind the red receipt to its blue one."""
        note = _decided(self._standing(tx), self.ask, self.policy)
        tx.conn.execute(
            insert(reversal).values(
                red_id=receipt.id, blue_id=self.blue_id, state="live", reason=self.ask.reason,
                operator=self.ask.operator, booking=note.booking.value,
                forced=int(note.forced), at=tx.now_ms,
            )
        )  # fmt: skip
        tx.journal("receipt.reversing", self.ask.blue, {
            "booking": note.booking.value, "caller": self.caller, "forced": note.forced,
            "key": self.ask.key, "operator": self.ask.operator, "reason": self.ask.reason,
            "red": receipt.ref,
        })  # fmt: skip

    def _standing(self, tx: Tx) -> Standing:
        blue = by_id_q(tx.conn, self.blue_id)
        assert blue is not None, self.blue_id
        return standing_q(tx.conn, blue)


def check(standing: Standing, ask: Ask, policy: Policy) -> Life:
    """Return what the receipt becomes when it is reversed. Raises Refused LIFE_*."""
    return decide(standing.life, LifeStep.REVERSE, _facts(standing, ask, policy))[0]


def _decided(standing: Standing, ask: Ask, policy: Policy) -> NoteBooking:
    _, effects = decide(standing.life, LifeStep.REVERSE, _facts(standing, ask, policy))
    (note,) = effects
    return note


def _facts(standing: Standing, ask: Ask, policy: Policy) -> LifeFacts:
    return LifeFacts(
        receipt=standing.receipt.ref,
        is_red=standing.receipt.amount_fen < 0,
        sheet=standing.sheet,
        red=standing.red.ref if standing.red is not None else "",
        booking=standing.booking,
        force=ask.force,
        policy=policy,
    )
