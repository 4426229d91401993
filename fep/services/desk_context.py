"""What the desk's methods stand on: the services behind them, reads aside, grants.

Rules: a read that may take long runs in a thread on a read-only connection of its own, so
that the reactor never waits; nothing personal leaves unmasked without a grant, and a grant
is the number of the journal record that says why. With the daemon stopped the same methods
run on the store alone.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, cast

import msgspec

from fep.domain.calendar import to_ms
from fep.domain.faults import Refused
from fep.domain.faults_desk import desk_refuse
from fep.domain.link_budget import OfflineBudget, OfflineUse
from fep.ports import Clock
from fep.services.web_token import UrlOf, no_url

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fep.crypto.certs import Certificate

P = ParamSpec("P")
T = TypeVar("T")
GRANT_S = 120.0
GRANTS_MAX = 64
STORE_FILE = "fep.db"


class StoreDoor(Protocol):
    """What the desk asks of the writer."""

    def do(self, name: str, fn: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Run `fn(tx, *args)` in the next group commit."""


class IssueDoor(Protocol):
    """What the desk asks of the issue service."""

    fenced: str

    def stats(self) -> Mapping[str, object]:
        """Return counters since start."""


class SpoolDoor(Protocol):
    """What the desk asks of the print spool."""

    def devices(self) -> Sequence[Any]:
        """Return the devices with their state."""

    def resolve(
        self, job_id: int, verdict: Literal["printed", "reprint"], reason: str, who: str
    ) -> Awaitable[Any]:
        """Take a person's word on an uncertain job."""

    def cancel(self, job_id: int, reason: str, who: str) -> Awaitable[Any]:
        """Give up a job that was not printed."""

    def test(self, device: str, form: str = "") -> Awaitable[Any]:
        """Print a test slip, or the grid for a kind of sheet."""


class UplinkDoor(Protocol):
    """What the desk asks of the link."""

    def offset_ms(self) -> int | None:
        """Return platform time minus ours, None before it was heard."""

    def status(self) -> Any:
        """Return the state of every destination."""

    def wake(self) -> None:
        """Something is due."""

    def pause(self, reason: str, by: str) -> Awaitable[Any]:
        """Stop sending until resumed."""

    def resume(self, reason: str, by: str) -> Awaitable[Any]:
        """Send again."""

    def bring(self, content: bytes) -> Awaitable[str]:
        """Take a file that somebody brought as an arrival; returns its name."""


class SignerDoor(Protocol):
    """What the desk asks of a unit's signer."""

    state: str
    why: str
    backend: str
    cert_serial: str


class FenceDoor(Protocol):
    """What the desk asks of the fence."""

    fault: Refused | None

    @property
    def closed(self) -> bool:
        """Say whether the store may not be used as the newest one."""

    def lift(self, reason: str, who: str, approved: Sequence[str]) -> Awaitable[Any]:
        """Take two people's word that it may."""


class ClockDoor(Protocol):
    """What the desk asks of the watch over the clock."""

    fault: Refused | None
    steps: int
    last_step: tuple[int, int] | None

    def confirm(self, reason: str, who: str) -> Awaitable[dict[str, Any]]:
        """Take a person's word that the clock is right."""


class SealDoor(Protocol):
    """What the desk asks of the node's key."""

    certificate: Certificate

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature over a message."""


class BudgetDoor(Protocol):
    """What the desk asks of the offline budget."""

    limits: OfflineBudget

    def use(self) -> OfflineUse:
        """Return what is used of it."""


@dataclass(slots=True)
class Grants:
    """Journal records that allow unmasked reading for a short while."""

    clock: Clock
    given: dict[int, float] = field(default_factory=dict)

    def add(self, seq: int) -> None:
        """Remember the record; the oldest goes when there are too many."""
        self.given[seq] = self.clock.mono() + GRANT_S
        while len(self.given) > GRANTS_MAX:
            del self.given[min(self.given)]

    def holds(self, seq: int) -> bool:
        """Say whether the record still allows it."""
        return self.given.get(seq, 0.0) > self.clock.mono()


def in_thread(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
    """Run `fn` in the reactor's thread pool; fires on the reactor thread."""
    # The command line reads a stopped store through this module and must not load Twisted.
    from twisted.internet.threads import deferToThread

    return cast("Awaitable[T]", deferToThread(fn, *args, **kwargs))


