"""Spool, driver, glyph process and printer together: one sheet a job, whatever happens (I10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from drivers import escpos
from fep.domain.printing import JobState
from fep.env import RealClock, RealEntropy
from fep.services.spool import Spool
from fep.services.spool_devices import make_printer
from fep.settings_device import DeviceSettings, TransportSettings
from fep.store import printing
from fep.store.opening import open_store
from tests.device.rig import Rig, rig
from tests.device.test_escpos_simulator import MAKES, QUICK
from tests.unit.printing.world import QuietLog, view_of

WAIT_S = 20.0


class Site:
    """A store and a spool at a simulated printer, on the real clock."""

    def __init__(self, place: Path, r: Rig, profile: str) -> None:
        self._place = place
        self._r = r
        self._profile = profile
        self.log = QuietLog()

    async def open(self) -> None:
        """Start as the daemon does."""
        clock = RealClock()
        self.store = open_store(
            self._r.reactor, self._place / "fep.db",
            now_ms=lambda: int(clock.wall().timestamp() * 1000),
            on_fatal=self.log.warning, pool=None,
        )  # fmt: skip
        device = DeviceSettings(
            "p1", "w1", TransportSettings(host="127.0.0.1", port=self._r.station.port),
            profile=self._profile, poll_s=0.2,
        )  # fmt: skip

        def make(reactor, clock, settings, rasteriser):
            printer = make_printer(reactor, clock, settings, rasteriser)
            printer._profile = replace(printer._profile, **QUICK)
            return printer

        self.spool = Spool(
            self._r.reactor, clock, RealEntropy(), self.store, (device,), view_of,
            self._r.printer._rasteriser, self.log, make=make,
        )  # fmt: skip
        await self.spool.start()

    async def add(self, *receipts: int) -> None:
        """Seal receipts that are to be printed."""
        for receipt in receipts:
            await self.store.do("add", printing.add_job_txn, receipt, "w1")
        self.spool.wake()

    def states(self) -> Counter[str]:
        """Return how many jobs are in each state."""
        jobs = (self.store.read(printing.job_q, at) for at in range(1, 100))
        return Counter(job.state.value for job in jobs if job is not None)

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for a condition, bounded."""
        for _ in range(int(WAIT_S / 0.02)):
            if met():
                return
            await deferLater(self._r.reactor, 0.02)
        raise AssertionError(f"{self.states()} {self.spool.devices()}")

    async def close(self) -> None:
        """Stop in good order."""
        await self.spool.stop()
        self.store.close()

    async def kill(self) -> None:
        """End as a crash does: nothing more is written, the socket is gone."""
        self.store.dead = "killed"
        for loop in self.spool._loops.values():
            loop.printer._drop(abort=True)
        await self.spool.stop()
        self.store.close()


@asynccontextmanager
async def _site(tmp_path: Path, make: str, profile: str) -> AsyncIterator[tuple[Rig, Site]]:
    async with rig(tmp_path / "paper", make, escpos.load(profile)) as r:
        site = Site(tmp_path, r, profile)
        await site.open()
        try:
            yield r, site
        finally:
            if not site.store.dead:
                await site.close()


def _numbers(r: Rig) -> Counter[str]:
    """Return how often each receipt number stands on a sheet that was cut."""
    return Counter(
        line.split("票据号码：")[1][:10]
        for sheet in r.sheets()
        for line in sheet["lines"]
        if "票据号码：" in line
    )


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_paper_ends_among_the_jobs_and_every_receipt_is_on_one_sheet(
    tmp_path: Path, make, profile
):
    async with _site(tmp_path, make, profile) as (r, site):
        await site.add(1, 2, 3)
        await site.until(lambda: site.states() == {"printed": 3})
        r.station.printer.state.rows_left = 700
        await site.add(4, 5, 6, 7)
        await site.until(lambda: "PRN_PAPER_END" in site.spool.devices()[0].faults)
        stuck = site.states()
        r.station.printer.load_paper(100_000)
        await site.until(lambda: site.states()["due"] == 0 and site.states()["streaming"] == 0)

        (torn,) = site.store.read(printing.uncertain_q)
        resolution = await site.spool.resolve(torn.id, "reprint", "残联", "wang")
        await site.until(lambda: site.states()["printed"] == 7)

        assert stuck["uncertain"] == 1
        assert 2 == resolution.reprint.copy
        numbers = _numbers(r)
        torn_number = f"{torn.receipt_id:010d}"
        assert {f"{at:010d}" for at in range(1, 8)} == set(numbers)
        assert all(times == 1 for number, times in numbers.items() if number != torn_number)
        marked = [s for s in r.sheets() if any("补打 第1次" in line for line in s["lines"])]
        assert 1 == len(marked)


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_a_crash_in_the_middle_of_a_job_gives_no_second_sheet(tmp_path: Path, make, profile):
    async with _site(tmp_path, make, profile) as (r, site):
        await site.add(1)
        await site.until(lambda: site.states() == {"printed": 1})
        r.knobs.lines_s = 60.0
        await site.add(2, 3)
        await site.until(lambda: site.states()["streaming"] == 1)
        await site.kill()
        r.knobs.lines_s = 0.0

        await site.open()
        await site.until(lambda: site.states()["printed"] == 2)

        assert {"printed": 2, "uncertain": 1} == site.states()
        (torn,) = site.store.read(printing.uncertain_q)
        assert (2, JobState.UNCERTAIN) == (torn.receipt_id, torn.state)
        numbers = _numbers(r)
        assert (1, 1) == (numbers["0000000001"], numbers["0000000003"])
        assert numbers["0000000002"] <= 1
        await site.close()
        site.store.dead = "closed"
