"""The ESC/P driver at the form printer simulator, both in this process over TCP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from drivers import escp
from drivers.transports import tcp
from fep.domain.printing import Form, FormText
from fep.env import RealClock
from fep.sim.form.picture import Blank
from fep.sim.form.station import Station, Tray

SHEET_MM = 25.4
# Long enough for a broken line to be heard of, and not for one that stands.
HEARD_S, AT_ONCE_S = 0.02, 0.001


class Bars:
    """Draws a bar two glyphs wide for everything."""

    async def raster(self, text: str, height_dots: int, bold: bool) -> tuple[int, bytes]:
        """Return black dots."""
        return 2, b"\xff" * (2 * height_dots)


@dataclass
class FormRig:
    """Both ends, and the paper between them."""

    reactor: Any
    station: Station
    printer: escp.EscpPrinter
    paper: Path

    def sheets(self) -> list[dict[str, Any]]:
        """Return what left the printer, in order."""
        return [json.loads(file.read_text("utf-8")) for file in sorted(self.paper.glob("*.json"))]

    async def settled(self) -> None:
        """Wait until what is on the way has arrived: the printer is let go."""
        self.printer.close()
        for _ in range(200):
            if self.station._line is None:
                return
            await deferLater(self.reactor, 0.005)
        raise AssertionError("the connection stands")


def driver(reactor: Any, port: int, settle_s: float = AT_ONCE_S) -> escp.EscpPrinter:
    """Return a driver that does not wait long."""
    return over(reactor, tcp.Options("127.0.0.1", port, 0.5, 1, 0.0), settle_s)


def over(reactor: Any, transport: Any, settle_s: float = AT_ONCE_S) -> escp.EscpPrinter:
    """Return a driver on any transport."""
    quick = replace(escp.load("lq-generic"), settle_s=settle_s, margin_s=0.3, bytes_per_s=1_000_000)
    return escp.create(reactor, RealClock(), escp.Options(transport), Bars(), quick)


@asynccontextmanager
async def form_rig(paper: Path, make: str = "lq") -> AsyncIterator[FormRig]:
    """Switch a simulated form printer on and give it a driver."""
    from twisted.internet import reactor

    blank = Blank("", 190.0, SHEET_MM)
    station = Station(reactor, Tray(paper, blank, png=False), make, SHEET_MM)
    port = await station.start()
    printer = driver(reactor, port)
    try:
        yield FormRig(reactor, station, printer, paper)
    finally:
        printer.close()
        await station.stop()


def small(name: str) -> Form:
    """Return a short form that bears `name` above and below."""
    top = FormText(f"{name}首䶮", 10.0, 4.0)
    return Form("small", 190.0, SHEET_MM, (top, FormText(f"{name}末", 10.0, 16.0)))
