"""The terminal on a line: one client over TCP, or a serial device such as a pty."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from fep.sim.pos.terminal import Terminal


class Line(Protocol):
    """One connection of a cashier's side."""

    transport: Any

    def __init__(self, station: Station) -> None:
        self._station = station

    def connectionMade(self) -> None:
        """Take the terminal, or be refused."""
        if not self._station.take(self):
            self.transport.abortConnection()
            return
        self._station.terminal.attach(self.transport.write)

    def dataReceived(self, data: bytes) -> None:
        """Hand bytes to the terminal."""
        if self._station.line is self:
            self._station.terminal.receive(data)

    def connectionLost(self, reason: Any = None) -> None:
        """Leave the terminal."""
        self._station.gone(self)


class Station(Factory):
    """A terminal with its socket or serial port. It starts nothing by itself."""

    noisy = False

    def __init__(self, reactor: Any, terminal: Terminal) -> None:
        self.reactor = reactor
        self.terminal = terminal
        self.line: Line | None = None
        self._listening: Any = None
        self._stopped = False
        terminal.on_power = self._power

    def buildProtocol(self, addr: Any) -> Line:
        """Return a connection."""
        return Line(self)

    def listen(self, port: int = 0, interface: str = "127.0.0.1") -> int:
        """Listen on TCP; returns the port. Raises CannotListenError."""
        self._listening = self.reactor.listenTCP(port, self, interface=interface)
        return int(self._listening.getHost().port)

    def plug(self, path: str, baud: int = 9600) -> None:
        """Sit on a serial device. Raises OSError."""
        from twisted.internet.serialport import SerialPort

        line = Line(self)
        SerialPort(line, path, self.reactor, baudrate=baud)  # type: ignore[no-untyped-call]  # untyped

    async def stop(self) -> None:
        """Close everything."""
        self._stopped = True
        if self._listening is not None:
            await maybeDeferred(self._listening.stopListening)
        self._drop()

    def take(self, line: Line) -> bool:
        """Give the terminal to a connection; False when another has it, or the power is off."""
        if self.line is not None or not self.terminal.powered:
            return False
        self.line = line
        return True

    def gone(self, line: Line) -> None:
        """Hear that a connection ended."""
        if self.line is line:
            self.line = None
            self.terminal.detach()

    def _power(self, on: bool) -> None:
        if not on:
            self._drop()

    def _drop(self) -> None:
        # A serial line stays plugged when the terminal goes dark; only TCP is cut.
        abort = getattr(self.line.transport, "abortConnection", None) if self.line else None
        if abort is not None:
            abort()
