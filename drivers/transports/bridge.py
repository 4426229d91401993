"""Ports and print queues that a fep-bridge lends: on a cashier's PC, reached by nobody else.

A port (`name`) is a line of bytes both ways, lost with the bridge's connection. A print queue
(`queue`) takes whole jobs, each under an id that the bridge journals before it begins, so that
a connection that breaks and returns finds out what became of the job; nothing comes back from
the printer, hence `accepted` at best. Owns no connection: the daemon introduces its bridges.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from weakref import WeakKeyDictionary

from drivers.transports.line import Open, Unreachable, Way

JOB_S = 60.0
JOB_MAX = 1024 * 1024
Op = Literal["job", "call"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a job or call.

    `state`: done; failed, busy (proved: nothing was begun); absent (the bridge's journal, which
    is known to be whole, has never heard of it); unsure (begun, and nobody knows); conflict
    (the id was used for something else); silent (nobody could be asked in time).
    `before`: of an unsure call that is the port's newest, the answer to the one before it.
    """

    state: str
    answer: bytes = b""
    why: str = ""
    before: bytes = b""


class Lender(Protocol):
    """One bridge, connected or not."""

    def open(
        self, port: str, on_data: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> Awaitable[Open]:
        """Open a line. Raises Unreachable, Occupied."""

    def carry(
        self,
        op: Op,
        port: str,
        id_: str,
        number: int,
        body: bytes,
        *,
        within_s: float,
        on_begun: Callable[[], None] = lambda: None,
    ) -> Awaitable[Carried]:
        """Have a job or call carried out, at most once for its id, whatever is repeated."""

    def ask(self, port: str, id_: str, number: int, *, within_s: float) -> Awaitable[Carried]:
        """Ask the bridge's journal what became of an earlier job or call."""

    def fault(self, port: str) -> str:
        """Return why nothing can be carried now, as a catalogue code, or empty."""

    def new_id(self) -> str:
        """Return an id that was never used."""


_LENDERS: WeakKeyDictionary[Any, dict[str, Lender]] = WeakKeyDictionary()


def introduce(reactor: Any, id_: str, lender: Lender) -> None:
    """Make a bridge known to the transports of this reactor."""
    _LENDERS.setdefault(reactor, {})[id_] = lender


def forget(reactor: Any, id_: str) -> None:
    """Forget a bridge."""
    _LENDERS.get(reactor, {}).pop(id_, None)


def lender_of(reactor: Any, id_: str) -> Lender:
    """Return a bridge. Raises Unreachable for one that is not registered."""
    found = _LENDERS.get(reactor, {}).get(id_)
    if found is None:
        raise Unreachable(f"no bridge {id_} in [bridge]")
    return found


@dataclass(frozen=True, slots=True)
class Options:
    """Which bridge, and which of its ports (two ways) or print queues (whole jobs)."""

    bridge: str
    name: str = ""
    queue: str = ""
    shared: bool = False

    def __post_init__(self) -> None:
        """Refuse neither and both. Raises ValueError."""
        if bool(self.name) is bool(self.queue):
            raise ValueError("transport bridge: either name (a port) or queue (a print queue)")

    def line(self, reactor: Any) -> Bridged:
        """Return the line."""
        return Bridged(reactor, self)


class Bridged(Way[Options]):
    """Opens lines at one bridge."""

    @property
    def shared(self) -> bool:
        """Say whether the port must be given back between jobs; a print queue always is."""
        return self._options.shared or bool(self._options.queue)

    @property
    def two_way(self) -> bool:
        """Say whether the device can answer."""
        return bool(self._options.name)

    async def open(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> Open:
        """Open the port. Raises Unreachable, Occupied."""
        options = self._options
        lender = lender_of(self._reactor, options.bridge)
        if options.name:
            return await lender.open(options.name, on_data, on_lost)
        fault = lender.fault(options.queue)
        if fault:
            raise Unreachable(f"{options.bridge}/{options.queue}: {fault}")
        return Job(lender, options.queue, on_lost)


class Job:
    """One job for a print queue, collected and handed over whole at `drain`."""

    def __init__(self, lender: Lender, queue: str, on_lost: Callable[[], None]) -> None:
        self._lender = lender
        self._queue = queue
        self._on_lost: Callable[[], None] | None = on_lost
        self._body = bytearray()

    def write(self, data: bytes) -> None:
        """Add to the job."""
        self._body += data

    async def drain(self, data: bytes) -> None:
        """Hand the job over; returns when the queue has it, or the line is told as lost."""
        self._body += data
        body = bytes(self._body)
        self._body.clear()
        if len(body) > JOB_MAX:
            self._lost()
            return
        done = await self._lender.carry(
            "job", self._queue, self._lender.new_id(), 0, body, within_s=JOB_S
        )
        if done.state != "done":
            self._lost()

    def close(self) -> None:
        """End."""
        self._on_lost = None

    def abort(self) -> None:
        """End."""
        self._on_lost = None

    def _lost(self) -> None:
        tell, self._on_lost = self._on_lost, None
        if tell is not None:
            tell()
