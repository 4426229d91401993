"""A one-way line to a line printer daemon (RFC 1179): print servers, routers, old Windows.

A job is collected and handed over whole at `drain`, because the protocol tells its length
first. The daemon's acknowledgement says that it has the bytes, nothing of paper: the outcome
of a job is at best `accepted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from drivers.transports import tcp
from drivers.transports.line import Occupied

ACK_S = 15.0
JOBS = 1000
_RECEIVE, _CONTROL, _DATA = 2, 2, 3


@dataclass(frozen=True, slots=True)
class Options:
    """Where the daemon is, which queue of it, how long it may take to acknowledge (seconds)."""

    host: str
    queue: str = "lp"
    port: int = 515
    connect_timeout_s: float = 3.0
    reopen_gap_s: float = 0.2
    ack_timeout_s: float = ACK_S

    def line(self, reactor: Any) -> Lpd:
        """Return the line."""
        return Lpd(reactor, self)


class Job:
    """One job on its way. A refusal or a loss before the data is told as a loss."""

    def __init__(self, reactor: Any, options: Options, number: int, on_lost: Any) -> None:
        self._reactor = reactor
        self._options = options
        self._number = number
        self._on_lost: Callable[[], None] | None = on_lost
        self._body = bytearray()
        self._wire: tcp.Wire | None = None
        self._answer: Deferred[bytes] | None = None

    # from the daemon
    def heard(self, data: bytes) -> None:
        """Take an acknowledgement."""
        waiting, self._answer = self._answer, None
        if waiting is not None:
            waiting.callback(data[:1])

    def gone(self) -> None:
        """The connection is lost."""
        self._wire = None
        self.heard(b"")
        self._lost()

    def _lost(self) -> None:
        tell, self._on_lost = self._on_lost, None
        if tell is not None:
            tell()

    # from Lpd
    async def begin(self, wire: tcp.Wire) -> bool:
        """Ask for the queue; says whether the daemon takes a job."""
        self._wire = wire
        return await self._said(bytes([_RECEIVE]) + self._options.queue.encode() + b"\n")

    # from the driver
    def write(self, data: bytes) -> None:
        """Add to the job."""
        self._body += data

    async def drain(self, data: bytes) -> None:
        """Hand the job over; returns when the daemon has it, or the line is lost."""
        self._body += data
        name = b"%03dfep" % self._number
        control = b"Hfep\nPfep\nldfA%s\nUdfA%s\nNfep\n" % (name, name)
        good = (
            await self._said(b"%c%d cfA%s\n" % (_CONTROL, len(control), name))
            and await self._said(control + b"\0")
            and await self._said(b"%c%d dfA%s\n" % (_DATA, len(self._body), name))
            and await self._said(bytes(self._body) + b"\0")
        )
        self._body.clear()
        if not good:
            self._lost()

    def close(self) -> None:
        """End."""
        self._on_lost = None
        if self._wire is not None:
            self._wire.close()

    def abort(self) -> None:
        """End at once."""
        self._on_lost = None
        if self._wire is not None:
            self._wire.abort()

    async def _said(self, data: bytes) -> bool:
        """Send and wait for the acknowledgement, a zero byte; bounded."""
        if self._wire is None:
            return False
        waiting: Deferred[bytes] = Deferred()
        self._answer = waiting
        self._wire.write(data)
        alarm = self._reactor.callLater(self._options.ack_timeout_s, self.heard, b"")
        answer = await waiting
        if alarm.active():
            alarm.cancel()
        return answer == b"\0"


class Lpd:
    """Opens one connection a job."""

    shared = True
    two_way = False

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, options: Options) -> None:
        self._reactor = reactor
        self._options = options
        where = tcp.Options(
            options.host, options.port, options.connect_timeout_s, 1, options.reopen_gap_s
        )
        self._tcp = where.line(reactor)
        self._number = 0

    async def open(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> Job:
        """Connect and ask for the queue. Raises Unreachable, Occupied."""
        self._number = (self._number + 1) % JOBS
        job = Job(self._reactor, self._options, self._number, on_lost)
        wire = await self._tcp.open(job.heard, job.gone)
        if not await job.begin(wire):
            job.abort()
            self.closed()
            raise Occupied(f"{self._options.host} queue {self._options.queue}")
        return job

    def closed(self) -> None:
        """Note that a connection has just ended, for the gap before the next."""
        self._tcp.closed()
