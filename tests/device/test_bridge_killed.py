"""A bridge is killed at random under print load: never two sheets of a job without a person."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater

from drivers import escpos
from drivers.transports.bridge import Options
from fep.domain.printing import Outcome
from fep.env import RealClock
from tests.device.bench import FAST, FakeRasteriser, bearing, slower, small, whole
from tests.device.bridge_rig import Rig, rig
from tests.device.peer import Printer as Device

KILLS = 30
LP = """#!/bin/sh
case "$0" in *lpstat) exit 0;; esac
cat > "$SHEETS/.part-$$" || exit 1
sleep 0.02
mv "$SHEETS/.part-$$" "$SHEETS/sheet-$$"
"""


@dataclass
class Load:
    """Prints one job after the other, as the spool does: only what is proved goes again."""

    found: Rig
    name: str
    printer: Any
    ended: dict[str, Outcome] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    number: int = 0
    stop: bool = False

    async def run(self) -> None:
        """Print until told to stop."""
        while not self.stop:
            self.number += 1
            job = f"{self.name}{self.number}"
            while job not in self.ended and not self.stop:
                result = await self.printer.print(small(job), f"{self.number % 10000:04d}")
                self.outcomes[result.outcome] += 1
                if result.outcome is Outcome.NOT_PRINTED:
                    await deferLater(self.found.reactor, 0.01)
                else:
                    self.ended[job] = result.outcome


def _queue(root: Path, found: Rig) -> Path:
    """Put a print system of our own in the bridge's way; return where its paper goes."""
    (root / "bin").mkdir()
    sheets = root / "sheets"
    sheets.mkdir()
    for program in ("lp", "lpstat"):
        (root / "bin" / program).write_text(LP, "ascii")
        (root / "bin" / program).chmod(0o755)
    found.environ |= {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "SHEETS": str(sheets)}
    return sheets


@pytest_twisted.ensureDeferred
async def test_thirty_kills_under_load_never_give_two_sheets_of_a_job(tmp_path):
    dice = random.Random(6)
    async with rig(tmp_path) as found:
        sheets = _queue(tmp_path, found)
        device = Device()
        listening = found.reactor.listenTCP(0, device, interface="127.0.0.1")
        where = f"host = 127.0.0.1\nport = {listening.getHost().port}"
        found.write(f"[port line]\nkind = tcp\n{where}\n[port queue]\nkind = spool\nqueue = q\n")
        found.run()
        await found.connected()
        loads = []
        for name, options in (("甲", Options("pc", "line")), ("乙", Options("pc", queue="queue"))):
            wanted = escpos.Options(options)
            profile = slower(FAST, settle_s=0.02)
            made = escpos.create(found.reactor, RealClock(), wanted, FakeRasteriser(), profile)
            loads.append(Load(found, name, made))
        running = DeferredList([ensureDeferred(load.run()) for load in loads], consumeErrors=True)

        for turn in range(KILLS):
            await deferLater(found.reactor, dice.uniform(0.0, 0.1))
            begun, more = device.received, dice.randint(1, 400)
            # Every second time in the middle of what goes to the printer.
            while turn % 2 and device.received < begun + more:
                await deferLater(found.reactor, 0.0002)
            found.kill()
            found.run()
            await found.connected()
        # It goes on after the last kill as if nothing had been.
        done = [(load, good, load.outcomes[good] + 5) for load, good in zip(
            loads, (Outcome.PRINTED, Outcome.ACCEPTED), strict=True)]  # fmt: skip
        await found.until(lambda: all(load.outcomes[good] >= most for load, good, most in done), 30)
        for load in loads:
            load.stop = True
        await running
        for load in loads:
            load.printer.close()
        await listening.stopListening()

        line, queue = loads
        twice, lied = [], []
        for job, outcome in line.ended.items():
            complete = sum(whole(lines, job) for lines in bearing(device, job))
            twice += [job] * (complete > 1)
            lied += [job] * (outcome is Outcome.PRINTED and complete != 1)
        papers = [path.read_bytes() for path in sheets.glob("sheet-*")]
        for job, outcome in queue.ended.items():
            complete = sum(f"{job} 末行".encode("gbk") in paper for paper in papers)
            twice += [job] * (complete > 1)
            lied += [job] * (outcome is Outcome.ACCEPTED and complete != 1)
        assert ([], []) == (twice, lied)
        assert line.outcomes[Outcome.UNCERTAIN], "no kill struck a job on the line"
        assert queue.outcomes[Outcome.UNCERTAIN], "no kill struck a job in the queue"


@pytest_twisted.ensureDeferred
async def test_two_jobs_for_one_queue_come_out_one_after_the_other(tmp_path):
    async with rig(tmp_path) as found:
        sheets = _queue(tmp_path, found)
        found.write("[port queue]\nkind = spool\nqueue = q\n")
        found.run()
        await found.connected()
        printers = [
            escpos.create(found.reactor, RealClock(), escpos.Options(Options("pc", queue="queue")),
                          FakeRasteriser(), FAST)
            for _ in range(3)
        ]  # fmt: skip

        jobs = [ensureDeferred(one.print(small(f"丙{n}"), "id")) for n, one in enumerate(printers)]
        results = [await job for job in jobs]

        assert [Outcome.ACCEPTED] * 3 == [result.outcome for result in results]
        assert 3 == len(list(sheets.glob("sheet-*")))


@pytest_twisted.ensureDeferred
async def test_a_queue_that_takes_no_job_is_not_asked_for_one(tmp_path):
    async with rig(tmp_path) as found:
        _queue(tmp_path, found)
        (tmp_path / "bin" / "lpstat").write_text("#!/bin/sh\nexit 1\n", "ascii")
        found.write("[port queue]\nkind = spool\nqueue = q\n")
        found.run()
        await found.connected()
        options = escpos.Options(Options("pc", queue="queue"))
        printer = escpos.create(found.reactor, RealClock(), options, FakeRasteriser(), FAST)

        result = await printer.print(small("丁"), "id")

        assert (Outcome.NOT_PRINTED, "DEV_UNREACHABLE") == (result.outcome, result.fault)
