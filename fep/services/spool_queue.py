"""Where a device's jobs come from, as its loop sees them.

Receipt and page printers share the queue of their group (fep.store.printing); every form
printer has one of its own, since its jobs are bound to the sheet in its tractor.
"""

from __future__ import annotations

from collections.abc import Awaitable
from enum import StrEnum
from typing import Any, Protocol

from fep.domain.printing import Form


class Due(Protocol):
    """A job of any kind."""

    @property
    def id(self) -> int:
        """Return its number."""

    @property
    def receipt_id(self) -> int:
        """Return what it prints."""

    @property
    def copy(self) -> int:
        """Return which paper of the receipt it is."""

    @property
    def state(self) -> StrEnum:
        """Return where it is."""


class Queue(Protocol):
    """The calls of a loop on the store; `fep.store.printing` is one of these."""

    begin_txn: Any  # (tx, job id, device) -> attempt or None
    end_txn: Any  # (tx, attempt, result) -> job
    next_due_q: Any  # (conn, group, now_ms) -> Due or None
    next_wake_q: Any  # (conn, group) -> ms or None
    queue_length_q: Any  # (conn, group) -> int


class Press(Protocol):
    """What form printers need beside their driver."""

    def queue(self, device: str) -> Queue:
        """Return the jobs of one device."""

    def form(self, job_id: int) -> Awaitable[Form]:
        """Return what is to be printed. Raises Refused."""

    def trial(self, device: str, at: str) -> Form:
        """Return the test grid."""
