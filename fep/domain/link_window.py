"""How much may be under way, and when to write it again. Pure; times in seconds.

A window of batches and bytes bounds what is unanswered. A batch is written again after the
time-out: the measured round trip (RFC 6298, 2), doubled at each writing up to a cap, with
jitter handed in. There is no last try: only a person gives up a receipt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

_GAIN: Final = 1 / 8
_GAIN_VAR: Final = 1 / 4
_SPREAD: Final = 4


@dataclass(frozen=True, slots=True)
class Window:
    """Bounds of what may be unanswered at a time."""

    batches: int = 64
    bytes: int = 64 * 1024 * 1024

    def open(self, batches: int, size: int) -> bool:
        """Say whether one more batch may be made."""
        return batches < self.batches and size < self.bytes


@dataclass(frozen=True, slots=True)
class Timing:
    """Limits of the time-out."""

    first_s: float = 120.0
    least_s: float = 15.0
    most_s: float = 1800.0
    jitter: float = 0.2  # ± this part


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Smoothed round trip; empty until the first answer to a batch written once."""

    smoothed_s: float | None = None
    spread_s: float = 0.0

    def measured(self, sample_s: float) -> RoundTrip:
        """Return the estimate with one more sample."""
        if self.smoothed_s is None:
            return RoundTrip(sample_s, sample_s / 2)
        spread = (1 - _GAIN_VAR) * self.spread_s + _GAIN_VAR * abs(self.smoothed_s - sample_s)
        return replace(
            self, smoothed_s=(1 - _GAIN) * self.smoothed_s + _GAIN * sample_s, spread_s=spread
        )


def timeout_s(trip: RoundTrip, timing: Timing, tries: int, draw: float) -> float:
    """Return how long to wait for the answer to the writing number `tries` (from 1).

    `draw` is uniform in 0 <= draw < 1 and becomes the jitter.
    """
    assert tries >= 1, tries
    assert 0.0 <= draw < 1.0, draw
    base = timing.first_s
    if trip.smoothed_s is not None:
        base = max(timing.least_s, trip.smoothed_s + _SPREAD * trip.spread_s)
    doubled = min(timing.most_s, base * (1 << min(tries - 1, 30)))
    return doubled * (1.0 + timing.jitter * (2.0 * draw - 1.0))


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch that waits for its answer. Times monotonic; the bytes are in the store."""

    id: int
    seq: int
    first_rec: int
    n_rec: int
    size: int
    tail_hash: bytes  # record hash at `last_rec`; empty after a restart
    tries: int = 0  # writings so far
    first_s: float = 0.0  # when it was first written (or found at start)
    due_s: float = 0.0  # when to write it again
    written_s: float = 0.0  # the latest writing

    @property
    def last_rec(self) -> int:
        """Return the `rec_seq` of its last record."""
        return self.first_rec + self.n_rec - 1
