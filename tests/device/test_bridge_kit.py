"""Receipt printers behind a bridge keep the promises of the device kit."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from drivers import escpos
from drivers.transports.bridge import Bridged
from drivers.transports.bridge import Options as Lent
from fep.env import RealClock
from fep.testing.bench import BarRasteriser
from fep.testing.cable import Way
from tests.device.bench import slower
from tests.device.bridge_rig import Rig, Told, make
from tests.kit.cases import Escpos
from tests.kit.sims import PeerPrinter


@dataclass(frozen=True)
class Waiting:
    """Options of a port behind a bridge that may still be starting."""

    rig: Rig
    shared: bool = False

    def line(self, reactor: Any) -> Any:
        """Return the line."""
        inner: Any = Bridged(reactor, Lent("pc", "slip"))
        opened = inner.open

        async def open_(on_data: Any, on_lost: Any) -> Any:
            await self.rig.connected()
            return await opened(on_data, on_lost)

        inner.open = open_
        return inner


class TestEscposOverBridge(Escpos):
    """Through a bridge process: every byte goes through two more hands."""

    tried_on = "a printer of the tests, behind a fep-bridge process"
    profile = slower(
        Escpos.profile, settle_s=0.02, probe_process_id=False, status_timeout_s=0.2, fence_min_s=0.6
    )
    stride = 13
    exempt: Mapping[str, str] = {
        # A byte of it that comes during a later job may look like the proof of that job.
        "test_a_megabyte_of_noise_costs_bounded_memory_and_no_sheet": "noise that the device said "
        "is still on its way through the bridge when the cable is silent; test_bridge_hostile",
    }

    @pytest.fixture(autouse=True)
    def _ends(self) -> Iterator[None]:
        self.rigs: dict[int, Rig] = {}
        yield
        for rig in self.rigs.values():
            rig.process.kill()
            rig.process.wait()
            ensureDeferred(rig.bridges.close())
            shutil.rmtree(rig.root)

    async def make_simulator(self, reactor: Any, place: Path) -> PeerPrinter:
        return PeerPrinter(reactor, process_id=False)

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> escpos.EscposPrinter:
        rig = self.rigs.get(way.port) or self._rig(reactor, way)
        options = escpos.Options(Waiting(rig), model)
        return escpos.create(reactor, RealClock(), options, rasteriser, self.profile)

    def _rig(self, reactor: Any, way: Way) -> Rig:
        root, log = Path(tempfile.mkdtemp()), Told()
        bridges = make(reactor, root, log)
        ensureDeferred(bridges.open())
        rig = Rig(reactor, bridges, root, bridges.places()[0], log)
        rig.write(f"[port slip]\nkind = tcp\nhost = {way.host}\nport = {way.port}\n")
        rig.run(sys.executable)
        self.rigs[way.port] = rig
        return rig
