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

    # Transactions and queries have as many types as there are kinds of jobs, hence Any.
    @property
    def begin_txn(self) -> Any:
        """Return (tx, job id, device) -> attempt or None."""

    @property
    def end_txn(self) -> Any:
        """Return (tx, attempt, result) -> job."""

    @property
    def next_due_q(self) -> Any:
        """Return (conn, group, now in ms) -> Due or None."""

    @property
    def next_wake_q(self) -> Any:
        """Return (conn, group) -> when the next job may be tried, in ms, or None."""

    @property
    def queue_length_q(self) -> Any:
        """Return (conn, group) -> how many jobs wait."""


class Press(Protocol):
    """What form printers need beside their driver."""

    def queue(self, device: str) -> Queue:
        """Return the jobs of one device."""

    def form(self, job_id: int) -> Awaitable[Form]:
        """Return what is to be printed. Raises Refused."""

    def trial(self, device: str, at: str, form: str) -> Form:
        """Return the test grid for a kind of sheet. Raises Refused."""
