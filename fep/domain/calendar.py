"""Business time: every date and time on a receipt is that of +08:00, whatever the machine says."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

CST = timezone(timedelta(hours=8), "CST")


def to_ms(at: datetime) -> int:
    """Return integer milliseconds since the epoch of an aware datetime."""
    return int(at.timestamp() * 1000)


def local(at_ms: int) -> datetime:
    """Return the +08:00 datetime of milliseconds since the epoch."""
    return datetime.fromtimestamp(at_ms / 1000, CST)


def day_of(at_ms: int) -> str:
    """Return the business date YYYY-MM-DD."""
    return local(at_ms).date().isoformat()


def iso(at_ms: int) -> str:
    """Return ISO 8601 with seconds and offset, as the socket API shows times."""
    return local(at_ms).isoformat(timespec="seconds")
