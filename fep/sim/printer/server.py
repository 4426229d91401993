"""The printer on the network: one connection at a time, TCP that stalls when it is full.

Rules: no more bytes are read from the socket than the receive buffer takes, so the window of
the peer closes when the printer stops; a second client is refused until the first is gone.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from fep.sim.printer.cable import Cable
from fep.sim.printer.machine import Printer

# A printer that was full reads again when this much is free.
LOW_ROOM_BYTES = 256
# The kernel's own buffer, small as in a printer's network board.
SOCKET_BYTES = 4096
# With a slow cable, bytes are taken this many times a second.
_PACE_TURNS = 50
# While nothing is read, a reset by the peer is looked for this often.
_RESET_LOOK_S = 0.25
_TCP_CLOSE = 7  # tcpi_state, first byte of struct tcp_info in linux/tcp.h


class Line(Protocol):
    """One connection of a host."""

    transport: Any

    def __init__(self, station: Station) -> None:
        self._station = station
        self._printer = station.printer
        self._knobs = station.printer.knobs
        self._cable = station.cable
        self._idle: Any = None
        self._pace: Any = None
        self._look: Any = None
        self._writing: Any = None
        self._outgoing: deque[tuple[float, bytes]] = deque()
        self._paused = False
        self._served = False

    def connectionMade(self) -> None:
        self._served = self._station.take(self)
        if not self._served:
            if self._knobs.second_client == "hang":
                self.transport.pauseProducing()
            else:
                self.transport.abortConnection()
            return
        self.transport.setTcpNoDelay(True)
        self._printer.journal.write("connected", peer=str(self.transport.getPeer().host))
        self._printer.attach(self._reply)
        self._wind_idle()
        self.room_changed()

    def dataReceived(self, data: bytes) -> None:
        self._wind_idle()
        data, breaks = self._cable.until_hang_up(self._cable.received(data))
        self._printer.receive(data)
        if breaks:
            self._printer.journal.write("hung_up")
            self.transport.abortConnection()
            return
        if self._knobs.pace_bytes_s:
            self._hold_back(len(data) / self._knobs.pace_bytes_s)
        self.room_changed()

    def connectionLost(self, reason: Any = None) -> None:
        for call in (self._idle, self._pace, self._look, self._writing):
            if call is not None and call.active():
                call.cancel()
        if self._served:
            self._printer.detach()
            self._printer.journal.write("disconnected")
        self._station.gone(self)

    def room_changed(self) -> None:
        """Read on, or stop, as the receive buffer allows."""
        room = self._printer.room
        # Twisted reads at most this many bytes at a time.
        most = room
        if self._knobs.pace_bytes_s:
            most = min(room, max(1, self._knobs.pace_bytes_s // _PACE_TURNS))
        self.transport.bufferSize = max(1, most)
        low = min(LOW_ROOM_BYTES, self._printer.profile.buffer_bytes // 2)
        stop = self._pace is not None or (room < low if self._paused else room == 0)
        if stop and not self._paused:
            self.transport.pauseProducing()
        elif self._paused and not stop:
            self.transport.resumeProducing()
        self._paused = stop
        if stop and self._look is None:
            self._look = self._station.reactor.callLater(_RESET_LOOK_S, self._look_for_reset)

    def drop(self) -> None:
        """Break the connection, as a power cut does."""
        self.transport.abortConnection()

    def _look_for_reset(self) -> None:
        """Notice that the peer reset a connection that is not being read."""
        self._look = None
        state = self.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        if state[0] == _TCP_CLOSE:
            self.transport.abortConnection()
        elif self._paused:
            self._look = self._station.reactor.callLater(_RESET_LOOK_S, self._look_for_reset)

    def _hold_back(self, seconds: float) -> None:
        self._pace = self._station.reactor.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        self._pace = None
        self.room_changed()

    def _reply(self, data: bytes) -> None:
        now = self._station.reactor.seconds()
        for delay, chunk in self._cable.sent(data):
            # Later chunks never overtake earlier ones.
            due = max(now + delay, self._outgoing[-1][0] if self._outgoing else 0.0)
            self._outgoing.append((due, chunk))
        if self._writing is None:
            self._write_due()

    def _write_due(self) -> None:
        self._writing = None
        now = self._station.reactor.seconds()
        while self._outgoing and self._outgoing[0][0] <= now:
            self.transport.write(self._outgoing.popleft()[1])
        if self._outgoing:
            wait = self._outgoing[0][0] - now
            self._writing = self._station.reactor.callLater(wait, self._write_due)

    def _wind_idle(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        if self._knobs.idle_close_s:
            reactor = self._station.reactor
            self._idle = reactor.callLater(self._knobs.idle_close_s, self.transport.loseConnection)


class Station(Factory):
    """A printer with its network socket. Give it the reactor; it starts nothing by itself."""

    noisy = False

    def __init__(self, reactor: Any, printer: Printer, cable: Cable) -> None:
        self.reactor = reactor
        self.printer = printer
        self.cable = cable
        self.port = 0
        self._interface = "127.0.0.1"
        self._listening: Any = None
        self._line: Line | None = None
        self._others: set[Line] = set()
        self._reopen: Any = None
        self._running = False
        printer.on_room = self._room_changed

    async def start(self, port: int = 0, interface: str = "127.0.0.1") -> int:
        """Listen; return the port, which stays the same from now on. Raises CannotListenError."""
        self.port, self._interface, self._running = port, interface, True
        self._listen()
        self.printer.journal.write("listening", port=self.port)
        return self.port

    async def stop(self) -> None:
        """Close everything; paper that hangs out becomes a sheet that was not cut."""
        self._running = False
        self._cancel_reopen()
        await self._close()
        gone = [line.transport for line in self._lines()]
        for transport in gone:
            transport.abortConnection()
        self.printer.put_away()

    async def restart(self, boot_s: float | None = None) -> None:
        """Switch off and on: buffers, modes and the connection are lost, the paper is not."""
        await self.power_off()
        wait = self.printer.knobs.boot_s if boot_s is None else boot_s
        self._cancel_reopen()
        self._reopen = self.reactor.callLater(wait, self._boot)

    async def power_off(self) -> None:
        """Switch off."""
        self._cancel_reopen()
        self.printer.power_off()
        for line in self._lines():
            line.drop()
        await self._close()

    def power_on(self) -> None:
        """Switch on and listen again."""
        self.printer.power_on()
        self._listen()
        self.printer.settle()

    def hang_up(self) -> None:
        """Break the connection that stands, if any."""
        for line in self._lines():
            line.drop()

    # from a connection
    def buildProtocol(self, addr: Any) -> Line:
        return Line(self)

    def take(self, line: Line) -> bool:
        """Give the printer to a connection; False when another one has it."""
        if self._line is not None or not self.printer.powered:
            self.printer.journal.write("second_client", how=self.printer.knobs.second_client)
            self._others.add(line)
            return False
        self._line = line
        if self.printer.knobs.second_client == "refuse":
            # A failure to stop listening is a fault of this simulator: it goes to the log.
            Deferred.fromCoroutine(self._close())
        return True

    def gone(self, line: Line) -> None:
        """Hear that a connection ended."""
        self._others.discard(line)
        if self._line is not line:
            return
        self._line = None
        if self._running and self.printer.powered:
            self._cancel_reopen()
            self._reopen = self.reactor.callLater(self.printer.knobs.reopen_s, self._ready)

    def _lines(self) -> list[Line]:
        return [line for line in (self._line, *self._others) if line is not None]

    def _room_changed(self) -> None:
        if self._line is not None:
            self._line.room_changed()

    # the listening socket
    def _ready(self) -> None:
        self._reopen = None
        self._listen()

    def _boot(self) -> None:
        self._reopen = None
        self.power_on()

    def _listen(self) -> None:
        if self._listening is not None or not self._running or self._line is not None:
            return
        self._listening = self.reactor.listenTCP(
            self.port, self, backlog=1, interface=self._interface
        )
        self._listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        self.port = self._listening.getHost().port

    async def _close(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)

    def _cancel_reopen(self) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None
