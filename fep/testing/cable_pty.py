"""The driver's end of the kit's cable as a pseudo terminal, always at the same path.

Modem lines, parity and speed are not there: a terminal of this kind has none.
"""

from __future__ import annotations

import fcntl
import os
import termios
import tty
from pathlib import Path
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_LOST

from fep.testing.cable import Cable, Joint, Way

REPLUG_S = 0.001
_READ = 4096


class PtyCable(Cable):
    """A terminal that leads to the device, always at the same path."""

    def __init__(self, reactor: Any, far_port: int, path: Path) -> None:
        super().__init__(reactor, far_port)
        self._path = path
        self._end: _Master | None = None
        self._running = False
        self._replug: Any = None
        self._other = -1

    async def start(self) -> Way:
        """Make the terminal."""
        await self.plug()
        return Way(path=str(self._path))

    async def stop(self) -> None:
        """Take it away."""
        await self.vacate()
        await self.unplug()
        await super().stop()

    async def unplug(self) -> None:
        """Pull the cable and leave it out."""
        self._running = False
        if self._replug is not None and self._replug.active():
            self._replug.cancel()
        for joint in tuple(self.joints):
            joint.cut()
        await self.quiet()
        self._path.unlink(missing_ok=True)

    async def plug(self) -> None:
        """Plug it in."""
        self._running = True
        self._make()

    def gone(self, joint: Joint) -> None:
        """Plug a cut cable in again; the device may take a moment to listen."""
        if joint not in self.joints:
            return
        super().gone(joint)
        if self._running:
            self._replug = self.reactor.callLater(REPLUG_S, self._make)

    def _make(self) -> None:
        if not self._running:
            return
        master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        os.set_blocking(master, False)
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.symlink_to(os.ttyname(slave))
        new.replace(self._path)
        self._end = _Master(self.reactor, master, slave)
        self._end.joint = Joint(self, self._end)

    async def occupy(self) -> None:
        """Be another program that has the terminal."""
        self._other = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        fcntl.ioctl(self._other, termios.TIOCEXCL)
        fcntl.flock(self._other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def vacate(self) -> None:
        """Give the terminal back."""
        other, self._other = self._other, -1
        if other >= 0:
            fcntl.ioctl(other, termios.TIOCNXCL)
            os.close(other)


class _Master(FileDescriptor):
    """The far end of a terminal. It holds the near one too, so that a driver may come and go."""

    def __init__(self, reactor: Any, master: int, slave: int) -> None:
        super().__init__(reactor)
        self._fd, self._slave = master, slave
        self.joint: Joint | None = None
        self.connected = True
        self.startReading()  # type: ignore[no-untyped-call]  # untyped

    def fileno(self) -> int:
        """Return the descriptor, -1 once it is closed."""
        return self._fd

    def doRead(self) -> Any:
        """Take what the driver wrote."""
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if self.joint is not None:
            self.joint.from_driver(data)
        return None

    def writeSomeData(self, data: bytes) -> Any:
        """Write what the terminal takes now."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return CONNECTION_LOST

    def abortConnection(self) -> None:
        """Hang up: the driver's end reads an error from now on."""
        if self._fd < 0:
            return
        self.stopReading()  # type: ignore[no-untyped-call]  # untyped
        self.stopWriting()  # type: ignore[no-untyped-call]  # untyped
        self.connected = False
        os.close(self._fd)
        os.close(self._slave)
        self._fd = -1

    def loseConnection(self, _connDone: Any = None) -> None:
        """The same: a terminal has no gentle end."""
        self.abortConnection()

    def connectionLost(self, reason: Any) -> None:
        """Hear of an error on the descriptor."""
        self.abortConnection()
