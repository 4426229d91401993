"""Our payment terminals at the device kit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drivers.mispos import Mispos, Options, load
from drivers.mispos.codec import Reader
from drivers.transports import serial, tcp
from fep.env import RealClock
from fep.sim.pos.book import Book
from fep.sim.pos.host import Host
from fep.sim.pos.knobs import Knobs
from fep.sim.pos.server import Station
from fep.sim.pos.terminal import Terminal
from fep.testing.cable import Way
from fep.testing.terminals import TerminalKit


class PosTerminal:
    """`fepsim pos` in this process, with its own books."""

    def __init__(self, reactor: Any) -> None:
        self._host = Host()
        knobs = Knobs(card_s=0.0, batch_max=100_000)
        self._station = Station(reactor, Terminal(reactor, self._host, Book(), knobs))
        self.port = self._station.listen()

    def debits(self, serial: str) -> int:
        return self._host.debits(serial)

    async def stop(self) -> None:
        await self._station.stop()


class MisposOverTcp(TerminalKit):
    """MISPOS terminals."""

    driver = "mispos"
    tried_on = "fepsim pos"

    async def make_simulator(self, reactor: Any, place: Path) -> PosTerminal:
        return PosTerminal(reactor)

    def make_driver(self, reactor: Any, way: Way) -> Mispos:
        line = (
            serial.Options(way.path) if way.path else tcp.Options(way.host, way.port, 0.5, 1, 0.0)
        )
        options = Options(
            line, "105290053110001", "12345678", ack_timeout_s=0.2, result_timeout_s=0.4
        )
        return Mispos(reactor, RealClock(), options, load("landfone"))

    def make_parser(self) -> Callable[[bytes], Sequence[object]]:
        return Reader().feed


class MisposOverSerial(MisposOverTcp):
    """The same over a serial line."""

    way = "pty"
