"""What the author of a printer's driver says of it, and the bench that the kit builds from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from fep.domain.printing import Outcome, Paper
from fep.testing.bench import BarRasteriser, Bench, Driver, Simulator, small_slip
from fep.testing.cable import Way
from fep.testing.promise import Kit


class PrinterCase(Kit):
    """One printer driver at the kit. What the author says stands above `bench`."""

    proves: ClassVar[Outcome] = Outcome.PRINTED
    """The best this driver says of a job in good weather: PRINTED or ACCEPTED."""

    lines: ClassVar[int] = 6
    """At so many lines the paper ends, from 1 on."""

    single: ClassVar[bool] = True
    """Whether the device serves one client at a time."""

    patience_s: ClassVar[float] = 8.0
    """How long a healed device may take until it prints again."""

    # from the author
    async def make_simulator(self, reactor: Any, place: Path) -> Simulator:
        """Start the device; `place` is an empty directory."""
        raise LookupError(f"{type(self).__name__} makes no simulator")

    def make_driver(self, reactor: Any, way: Way, rasteriser: BarRasteriser) -> Driver:
        """Return a new driver of the device behind `way`; nothing is opened yet."""
        raise LookupError(f"{type(self).__name__} makes no driver")

    def make_stranger(self, reactor: Any, way: Way, rasteriser: BarRasteriser) -> Driver:
        """Return a driver that expects another device (model or serial) behind `way`."""
        raise LookupError(f"{type(self).__name__} makes no stranger")

    def make_parser(self) -> Callable[[bytes], Sequence[object]]:
        """Return a new parser of the device's answers: bytes in, events out."""
        raise LookupError(f"{type(self).__name__} makes no parser")

    def paper(self, mark: str) -> Paper:
        """Return a short document with `head(mark)` first and `tail(mark)` last."""
        return small_slip(mark)

    # for the promises
    @asynccontextmanager
    async def bench(self, reactor: Any, place: Path) -> AsyncIterator[Bench]:
        """Switch everything on; at the end judge all paper, and switch it off."""
        device = await self.make_simulator(reactor, place)
        cable = self.make_cable(reactor, device.port, place)
        cable.single = self.single
        way = await cable.start()
        rasteriser = BarRasteriser()
        bench = Bench(
            reactor, way, cable, device, lambda: self.make_driver(reactor, way, rasteriser),
            self.paper, self.patience_s,
        )  # fmt: skip
        try:
            yield bench
            assert [] == bench.audit()
        finally:
            for driver in bench.drivers:
                driver.close()
            await cable.stop()
            await device.stop()

    async def size(self, b: Bench) -> int:
        """Return how many bytes a job sends once the driver knows the device."""
        await b.good()
        before = b.cable.sent
        await b.good()
        return b.cable.sent - before
