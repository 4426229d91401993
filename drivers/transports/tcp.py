"""A raw byte line over TCP, as receipt printers lend it on port 9100.

Waits the gap the print servers need between close and reopen, and keeps the connection
alive so that a dead peer is noticed within half a minute.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from drivers.transports import line
from drivers.transports.line import Occupied, Unreachable

KEEP_IDLE_S, KEEP_EVERY_S, KEEP_COUNT = 15, 5, 3


@dataclass(frozen=True, slots=True)
class Options:
    """Where the device is. `shared`: give the socket back whenever it is idle."""

    host: str
    port: int = 9100
    connect_timeout_s: float = 3.0
    connect_tries: int = 2
    reopen_gap_s: float = 0.2
    shared: bool = False

    def line(self, reactor: Any) -> Tcp:
        """Return the line."""
        return Tcp(reactor, self)


class Wire(line.Wire):
    """One TCP connection."""

    def connectionMade(self) -> None:
        """Switch on keep-alive."""
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


class Tcp(line.Way[Options]):
    """Opens wires to one device."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__(reactor, options)
        self._closed_at = float("-inf")

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
