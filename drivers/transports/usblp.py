"""A byte line over the kernel's USB printer port, /dev/usb/lp*.

The port blocks while the paper is out, so it is only ever opened non-blocking. Name it by a
udev link that follows the printer's serial number, never by its lp number.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from drivers.transports import line
from drivers.transports.line import Occupied, Unreachable

READ_BYTES = 4096
# A printer that answers with nothing must not make the reactor spin.
QUIET_S = 0.1

_failure: Any = Failure  # Twisted leaves it untyped


@dataclass(frozen=True, slots=True)
class Options:
    """Where the port is."""

    path: str
    shared: bool = False

    def line(self, reactor: Any) -> Usblp:
        """Return the line."""
        return Usblp(reactor, self)


class Port(FileDescriptor):
    """One open port."""

    def __init__(self, reactor: Any, fd: int, wire: line.Wire) -> None:
        super().__init__(reactor)
        self._fd = fd
        self._wire = wire
        self.connected = True
        wire.makeConnection(self)  # type: ignore[no-untyped-call]  # untyped
        self.startReading()  # type: ignore[no-untyped-call]  # untyped

    def fileno(self) -> int:
        """Return the descriptor, -1 once it is closed."""
        return self._fd

    def doRead(self) -> Any:
        """Take what has come."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if data:
            self._wire.dataReceived(data)
        elif _unplugged(self._fd):
            return CONNECTION_LOST
        else:
            self.stopReading()  # type: ignore[no-untyped-call]  # untyped
            self.reactor.callLater(QUIET_S, self._listen_again)
        return None

    def _listen_again(self) -> None:
        if self.connected:
            self.startReading()  # type: ignore[no-untyped-call]  # untyped

    def writeSomeData(self, data: bytes) -> Any:
        """Write what the port takes now."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        """Close and tell."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]  # untyped
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._wire.connectionLost(reason)

    def abortConnection(self) -> None:
        """Drop what has not left yet."""
        if self.connected:
            self.stopReading()  # type: ignore[no-untyped-call]  # untyped
            self.stopWriting()  # type: ignore[no-untyped-call]  # untyped
            self.connectionLost(_failure(ConnectionDone()))


def _unplugged(fd: int) -> bool:
    """Tell a port whose printer is gone from one whose printer said nothing."""
    look = select.poll()
    look.register(fd, select.POLLIN)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in look.poll(0))


class Usblp(line.Way[Options]):
    """Opens wires to one device."""

    async def open(
        self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> line.Wire:
        """Open the port. Raises Unreachable, Occupied."""
        path = self._options.path
        try:
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise Occupied(path) from error
            raise Unreachable(f"{path}: {error.strerror}") from error
        wire = line.Wire(on_data, on_lost)
        Port(self._reactor, fd, wire)
        return wire
