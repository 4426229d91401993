"""What the accountant asks of a running node: the day close, and the books beside the platform's.

One object for the node to build, start and stop; it makes the parts and lends them to the
desk. Nothing here is on the issuing path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fep.domain.faults import Refused, refuse
from fep.services.days import Days
from fep.services.desk_context import STORE_FILE, at_once, in_thread, on_reader
from fep.services.guard import Guard
from fep.services.reconcile import Reconcile
from fep.services.reconcile_direct import DirectBook
from fep.services.reconcile_link import LinkBook
from fep.settings import Settings
from fep.store.revocation import plain, revoked_q
from fep.store.writer import Store


class Link(Protocol):
    """What is asked of a link; one that calls the platform itself has a `platform`."""

    def wake(self) -> None:
        """There is something to send."""


class Accounts:
    """The accounts of one node."""

    def __init__(self, settings: Settings, reactor: Any, store: Store, guard: Guard, log: Any,
                 *, now_ms: Callable[[], int], threads: bool) -> None:  # fmt: skip
        self._guard = guard
        path = settings.node.data / STORE_FILE
        aside = in_thread if threads else at_once

        async def read(fn: Any, *args: Any) -> Any:
            return await aside(on_reader, path, fn, args, {})

        units = [unit.code for unit in settings.units.values() if not unit.test]
        self.days = Days(
            reactor, store, read, units, guard.seal, log, now_ms=now_ms, held=self._held
        )
        self._store = store
        self._looked_at = 0
        self._revoked: frozenset[tuple[str, str]] = store.read(revoked_q)
        self._scheduled = settings.reconcile.enabled
        self._wake: Callable[[], None] = _nothing
        dest = settings.link.dest
        delivered = [unit.code for unit in settings.units.values() if unit.dest == dest]
        certificate = settings.root / settings.link.platform_cert
        linked = settings.link.enabled and certificate.is_file()
        book = LinkBook(
            reactor, store, dest, now_ms=now_ms, wake=self._woken,
            patience_s=settings.reconcile.patience_minutes * 60.0,
        )  # fmt: skip
        self.reconcile = Reconcile(
            reactor, store, read, dest, delivered, book if linked else None, log,
            now_ms=now_ms, wake=self._woken,
        )  # fmt: skip

    # from node
    def start(self) -> None:
        """Close what became due while the node was down; look what the platform revokes."""
        self._guard.ticker.add(self._look)
        self.days.begin()

    def revoked(self, unit: str, serial: str) -> Refused | None:
        """Return why a unit may not sign with a certificate, None when it may."""
        known = (unit, plain(serial)) in self._revoked
        return refuse("SIG_REVOKED", unit=unit) if known else None

    def _look(self) -> None:
        """Read what is revoked when anything was journalled since the last look."""
        seq = self._store.heads.journal_seq
        if seq != self._looked_at and not self._store.dead:
            self._looked_at = seq
            self._revoked = self._store.read(revoked_q)

    def linked(self, link: Link) -> None:
        """Take the link: what wakes it, and the platform where the daemon calls it itself."""
        self._wake = link.wake
        platform = getattr(link, "platform", None)
        if platform is not None:
            self.reconcile.ask_of(DirectBook(platform))

    def _woken(self) -> None:
        self._wake()

    def stop(self) -> None:
        """Begin nothing more."""
        self.days.stop()
        self.reconcile.stop()

    # from the almanac
    def new_day(self) -> None:
        """A day is over: close it."""
        self.days.begin()

    def compare(self) -> None:
        """Compare yesterday with the platform, where that is wanted."""
        if self._scheduled:
            self.reconcile.scheduled()

    def _held(self) -> str:
        """Say why totals would not be true now: a fenced store, a clock in doubt."""
        if self._guard.fence.closed:
            return "fence"
        fault = self._guard.clockwatch.fault
        return fault.code if fault is not None else ""


def _nothing() -> None:
    """There is no link to tell."""
