"""Our drivers at the device kit. The table of quality in the README is made from these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drivers import escpos
from drivers.escpos import status
from drivers.transports import Reached, serial, tcp
from fep.env import RealClock
from fep.testing.bench import BarRasteriser
from fep.testing.cable import Way
from fep.testing.printers import PrinterKit
from tests.device.bench import FAST, slower
from tests.kit.sims import PeerPrinter, StationPrinter


def _transport(way: Way) -> Reached:
    if way.path:
        return serial.Options(way.path)
    return tcp.Options(way.host, way.port, 0.5, 1, 0.0)


class Escpos(PrinterKit):
    """What both ways to a receipt printer share."""

    driver = "escpos"
    profile = FAST

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> escpos.EscposPrinter:
        options = escpos.Options(_transport(way), model)
        return escpos.create(reactor, RealClock(), options, rasteriser, self.profile)

    def make_stranger(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser
    ) -> escpos.EscposPrinter:
        return self.make_driver(reactor, way, rasteriser, "another model")

    def make_parser(self) -> Callable[[bytes], Sequence[object]]:
        return status.Parser().feed


class EscposOverTcp(Escpos):
    """Receipt printers with process ids, on the network."""

    tried_on = "fepsim printer (epson_full)"

    async def make_simulator(self, reactor: Any, place: Path) -> StationPrinter:
        return await StationPrinter(reactor, place, "epson_full").start()


class EscposOverSerial(Escpos):
    """Receipt printers that only answer GS r, on a serial line."""

    way = "pty"
    tried_on = "a printer of the tests (GS r only)"
    profile = slower(FAST, settle_s=0.005, probe_process_id=False)

    async def make_simulator(self, reactor: Any, place: Path) -> PeerPrinter:
        return PeerPrinter(reactor, process_id=False)
