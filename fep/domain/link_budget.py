"""The offline budget: how long, how many and how much may be issued unseen (I12).

Hours count since the platform was last heard, monotonically. Count and amount are those of
receipts without the platform's answer, online or not, so a flapping link gains nothing.
Limits signed by a platform bind; ours may only be tighter. The limit of a single receipt holds
while the platform has been silent for AWAY_MS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fep.domain.faults import Refused, refuse
from fep.domain.money import Fen, format_fen

MS_PER_HOUR: Final = 3_600_000
WARN_PERCENT: Final = (50, 80, 95)
USED_UP: Final = 100
AWAY_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class OfflineUse:
    """What is used: receipts frozen or sealed but not yet answered by the platform."""

    offline_ms: int = 0
    count: int = 0
    amount_fen: Fen = 0


@dataclass(frozen=True, slots=True)
class OfflineBudget:
    """Limits; None means no limit of that sort."""

    hours: int | None = 336
    count: int | None = None
    amount_fen: Fen | None = None
    single_fen: Fen | None = None

    def bound_by(self, other: OfflineBudget) -> OfflineBudget:
        """Return the tighter of both, limit by limit."""
        return OfflineBudget(
            _tighter(self.hours, other.hours),
            _tighter(self.count, other.count),
            _tighter(self.amount_fen, other.amount_fen),
            _tighter(self.single_fen, other.single_fen),
        )

    def verdict(self, use: OfflineUse, amount_fen: Fen) -> Refused | None:
        """Return why one more receipt of `amount_fen` may not be issued, else None."""
        if self.hours is not None and use.offline_ms >= self.hours * MS_PER_HOUR:
            return refuse("OFF_HOURS", hours=self.hours)
        if self.count is not None and use.count + 1 > self.count:
            return refuse("OFF_COUNT", count=self.count)
        if self.amount_fen is not None and use.amount_fen + amount_fen > self.amount_fen:
            return refuse("OFF_AMOUNT", amount=format_fen(self.amount_fen))
        away = use.offline_ms >= AWAY_MS
        if away and self.single_fen is not None and amount_fen > self.single_fen:
            return refuse("OFF_SINGLE", amount=format_fen(self.single_fen))
        return None

    def used_percent(self, use: OfflineUse) -> int:
        """Return the part used of the limit that is nearest, in whole percent, at most 100."""
        parts = (
            _percent(use.offline_ms, self.hours and self.hours * MS_PER_HOUR),
            _percent(use.count, self.count),
            _percent(use.amount_fen, self.amount_fen),
        )
        return max(parts)

    def warning(self, use: OfflineUse) -> int:
        """Return the highest warning mark reached (50, 80, 95, 100), 0 below all."""
        used = self.used_percent(use)
        return max((mark for mark in (*WARN_PERCENT, USED_UP) if used >= mark), default=0)


def _tighter(one: int | None, other: int | None) -> int | None:
    given = [limit for limit in (one, other) if limit is not None]
    return min(given) if given else None


def _percent(used: int, limit: int | None) -> int:
    if limit is None:
        return 0
    if limit <= 0:
        return USED_UP
    return min(USED_UP, used * 100 // limit)
