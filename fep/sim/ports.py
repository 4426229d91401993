"""What a simulator needs from outside, as protocols of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time from outside."""

    def wall(self) -> datetime:
        """Return the wall clock as an aware datetime in UTC."""

    def mono(self) -> float:
        """Return seconds that never go backwards."""


def wall_ms(clock: Clock) -> int:
    """Return the wall clock in ms since the epoch."""
    return int(clock.wall().timestamp() * 1000)
