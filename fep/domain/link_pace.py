"""When and how fast files may cross a gate: its hours, rate and largest file. Pure.

Hours are those of the clock on the wall in +08:00; a span may pass midnight, none at all
means always. Rates spread files evenly: after a file the next one waits for its share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DAY_MINUTES: Final = 1440
_SPAN: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")

Span = tuple[int, int]


def parse_span(text: str) -> Span:
    """Return (first, end) in minutes of the day of "HH:MM-HH:MM". Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"not HH:MM-HH:MM: {text[:40]!r}")
    first, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if first >= DAY_MINUTES or end > DAY_MINUTES or first == end:
        raise ValueError(f"no time of a day: {text!r}")
    return first, end


@dataclass(frozen=True, slots=True)
class Limits:
    """What a gate lets pass; 0 is no limit."""

    hours: tuple[Span, ...] = ()
    bytes_per_s: int = 0
    files_per_minute: int = 0
    file_bytes: int = 0

    def any(self) -> bool:
        """Say whether there is any limit."""
        return bool(self.hours or self.bytes_per_s or self.files_per_minute or self.file_bytes)

    def opens_in(self, minute: int) -> int:
        """Return minutes until the gate is open, 0 when it is. `minute` of the day."""
        assert 0 <= minute < DAY_MINUTES, minute
        if not self.hours or any(_within(span, minute) for span in self.hours):
            return 0
        return min((first - minute) % DAY_MINUTES for first, _ in self.hours)

    def too_big(self, size: int) -> bool:
        """Say whether the gate refuses a file of `size` bytes."""
        return 0 < self.file_bytes < size

    def share_s(self, size: int) -> float:
        """Return how long a file of `size` bytes keeps the way busy."""
        by_bytes = size / self.bytes_per_s if self.bytes_per_s else 0.0
        by_files = 60.0 / self.files_per_minute if self.files_per_minute else 0.0
        return max(by_bytes, by_files)


def _within(span: Span, minute: int) -> bool:
    first, end = span
    if first < end:
        return first <= minute < end
    return minute >= first or minute < end
