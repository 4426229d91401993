"""Holes in a sequence of batches, and when to ask for them. Pure; times in seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

RANGES_MAX: Final = 64
ASK_MOST_S: Final = 1800.0

Ranges = tuple[tuple[int, int], ...]


def ranges(seqs: Iterable[int]) -> Ranges:
    """Return sequence numbers as ascending closed ranges, at most RANGES_MAX of them."""
    found: list[tuple[int, int]] = []
    for seq in sorted(set(seqs)):
        if found and found[-1][1] + 1 == seq:
            found[-1] = (found[-1][0], seq)
        elif len(found) < RANGES_MAX:
            found.append((seq, seq))
        else:
            break
    return tuple(found)


def missing(head: int, held: Iterable[int]) -> Ranges:
    """Return the holes between `head` (applied) and the batches held beyond it."""
    holes: list[tuple[int, int]] = []
    expected = head + 1
    for seq in sorted(set(held)):
        if seq > expected and len(holes) < RANGES_MAX:
            holes.append((expected, seq - 1))
        expected = max(expected, seq + 1)
    return tuple(holes)


@dataclass(frozen=True, slots=True)
class GapWatch:
    """Remembers since when a hole is there and when it was asked for."""

    patience_s: float
    holes: Ranges = field(default=())
    since_s: float = 0.0
    next_ask_s: float = 0.0
    asked: int = 0

    def look(self, holes: Ranges, now_s: float) -> tuple[GapWatch, Ranges]:
        """Return (watch, ranges to ask for now); asks again with doubled patience."""
        if not holes:
            return GapWatch(self.patience_s), ()
        if holes[0] != (self.holes[0] if self.holes else None):
            fresh = GapWatch(self.patience_s, holes, now_s, now_s + self.patience_s)
            return fresh, ()
        if now_s < self.next_ask_s:
            return replace(self, holes=holes), ()
        wait_s = min(ASK_MOST_S, self.patience_s * (1 << min(self.asked + 1, 20)))
        return replace(self, holes=holes, next_ask_s=now_s + wait_s, asked=self.asked + 1), holes
