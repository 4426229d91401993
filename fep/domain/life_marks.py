"""Marks that come back from outside: booked by the payer, written off by finance, told by message.

A mark has a time and evidence; it never changes the receipt itself. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Mark(StrEnum):
    """What is said of a receipt: 入账, 取消入账, 核销, 短信或邮件已送达, 未送达."""

    BOOKED = "booked"
    UNBOOKED = "unbooked"
    WRITTEN_OFF = "written_off"
    TOLD = "told"
    UNTOLD = "untold"


class Booking(StrEnum):
    """What is known of the payer's books."""

    UNKNOWN = "unknown"
    NO = "no"
    YES = "yes"


class WriteOff(StrEnum):
    """Whether finance has written the number off."""

    OPEN = "open"
    DONE = "done"


BOOKING_TABLE: Mapping[tuple[Booking, Mark], Booking] = MappingProxyType(
    {
        (Booking.UNKNOWN, Mark.BOOKED): Booking.YES,
        (Booking.UNKNOWN, Mark.UNBOOKED): Booking.NO,
        (Booking.NO, Mark.BOOKED): Booking.YES,
        (Booking.NO, Mark.UNBOOKED): Booking.NO,
        (Booking.YES, Mark.BOOKED): Booking.YES,
        (Booking.YES, Mark.UNBOOKED): Booking.NO,
    }
)
WRITE_OFF_TABLE: Mapping[tuple[WriteOff, Mark], WriteOff] = MappingProxyType(
    {
        (WriteOff.OPEN, Mark.WRITTEN_OFF): WriteOff.DONE,
        (WriteOff.DONE, Mark.WRITTEN_OFF): WriteOff.DONE,
    }
)


class Message(StrEnum):
    """Whether the payer was told of the receipt. Told once is told."""

    UNKNOWN = "unknown"
    FAILED = "failed"
    DELIVERED = "delivered"


MESSAGE_TABLE: Mapping[tuple[Message, Mark], Message] = MappingProxyType(
    {
        (Message.UNKNOWN, Mark.TOLD): Message.DELIVERED,
        (Message.UNKNOWN, Mark.UNTOLD): Message.FAILED,
        (Message.FAILED, Mark.TOLD): Message.DELIVERED,
        (Message.FAILED, Mark.UNTOLD): Message.FAILED,
        (Message.DELIVERED, Mark.TOLD): Message.DELIVERED,
        (Message.DELIVERED, Mark.UNTOLD): Message.DELIVERED,
    }
)


def message_after(state: Message, mark: Mark) -> Message:
    """Return whether the payer was told after a mark; other marks say nothing of it."""
    return MESSAGE_TABLE.get((state, mark), state)


def booking_after(state: Booking, mark: Mark) -> Booking:
    """Return what is known of the booking after a mark; a write-off says nothing of it."""
    return BOOKING_TABLE.get((state, mark), state)


def write_off_after(state: WriteOff, mark: Mark) -> WriteOff:
    """Return whether the number is written off after a mark."""
    return WRITE_OFF_TABLE.get((state, mark), state)
