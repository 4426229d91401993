"""Seeded dice. The same seed gives the same throws on every machine and Python version.

Two rules: every choice of a simulator comes from here; a throw is never used for a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Dice:
    """SplitMix64 over a seed made of any texts and numbers."""

    def __init__(self, *seed: object) -> None:
        text = "\x1f".join(str(part) for part in seed)
        self._state = int.from_bytes(sha256(text.encode()).digest()[:8], "big")

    def word(self) -> int:
        """Return the next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def between(self, low: int, high: int) -> int:
        """Return an integer in low <= n <= high."""
        assert low <= high, (low, high)
        return low + self.word() % (high - low + 1)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability (0 never, 1 always)."""
        return (self.word() >> 11) < probability * (1 << 53)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of `choices`, which must not be empty."""
        return choices[self.word() % len(choices)]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """Return the things in a new order (Fisher-Yates)."""
        order = list(things)
        for last in range(len(order) - 1, 0, -1):
            other = self.word() % (last + 1)
            order[last], order[other] = order[other], order[last]
        return order
