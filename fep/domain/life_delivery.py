"""The life of a delivery: due, under way, answered; and a person's word on a refusal.

Rules: an answer is final and never replaced; a refused delivery is sent again as a new one
with the next revision, so that the platform does not take it for the one it refused; a
conflict is never sent again. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from fep.domain.faults import refuse


class Op(StrEnum):
    """What a record tells the platform. The first two carry a receipt."""

    ISSUE = "ISSUE"
    RED = "RED"
    PAPER = "PAPER"  # a receipt was exchanged for a sheet
    VOID_PAPER = "VOID_PAPER"  # the sheet of a receipt is void
    VOID_BLANK = "VOID_BLANK"  # sheets that were never used are void
    REQUEST = "REQUEST"  # numbers are asked for
    RETURN = "RETURN"  # what is left of a block goes back to the platform


RECEIPT_OPS = (Op.ISSUE.value, Op.RED.value)


class Delivery(StrEnum):
    """Where a delivery is."""

    DUE = "due"
    SENT = "sent"
    APPLIED = "applied"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    CLOSED = "closed"  # a person has taken note of the refusal
    RESENT = "resent"  # a person has had it sent again, as a new delivery


class DeliveryStep(StrEnum):
    """What happens to a delivery, and who says so."""

    # from the link
    SEND = "send"
    UNSENDABLE = "unsendable"
    OK = "ok"
    REJECT = "reject"
    CONFLICT = "conflict"
    # from a person
    ACCEPT = "accept"
    RETRY = "retry"


DELIVERY_TABLE: Mapping[tuple[Delivery, DeliveryStep], Delivery] = MappingProxyType(
    {
        (Delivery.DUE, DeliveryStep.SEND): Delivery.SENT,
        (Delivery.DUE, DeliveryStep.UNSENDABLE): Delivery.REJECTED,
        (Delivery.SENT, DeliveryStep.OK): Delivery.APPLIED,
        (Delivery.SENT, DeliveryStep.REJECT): Delivery.REJECTED,
        (Delivery.SENT, DeliveryStep.CONFLICT): Delivery.CONFLICT,
        (Delivery.REJECTED, DeliveryStep.ACCEPT): Delivery.CLOSED,
        (Delivery.REJECTED, DeliveryStep.RETRY): Delivery.RESENT,
        (Delivery.CONFLICT, DeliveryStep.ACCEPT): Delivery.CLOSED,
    }
)


def decide(state: Delivery, step: DeliveryStep, name: str) -> Delivery:
    """Return the next state on a person's word. Raises Refused DLV_CONFLICT, DLV_STATE."""
    after = DELIVERY_TABLE.get((state, step))
    if after is not None:
        return after
    if (state, step) == (Delivery.CONFLICT, DeliveryStep.RETRY):
        raise refuse("DLV_CONFLICT", name=name)
    raise refuse("DLV_STATE", name=name, state=state.value)


def revision(act_id: int, repeat: int) -> str:
    """Return the revision of a record: of an act on paper, and how often it was repeated."""
    if not act_id:
        return str(repeat)
    return f"{act_id}.{repeat}" if repeat else str(act_id)
