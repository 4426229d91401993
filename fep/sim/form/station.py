"""The form printer on a print server: TCP in, sheets into a directory; and its orders.

It never answers. Faults: hang up after the n-th byte of a job, stop reading, refuse, a real
sheet that is longer than the form says. One connection at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from fep.sim.form.machine import INCH, MAKES, Band, Machine
from fep.sim.form.picture import Blank, draw


def sheet_units(length_mm: float) -> int:
    """Return the length of a real sheet in 1/3600 inch: its holes come in 1/6 inch steps."""
    return round(length_mm / 25.4 * 6) * (INCH // 6)


class Tray:
    """Writes the sheets that left the printer: facts, and a picture where wanted."""

    def __init__(self, directory: Path, blank: Blank, *, png: bool = True) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._blank = blank
        self._png = png
        self.count = 0

    def put(self, number: int, band: Band) -> None:
        """Write sheet `number`, the first being 0. Raises OSError."""
        stem = f"sheet-{number + 1:06d}"
        if self._png:
            draw(band.marks, self._blank).save(self.directory / f"{stem}.png")
        text = "".join(mark.char or "▒" for mark in band.marks)
        facts = {"sheet": number + 1, "text": text, "marks": [m.facts() for m in band.marks]}
        place = self.directory / f".{stem}.part"
        place.write_text(json.dumps(facts, ensure_ascii=False) + "\n", "utf-8")
        place.rename(self.directory / f"{stem}.json")
        self.count += 1


class Line(Protocol):
    """One connection of a host."""

    transport: Any

    def __init__(self, station: Station) -> None:
        self._station = station

    def connectionMade(self) -> None:
        if not self._station.take(self):
            self.transport.abortConnection()
        elif self._station.stalled:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        if not self._station.receive(data):
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self._station.gone(self)


class Station(Factory):
    """A form printer with its socket. Give it the reactor; it starts nothing by itself."""

    noisy = False

    def __init__(self, reactor: Any, tray: Tray, make: str, sheet_mm: float) -> None:
        self._reactor = reactor
        self.tray = tray
        self.machine = Machine(MAKES[make], sheet_units(sheet_mm), tray.put)
        self.received = 0
        self.hang_up_at = 0  # byte counted from now; 0 is never
        self.stalled = False
        self.port = 0
        self._line: Line | None = None
        self._listening: Any = None

    # from the process
    async def start(self, port: int = 0, interface: str = "127.0.0.1") -> int:
        """Listen; return the port. Raises CannotListenError."""
        self._listening = self._reactor.listenTCP(port, self, interface=interface)
        self.port = self._listening.getHost().port
        return self.port

    async def stop(self) -> None:
        """Close everything and tear off what hangs out."""
        if self._listening is not None:
            await maybeDeferred(self._listening.stopListening)
        if self._line is not None:
            self._line.transport.abortConnection()
        self.machine.put_away()

    # from a connection
    def buildProtocol(self, addr: Any) -> Line:
        return Line(self)

    def take(self, line: Line) -> bool:
        """Give the printer to a connection; False when another one has it."""
        if self._line is not None:
            return False
        self._line = line
        return True

    def gone(self, line: Line) -> None:
        """Hear that a connection ended."""
        if self._line is line:
            self._line = None

    def receive(self, data: bytes) -> bool:
        """Take bytes; False when the connection breaks now."""
        breaks = 0 < self.hang_up_at <= len(data)
        if breaks:
            data = data[: self.hang_up_at]
            self.hang_up_at = 0
        elif self.hang_up_at:
            self.hang_up_at -= len(data)
        self.received += len(data)
        self.machine.receive(data)
        return not breaks

    # from an operator
    async def obey(self, words: Sequence[str]) -> Mapping[str, object]:
        """Carry out an order and return the state after it. Raises ValueError."""
        order = " ".join(words[:1])
        if order == "hang-up-at":
            self.hang_up_at = int(words[1]) if len(words) > 1 else 1
        elif order in ("stall", "go"):
            self.stalled = order == "stall"
            if self._line is not None:
                halt = self._line.transport
                (halt.pauseProducing if self.stalled else halt.resumeProducing)()
        elif order == "restart":
            self.machine.restart()
        elif order == "align":
            self.machine.align()
        elif order == "sheet":
            self.machine.sheet = sheet_units(float(words[1]))
        elif order != "state":
            raise ValueError(
                f"unknown order {order!r}; known: hang-up-at N, stall, go, restart, align,"
                " sheet MM, state"
            )
        return self.facts()

    def facts(self) -> dict[str, object]:
        """Return the state."""
        machine = self.machine
        return {
            "sheets": machine.away, "received": self.received, "waiting": machine.waiting,
            "drift_mm": round(machine.drift_mm, 3), "backward": machine.backward,
            "unknown": [name.hex() for name in machine.unknown[:20]],
            "stalled": self.stalled, "make": machine.make.name,
        }  # fmt: skip
