"""A byte line over a serial port: RS-232, a USB converter, or a printer's own CDC port.

Name ports by /dev/serial/by-id, never by number: numbers move at the next plug. The port is
locked, so that a second program is told instead of two mixing their bytes.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import serial
from twisted.internet.error import ConnectionAborted
from twisted.internet.serialport import SerialPort
from twisted.python.failure import Failure

from drivers.transports import line
from drivers.transports.line import Occupied, Unreachable

_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
FLOWS = ("none", "xonxoff", "rtscts", "dsrdtr")

_failure: Any = Failure  # Twisted leaves it untyped


@dataclass(frozen=True, slots=True)
class Options:
    """Where the device is and how it speaks. Receipt printers: most often dsrdtr or xonxoff."""

    path: str
    baud: int = 9600
    parity: str = "none"
    flow: str = "none"
    shared: bool = False

    def line(self, reactor: Any) -> Serial:
        """Return the line."""
        return Serial(reactor, self)


class Port(SerialPort):
    """Twisted's port, locked, and droppable without waiting for its buffer."""

    _serialFactory = staticmethod(partial(serial.Serial, exclusive=True))

    def abortConnection(self) -> None:
        """Forget what has not left yet, here and in the driver of the port, and close."""
        if self.connected:
            try:
                self._serial.reset_output_buffer()
            except OSError:  # a pulled cable has no buffer
                pass
            self.dataBuffer, self._tempDataBuffer, self._tempDataLen = b"", [], 0
            lost: Any = self.connectionLost
            lost(_failure(ConnectionAborted()))


class Serial(line.Way[Options]):
    """Opens wires to one device."""

    async def open(
        self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> line.Wire:
        """Open the port. Raises Unreachable, Occupied."""
        options = self._options
        wire = line.Wire(on_data, on_lost)
        try:
            port = Port(  # type: ignore[no-untyped-call]  # untyped
                wire, options.path, self._reactor, baudrate=options.baud,
                parity=_PARITY[options.parity], xonxoff=options.flow == "xonxoff",
                rtscts=options.flow == "rtscts",
            )  # fmt: skip
            if options.flow == "dsrdtr":
                port._serial.dsrdtr = True
        except OSError as error:  # pyserial's own error is one
            if error.errno in (errno.EAGAIN, errno.EBUSY):
                raise Occupied(options.path) from error
            raise Unreachable(f"{options.path}: {error}"[:200]) from error
        return wire
