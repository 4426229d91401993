"""Suspected doubles: same content under another key within minutes. Issued all the same,
because two equal visits happen, but journalled for the day report. Memory is bounded."""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED_MAX = 50_000


class Doubles:
    """Digests of the last minutes."""

    def __init__(self, window_s: int) -> None:
        self._window_ms = window_s * 1000
        self._seen: OrderedDict[tuple[str, bytes], tuple[str, int]] = OrderedDict()

    def seen(self, unit: str, content: bytes, key: str, at_ms: int) -> str:
        """Remember an event; return the other key when its unit saw its content lately."""
        digest = (unit, content)
        before = self._seen.pop(digest, None)
        self._seen[digest] = (key, at_ms)
        while self._seen:
            oldest, (_, oldest_ms) = next(iter(self._seen.items()))
            if oldest_ms >= at_ms - self._window_ms and len(self._seen) <= REMEMBERED_MAX:
                break
            del self._seen[oldest]
        if before is None or before[0] == key or before[1] < at_ms - self._window_ms:
            return ""
        return before[0]
