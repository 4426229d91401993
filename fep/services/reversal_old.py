"""Reversing a receipt of a former system by a red receipt of ours, where the province allows it.

Rules: the file that brought the receipt must have said its items, for a red receipt is the blue
one line by line; at most one live reversal, decided in the freeze transaction. The stored
request carries the blue content, because no event of ours does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from fep.domain.faults import Refused, refuse
from fep.domain.kind import Province, Unit
from fep.domain.life_red import Ask
from fep.domain.money import format_fen
from fep.domain.receipt import Receipt
from fep.services.callers import Caller
from fep.store import imports
from fep.store.imports import OldReceipt
from fep.store.schema_imports import old_reversal
from fep.store.tx import Tx
from fep.store.writer import Store
from fep.wire.old_receipts import channels_of, items_of

UNKNOWN_CHANNEL = "99"


@dataclass(frozen=True, slots=True)
class ReversingOld:
    """Rides with the draft of the red receipt (fep.store.issuing.Rider)."""

    ask: Ask
    caller: str

    def refusal(self, tx: Tx) -> Refused | None:
        """Return why the imported receipt may not be reversed now."""
        old = imports.by_number_q(tx.conn, self.ask.code, self.ask.number)
        if old is None:
            return refuse("RCP_UNKNOWN")
        if old.state != "normal":
            red = f"{old.other('red_code')}-{old.other('red_number')}"
            return refuse("LIFE_REVERSED", receipt=old.ref, red=red)
        return None

    def frozen(self, tx: Tx, receipt: Receipt) -> None:
        """Bind the red receipt to the imported one."""
        ask = self.ask
        tx.conn.execute(insert(old_reversal).values(
            red_id=receipt.id, code=ask.code, number=ask.number, state="live",
            reason=ask.reason, operator=ask.operator, at=tx.now_ms,
        ))  # fmt: skip
        tx.journal("receipt.reversing_old", ask.blue, {
            "caller": self.caller, "key": ask.key, "operator": ask.operator,
            "reason": ask.reason, "red": receipt.ref,
        })  # fmt: skip


def reversible(
    store: Store, caller: Caller, ask: Ask, units: Mapping[str, Unit],
    provinces: Mapping[str, Province],
) -> OldReceipt:  # fmt: skip
    """Return the imported receipt that a wish names.

    Raises Refused RCP_UNKNOWN, OLD_RECEIPT, OLD_CONTENT.
    """
    old = store.read(imports.by_number_q, ask.code, ask.number)
    if old is None or old.unit != ask.unit or not caller.sees(old.unit):
        raise refuse("RCP_UNKNOWN")
    unit = units.get(old.unit)
    if unit is None or not provinces[unit.province].reverse_imported:
        raise refuse("OLD_RECEIPT", receipt=old.ref)
    if not items_of(old.other("items")):
        raise refuse("OLD_CONTENT", receipt=old.ref)
    return old


def content_of(old: OldReceipt) -> dict[str, Any]:
    """Return an imported receipt as params of `receipt.issue`."""
    total = format_fen(old.amount_fen)
    channels = channels_of(old.other("channels")) or [(UNKNOWN_CHANNEL, total)]
    return {
        "unit": old.unit, "point": old.other("point"), "kind": old.other("kind"),
        "key": old.key or f"old-{old.ref}", "payer": {"name": old.payer, "type": "1"},
        "total": total,
        "items": [{"code": code, "name": name, "amount": amount, "std": amount, "number": "1"}
                  for code, name, amount in items_of(old.other("items"))],
        "channels": [{"code": code, "amount": amount} for code, amount in channels],
        "cashier": old.other("cashier"), "author": old.other("cashier"),
    }  # fmt: skip
