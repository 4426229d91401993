"""A raw byte line over TCP, as receipt printers lend it on port 9100.

Owns one connection: what arrives is handed on as it came, a loss is told once. Waits the
gap the print servers need between close and reopen. A successful write proves nothing and
nothing here claims otherwise.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

KEEP_IDLE_S, KEEP_EVERY_S, KEEP_COUNT = 15, 5, 3


class Unreachable(Exception):
    """No connection within the time allowed."""


class Occupied(Exception):
    """The port answers but takes no second connection."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where the device is. `shared`: give the socket back whenever it is idle."""

    host: str
    port: int = 9100
    connect_timeout_s: float = 3.0
    connect_tries: int = 2
    reopen_gap_s: float = 0.2
    shared: bool = False


class Wire(Protocol):
    """One connection. `on_data` and `on_lost` are called until `close` or the loss."""

    # Twisted's transports are zope interfaces, which carry no static types.
    transport: Any

    def __init__(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_data = on_data
        self._on_lost: Callable[[], None] | None = on_lost
        self._drained: Deferred[None] | None = None
        self.closed: Deferred[None] = Deferred()

    # from Twisted
    def connectionMade(self) -> None:
        """Switch on keep-alive so that a dead peer is noticed within half a minute."""
        handle = getattr(self.transport, "getHandle", None)
        if handle is None:
            return
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        for option, value in (
            ("TCP_KEEPIDLE", KEEP_IDLE_S),
            ("TCP_KEEPINTVL", KEEP_EVERY_S),
            ("TCP_KEEPCNT", KEEP_COUNT),
        ):
            if hasattr(socket, option):
                handle().setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def dataReceived(self, data: bytes) -> None:
        """Hand bytes on."""
        if self._on_lost is not None:
            self._on_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the loss once."""
        tell, self._on_lost = self._on_lost, None
        if tell is not None:
            tell()
        self._fire_drained()
        if not self.closed.called:
            self.closed.callback(None)

    # from the driver
    def write(self, data: bytes) -> None:
        """Queue bytes for the device."""
        assert self.transport is not None
        self.transport.write(data)

    def drain(self, data: bytes) -> Deferred[None]:
        """Write `data`; fires when the last byte has left this process or the wire is lost."""
        assert self.transport is not None
        done: Deferred[None] = Deferred()
        self._drained = done
        # As a pull producer we are asked again exactly when the buffer has run empty.
        self.transport.registerProducer(_Drain(self, data), False)
        return done

    def told_drained(self) -> None:
        """Take the producer's word that the buffer is empty."""
        if self.transport is not None:
            self.transport.unregisterProducer()
        self._fire_drained()

    def _fire_drained(self) -> None:
        done, self._drained = self._drained, None
        if done is not None:
            done.callback(None)

    def close(self) -> None:
        """Stop telling anything and close."""
        self._on_lost = None
        if self.transport is not None:
            self.transport.loseConnection()

    def abort(self) -> None:
        """Stop telling anything and drop the connection without waiting for its buffer."""
        self._on_lost = None
        if self.transport is not None:
            self.transport.abortConnection()


class _Drain:
    """Gives its bytes at the first call, says at the second that they are gone."""

    def __init__(self, wire: Wire, data: bytes) -> None:
        self._wire = wire
        self._data: bytes | None = data

    def resumeProducing(self) -> None:
        """Write, or report."""
        data, self._data = self._data, None
        if data is None:
            self._wire.told_drained()
        else:
            self._wire.write(data)

    def stopProducing(self) -> None:
        """Forget the rest; the loss is told by the wire."""
        self._data = None


class Tcp:
    """Opens wires to one device."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, options: Options) -> None:
        self._reactor = reactor
        self._options = options
        self._closed_at = float("-inf")

    @property
    def shared(self) -> bool:
        """Say whether the socket must be given back between jobs."""
        return self._options.shared

    async def open(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> Wire:
        """Connect, after the reopen gap.

        Raises:
            Unreachable: Nobody answered; also what a full listen queue looks like.
            Occupied: The connection was refused, most often because another has it.
        """
        options = self._options
        wait = self._closed_at + options.reopen_gap_s - self._reactor.seconds()
        if wait > 0:
            await deferLater(self._reactor, wait)
        # The factory protocol is a zope interface too, hence Any below.
        once: Any = _Once(on_data, on_lost)
        kind = TCP6ClientEndpoint if ":" in options.host else TCP4ClientEndpoint
        endpoint = kind(
            self._reactor, options.host, options.port, timeout=options.connect_timeout_s
        )
        last: Exception | None = None
        for _ in range(options.connect_tries):
            try:
                wire: Wire = await endpoint.connect(once)
            except ConnectionRefusedError as error:
                raise Occupied(f"{options.host}:{options.port}") from error
            except Exception as error:
                # Twisted raises many kinds here (timeout, route, name); all mean the same.
                last = error
            else:
                return wire
        raise Unreachable(f"{options.host}:{options.port}") from last

    def closed(self) -> None:
        """Note that a wire has just been closed, for the reopen gap."""
        self._closed_at = self._reactor.seconds()


class _Once(Factory):
    """Builds exactly one wire."""

    noisy = False

    def __init__(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_data = on_data
        self._on_lost = on_lost

    def buildProtocol(self, addr: IAddress | None) -> Wire:
        """Return the wire."""
        return Wire(self._on_data, self._on_lost)
