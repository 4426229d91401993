"""A receipt printer behind a fep-bridge at the device kit: the bridge is a process of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from drivers import escpos, transports
from fep.env import RealClock
from fep.testing.bench import BarRasteriser
from fep.testing.cable import Way
from tests.device.bench import FAST, slower
from tests.device.bridge_rig import rig
from tests.kit.cases import Escpos
from tests.kit.sims import PeerPrinter


class BridgedPrinter(PeerPrinter):
    """A printer, and the PC that lends its port."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, process_id=True)
        self._stack = AsyncExitStack()

    async def start(self, place: Path) -> BridgedPrinter:
        """Register the bridge and start it."""
        (place / "pc").mkdir()
        found = await self._stack.enter_async_context(rig(place / "pc"))
        found.write(f"[port com]\nkind = serial\npath = {place / 'tty'}\nbaud = 115200\n")
        found.run()
        await found.connected()
        return self

    async def stop(self) -> None:
        await self._stack.aclose()
        await super().stop()


class EscposOverBridge(Escpos):
    """The cable of the kit is the one from the PC to its printer."""

    way = "pty"
    over = "bridge, serial"
    tried_on = "fep-bridge as a process, a printer of the tests behind it"
    profile = slower(FAST, status_timeout_s=0.2, probe_timeout_s=0.2)

    async def make_simulator(self, reactor: Any, place: Path) -> BridgedPrinter:
        return await BridgedPrinter(reactor).start(place)

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> escpos.EscposPrinter:
        line = transports.options({"type": "bridge", "bridge": "pc", "name": "com"})
        options = escpos.Options(line, model)
        return escpos.create(reactor, RealClock(), options, rasteriser, self.profile)
