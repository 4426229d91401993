"""A print server before the printer: a line printer daemon (RFC 1179), many clients, one queue.

Rules: a job is printed once it is whole, control file and data file with the zero behind each;
whatever breaks off earlier is thrown away; the acknowledgement says that the daemon has it and
nothing of paper; what the printer does not take now waits and is never forgotten. It reads the
protocol by its own code and shares none with the driver.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from fep.sim.printer.machine import Printer

LINE_MAX, FILE_MAX = 1024, 1 << 20
GOOD, BAD = b"\0", b"\1"
_ABORT, _RECEIVE, _CONTROL, _DATA = 1, 2, 2, 3


class Visit(Protocol):
    """One client."""

    transport: Any

    def __init__(self, spooler: Spooler) -> None:
        self._spooler = spooler
        self._held = b""
        self._named = False
        self._kind = 0
        self._size = -1  # of the file that comes now, -1 for none
        self._files: dict[int, bytes] = {}

    def connectionMade(self) -> None:
        """Note it, for the end."""
        self._spooler.visits.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        """Forget what is not whole."""
        self._spooler.visits.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """Take lines and files."""
        self._held += data
        while self._file() if self._size >= 0 else self._line():
            pass

    def _file(self) -> bool:
        if len(self._held) <= self._size:
            return False
        file, zero = self._held[: self._size], self._held[self._size : self._size + 1]
        self._held, self._size = self._held[self._size + 1 :], -1
        if zero != b"\0":
            self._refuse()
            return False
        self._files[self._kind] = file
        if _CONTROL in self._files and _DATA in self._files:
            self._spooler.spool(self._files.pop(_DATA))
            self._files.clear()
        self.transport.write(GOOD)
        return True

    def _line(self) -> bool:
        line, end, rest = self._held.partition(b"\n")
        if not end:
            if len(self._held) > LINE_MAX:
                self._refuse()
            return False
        self._held = rest
        good = bool(line) and (self._ordered(line) if self._named else self._greeted(line))
        if good:
            self.transport.write(GOOD)
        else:
            self._refuse()
        return good

    def _greeted(self, line: bytes) -> bool:
        """Take `receive a printer job`; the other commands of the protocol are not played."""
        self._named = line[0] == _RECEIVE and line[1:] == self._spooler.queue.encode()
        return self._named

    def _ordered(self, line: bytes) -> bool:
        """Take `abort`, or the announcement of a file."""
        if line[0] == _ABORT:
            self._files.clear()
            return True
        size, blank, name = line[1:].partition(b" ")
        announced = line[0] in (_CONTROL, _DATA) and blank and name and size.isdigit()
        if not announced or int(size) > FILE_MAX:
            return False
        self._kind, self._size = line[0], int(size)
        return True

    def _refuse(self) -> None:
        self._held = b""
        self.transport.write(BAD)
        self.transport.loseConnection()


class Spooler(Factory):
    """The print server. It starts nothing by itself."""

    noisy = False

    def __init__(self, reactor: Any, printer: Printer, queue: str = "lp") -> None:
        self.queue = queue
        self.visits: set[Visit] = set()
        self._reactor = reactor
        self._printer = printer
        self._waiting = bytearray()
        self._listening: Any = None
        self._room_changed = printer.on_room
        printer.on_room = self._feed

    async def start(self, port: int = 0, interface: str = "127.0.0.1") -> int:
        """Listen; return the port. Raises CannotListenError."""
        self._listening = self._reactor.listenTCP(port, self, interface=interface)
        found: int = self._listening.getHost().port
        return found

    async def stop(self) -> None:
        """Close the door and hang up on everybody."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)
        for visit in tuple(self.visits):
            visit.transport.abortConnection()

    def buildProtocol(self, addr: Any) -> Visit:
        """Return the protocol of a client."""
        return Visit(self)

    def spool(self, job: bytes) -> None:
        """Print a whole job as soon as the printer takes it."""
        self._waiting += job
        self._feed()

    def _feed(self) -> None:
        while self._waiting and self._printer.powered and (room := self._printer.room):
            data = bytes(self._waiting[:room])
            del self._waiting[:room]
            self._printer.receive(data)
        self._room_changed()