async def at_once(fn: Callable[..., Any], *args: Any) -> Any:
    """Run `fn` here and now: how a stopped store is read."""
    return fn(*args)


def nothing() -> None:
    """Do nothing: nobody waits for new numbers."""


@dataclass(frozen=True, slots=True)
class DeskContext:
    """Everything a desk method may touch. With the daemon stopped the services are None.

    `peer` is who calls, as the intake knows it (login name of the control socket's other
    end); `started_at` is ms since the epoch; `numbers_came` is told after an import.
    """

    settings: Any  # fep.settings.Settings; None when a stopped site's configuration is wrong
    store: StoreDoor | None
    clock: Clock
    issue: IssueDoor | None
    spool: SpoolDoor | None
    uplink: UplinkDoor | None
    started_at: int
    selfcheck: Callable[[], Sequence[Any]] | None
    version: str
    data: Path | None = None
    peer: str = ""
    signers: Mapping[str, SignerDoor] = field(default_factory=dict)
    numbers_came: Callable[[], None] = nothing
    url_of: UrlOf = no_url
    aside: Callable[..., Awaitable[Any]] = in_thread
    grants: Grants | None = None
    stopped: Mapping[str, object] = field(default_factory=dict)
    fence: FenceDoor | None = None
    clockwatch: ClockDoor | None = None
    budget: BudgetDoor | None = None
    seal: SealDoor | None = None
    doors: Callable[[], Sequence[Refused]] = tuple  # why a door of [http] is not open
    audits: dict[int, Any] = field(default_factory=dict)  # the audit under way, by its number
    people: Any = None  # fep.services.people.People; None when the daemon is stopped
    accounts: Any = None  # fep.services.accounts.Accounts; None when the daemon is stopped
    bench: Any = None  # fep.services.signing_bench.Bench; None when the daemon is stopped
    bridges: Any = None  # fep.services.bridges.Bridges; None when the daemon is stopped
    till: Any = None  # fep.services.till.Till; None when the daemon is stopped

    @property
    def live(self) -> bool:
        """Say whether the daemon answers, not the command line on its behalf."""
        return self.store is not None

    @property
    def data_dir(self) -> Path:
        """Return the data directory."""
        return self.data if self.data is not None else Path(self.settings.node.data)

    @property
    def units(self) -> tuple[str, ...]:
        """Return the codes of the configured units."""
        return tuple(self.settings.units) if self.settings is not None else ()

    def now_ms(self) -> int:
        """Return the wall clock in ms since the epoch."""
        return to_ms(self.clock.wall())

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args,
                   **kwargs: P.kwargs) -> T:  # fmt: skip
        """Run a query on a read-only connection of its own, off the reactor thread."""
        path = self.data_dir / STORE_FILE
        return cast("T", await self.aside(on_reader, path, fn, args, kwargs))

    def writer(self, verb: str) -> StoreDoor:
        """Return the writer. Raises Refused CTL_STOPPED."""
        if self.store is None:
            raise desk_refuse("CTL_STOPPED", verb=verb)
        return self.store

    def unmasked(self, grant: int) -> bool:
        """Say whether personal fields may be shown. Raises Refused CTL_UNMASK."""
        if not grant:
            return False
        if self.grants is None or not self.grants.holds(grant):
            raise desk_refuse("CTL_UNMASK")
        return True


def on_reader(path: Path, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
    """Run a query on a read-only connection of its own."""
    from fep.store.sqlite import open_reader

    engine = open_reader(path)
    try:
        with engine.connect() as conn:
            return fn(conn, *args, **kwargs)
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the control socket: right, shape of its params, what it does.

    `changes` methods need the running daemon.
    """

    right: str
    params: type[msgspec.Struct] | None
    call: Callable[..., Any]
    changes: bool = False


class Params(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of all params: an unknown member is refused."""


class Reason(Params):
    """Why a person changes something."""

    reason: str


def stated(reason: str) -> str:
    """Return the reason without surrounding space. Raises Refused CTL_REASON."""
    text = " ".join(reason.split())[:200]
    if not text:
        raise desk_refuse("CTL_REASON")
    return text


def pid() -> int:
    """Return the process id."""
    return os.getpid()
