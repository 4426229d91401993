"""Number blocks. Every number is in exactly one state; a number is text with its zeros.

A block hands out ascending numbers; `next` is the first one not yet given. No I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WIDTH = 10
LARGEST = 10**WIDTH - 1


class BlockState(StrEnum):
    """Durable states of a block; only an active one gives numbers, and none comes back to it
    but a sealed reserve that a person opens."""

    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    RESERVE = "reserve"  # sealed: for the day nothing else is left
    EXPIRED = "expired"  # past its last day; what is left was never given
    RETURNED = "returned"  # what is left went back to whoever granted it
    BURNED = "burned"  # what is left may be in use elsewhere, and is given up with evidence


@dataclass(frozen=True, slots=True)
class Block:
    """号段 of one unit and code, as the writer keeps it in memory."""

    id: int
    unit: str
    code: str
    first: int
    last: int
    next: int
    not_after: int = 0  # ms since the epoch, 0 for no limit

    @property
    def left(self) -> int:
        """Return how many numbers are still to be given."""
        return self.last - self.next + 1

    def expired(self, at_ms: int) -> bool:
        """Say whether its last moment has passed."""
        return 0 < self.not_after < at_ms


Blocks = tuple[Block, ...]


def number_text(number: int) -> str:
    """Return the 10-digit text: 0022739009 and 22739009 are different papers."""
    return f"{number:010d}"


def parse_number(text: str) -> int | None:
    """Return the integer of a 10-digit text, None when it is not one or is zero."""
    if len(text) != WIDTH or not (text.isascii() and text.isdigit()):
        return None
    return int(text) or None


def take(blocks: Blocks, at_ms: int = 0) -> tuple[int, int, Blocks] | None:
    """Give the next number: (number, block id, blocks after it). None when there is none.

    Blocks are used in the order they were granted; a used-up one leaves the tuple. An expired
    one is passed over and stays: the clock may have been wrong.
    """
    for place, head in enumerate(blocks):
        if head.expired(at_ms):
            continue
        assert head.first <= head.next <= head.last, head
        after = Block(
            head.id, head.unit, head.code, head.first, head.last, head.next + 1, head.not_after
        )
        kept = (after,) if after.left else ()
        return head.next, head.id, (*blocks[:place], *kept, *blocks[place + 1 :])
    return None


def left(blocks: Blocks) -> int:
    """Return how many numbers are in hand."""
    return sum(block.left for block in blocks)
