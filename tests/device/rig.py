"""A real driver at the printer simulator, both in this process over TCP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers import escpos
from drivers.transports import tcp
from fep.env import RealClock
from fep.render.rasteriser import ChildRasteriser
from fep.sim.dice import Dice
from fep.sim.printer.cable import Cable
from fep.sim.printer.journal import Journal
from fep.sim.printer.knobs import Knobs
from fep.sim.printer.machine import Printer
from fep.sim.printer.profiles import PROFILES
from fep.sim.printer.server import Station
from fep.sim.printer.sheets import Tray


@dataclass
class Rig:
    """Both ends, and the paper between them."""

    reactor: Any
    station: Station
    printer: escpos.EscposPrinter
    tray: Tray
    knobs: Knobs

    def sheets(self) -> list[dict[str, Any]]:
        """Return what came out, in order."""
        files = sorted(self.tray.directory.glob("sheet-*.json"))
        return [json.loads(file.read_text("utf-8")) for file in files]


@asynccontextmanager
async def rig(
    paper: Path, make: str, profile: escpos.Profile, *, png: bool = False
) -> AsyncIterator[Rig]:
    """Switch a simulated printer of `make` on and give it a driver."""
    from twisted.internet import reactor

    def now_ms() -> int:
        return int(RealClock().wall().timestamp() * 1000)

    knobs = Knobs(cut_s=0.02)
    tray = Tray(paper, 576, now_ms, png=png)
    device = Printer(reactor, PROFILES[make], tray, Journal(paper, now_ms), knobs)
    station = Station(reactor, device, Cable(knobs, Dice("rig")))
    port = await station.start()
    rasteriser = ChildRasteriser(reactor)
    options = escpos.Options(tcp.Options("127.0.0.1", port, 1.0, 2, 0.05))
    driver = escpos.create(reactor, RealClock(), options, rasteriser, profile)
    try:
        yield Rig(reactor, station, driver, tray, knobs)
    finally:
        driver.close()
        rasteriser.close()
        await station.stop()
