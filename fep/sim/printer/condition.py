"""The state of the mechanism and the status bytes that tell of it. No I/O, no clock.

Bits: DLE EOT 1-4, the four bytes of GS a, GS r 1/2, as in the ESC/POS status tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NEAR_END = 0x03
PAPER_END = 0x0C
# Bits of n in GS a.
ASB_DRAWER, ASB_OFFLINE, ASB_ERROR, ASB_PAPER, ASB_PANEL = 0x01, 0x02, 0x04, 0x08, 0x40


@dataclass(slots=True)
class Condition:
    """What is wrong with the printer, if anything. Paper in dot rows of 1/203 inch."""

    rows_left: int
    near_end_rows: int
    near_end_sensor: bool = True
    paper_out: bool = False
    cover_open: bool = False
    feed_pressed: bool = False
    drawer_open: bool = False
    # The blade is blocked; the error stays latched until the host or a restart recovers it.
    cutter_blocked: bool = False
    cutter_error: bool = False
    cutter_fails_next: bool = False
    head_hot: bool = False
    fatal: bool = False

    @property
    def near_end(self) -> bool:
        """Say whether the near-end sensor sees the end of the roll."""
        return self.near_end_sensor and (self.paper_out or self.rows_left <= self.near_end_rows)

    @property
    def error(self) -> bool:
        """Say whether an error of any class stands."""
        return self.cutter_error or self.head_hot or self.fatal

    @property
    def offline(self) -> bool:
        """Say whether the printer does not print now."""
        return self.cover_open or self.paper_out or self.feed_pressed or self.error

    def recover(self) -> bool:
        """Obey DLE ENQ; return whether there was a recoverable error that is gone now."""
        if not self.cutter_error or self.cutter_blocked:
            return False
        self.cutter_error = False
        return True

    def power_on(self) -> None:
        """Forget what a power cycle forgets; paper, cover and a blocked blade stay."""
        self.cutter_error = self.cutter_blocked
        self.cutter_fails_next = False
        self.head_hot = False
        self.fatal = False
        self.feed_pressed = False
        self.paper_out = self.rows_left <= 0


def real_time(state: Condition, number: int) -> int:
    """Return the reply to `DLE EOT number`, 1 to 4."""
    bits = {
        1: (
            (0x04, state.drawer_open),
            (0x08, state.offline),
            (0x20, state.cutter_error),
            (0x40, state.feed_pressed),
        ),
        2: (
            (0x04, state.cover_open),
            (0x08, state.feed_pressed),
            (0x20, state.paper_out),
            (0x40, state.error),
        ),
        3: ((0x08, state.cutter_error), (0x20, state.fatal), (0x40, state.head_hot)),
        4: ((0x0C, state.near_end), (0x60, state.paper_out)),
    }[number]
    return 0x12 | _sum(bits)


def automatic(state: Condition) -> bytes:
    """Return the four bytes of the automatic status."""
    first = 0x10 | _sum(
        (
            (0x04, state.drawer_open),
            (0x08, state.offline),
            (0x20, state.cover_open),
            (0x40, state.feed_pressed),
        )
    )
    second = _sum(
        (
            (0x01, state.cutter_error),
            (0x08, state.cutter_error),
            (0x20, state.fatal),
            (0x40, state.head_hot),
        )
    )
    return bytes((first, second, paper(state), 0x0F))


def watched(status: bytes, mask: int) -> tuple[int, ...]:
    """Return the parts of an automatic status that `GS a mask` watches for a change."""
    first = (ASB_DRAWER, 0x04), (ASB_OFFLINE, 0x28), (ASB_PANEL, 0x40)
    return (
        status[0] & _sum((bits, bool(mask & group)) for group, bits in first),
        status[1] if mask & ASB_ERROR else 0,
        status[2] if mask & ASB_PAPER else 0,
    )


def paper(state: Condition) -> int:
    """Return the reply to `GS r 1`, also byte 3 of the automatic status."""
    return _sum(((NEAR_END, state.near_end), (PAPER_END, state.paper_out)))


def drawer(state: Condition) -> int:
    """Return the reply to `GS r 2`."""
    return _sum(((0x01, state.drawer_open),))


def _sum(bits: Iterable[tuple[int, bool]]) -> int:
    total = 0
    for value, on in bits:
        if on:
            total |= value
    return total
