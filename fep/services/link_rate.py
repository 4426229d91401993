"""How fast the platform answers: the figure behind "rate" and "when will it be empty".

Rules: answers are counted a second apart at the closest, so the memory is bounded; right after
an outage the mean is over the time since its first answer, not over a minute of silence.
It never guesses: without an answer in the last minute the rate is 0.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from fep.ports import Clock

OVER_S: Final = 60.0
LEAST_S: Final = 5.0  # a burst within less tells nothing of the next minute


class Rate:
    """Final answers a second, over the last minute at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: deque[tuple[int, int]] = deque(maxlen=int(OVER_S) + 1)

    def count(self, answers: int) -> None:
        """Note answers that came just now."""
        second = int(self._clock.mono())
        if self._counts and self._counts[-1][0] == second:
            answers += self._counts.pop()[1]
        self._counts.append((second, answers))

    def per_s(self) -> float:
        """Return the mean a second since the first answer of the last minute."""
        now = self._clock.mono()
        while self._counts and self._counts[0][0] < now - OVER_S:
            self._counts.popleft()
        if not self._counts:
            return 0.0
        span = min(OVER_S, max(LEAST_S, now - self._counts[0][0]))
        return sum(count for _, count in self._counts) / span
