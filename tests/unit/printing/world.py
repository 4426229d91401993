"""A store in a directory, a clock by hand and printers that answer what they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from fep.domain.printing import Outcome, PrintResult, Slip, Text
from fep.render.slip import ItemView, ReceiptView
from fep.services.spool import Spool
from fep.settings_device import DeviceSettings, TransportSettings
from fep.store import printing
from fep.store.opening import open_store
from fep.store.writer import Store
from tests.harness.blank import lay_store

START = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
PRINTED = PrintResult(Outcome.PRINTED, "", "process_id")


class HandClock:
    """A fep clock over a Twisted clock."""

    def __init__(self, reactor: Clock) -> None:
        self._reactor = reactor
        self.shift_s = 0.0  # how far the wall clock was set off

    def wall(self) -> datetime:
        """Return the start plus what was advanced, as far off as the clock was set."""
        return START + timedelta(seconds=self._reactor.seconds() + self.shift_s)

    def mono(self) -> float:
        """Return the seconds advanced."""
        return float(self._reactor.seconds())


class NoDice:
    """Entropy that is always in the middle."""

    def token(self, size: int) -> bytes:
        """Return zeros."""
        return bytes(size)

    def below(self, bound: int) -> int:
        """Return the middle."""
        return bound // 2


class QuietLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **keys: Any) -> None:
        """Keep it."""
        self.lines.append((event, keys))

    warning = info


@dataclass
class ToldPrinter:
    """Answers results in order, then `PRINTED`; `hold` keeps jobs open."""

    takes = "slip"
    calls: list[str] = field(default_factory=list)
    faults: tuple[str, ...] = ()
    results: list[PrintResult | Exception] = field(default_factory=list)
    hold: bool = False
    held: list[Deferred[PrintResult]] = field(default_factory=list)
    on_print: Callable[[], None] = lambda: None
    papers: list[Slip] = field(default_factory=list)

    async def status(self) -> tuple[str, ...]:
        """Return the faults set."""
        self.calls.append("status")
        return self.faults

    async def print(self, slip: Slip, fence_id: str) -> PrintResult:
        """Return the next result."""
        self.calls.append("print")
        self.papers.append(slip)
        self.on_print()
        if self.hold:
            waiting: Deferred[PrintResult] = Deferred()
            self.held.append(waiting)
            return await waiting
        result = self.results.pop(0) if self.results else PRINTED
        if isinstance(result, Exception):
            raise result
        return result

    def distrust(self) -> None:
        """Note it."""
        self.calls.append("distrust")

    def close(self) -> None:
        """Note it."""
        self.calls.append("close")


def view_of(conn: Connection, receipt_id: int) -> ReceiptView:
    """Return a face that names its receipt; receipt 666 cannot be shown."""
    if receipt_id == 666:
        raise KeyError(receipt_id)
    return ReceiptView(
        "票据", "42060126", f"{receipt_id:010d}", "abcdef", "医院", "张三", 100,
        (ItemView("诊察费", 100),),
    )  # fmt: skip


class World:
    """One site with a spool."""

    def __init__(self, path: Path, devices: tuple[tuple[str, str], ...] = (("p1", "w1"),)) -> None:
        self.path = path / "fep.db"
        self.devices = devices
        self.reactor = Clock()
        self.clock = HandClock(self.reactor)
        self.printers = {id_: ToldPrinter() for id_, _ in devices}
        self.log = QuietLog()
        self.open()

    def open(self) -> None:
        """Open the store and build a spool: what a start of the daemon does."""
        lay_store(self.path)
        self.store: Store = open_store(
            self.reactor, self.path, now_ms=self._now_ms, on_fatal=self._fatal, pool=None
        )
        self.spool = Spool(
            self.reactor, self.clock, NoDice(), self.store,
            tuple(
                DeviceSettings(id_, group, TransportSettings(host="h"))
                for id_, group in self.devices
            ),
            view_of, None, self.log,
            make=lambda reactor, clock, settings, rasteriser: self.printers[settings.id],
        )  # fmt: skip

    def start(self) -> None:
        """Start the spool."""
        self.wait(self.spool.start())

    def kill(self) -> None:
        """End as a crash does: nothing is told to anybody."""
        self.store.dead = "killed"
        self.store.close()

    def stop(self) -> None:
        """Stop in good order."""
        done = ensureDeferred(self.spool.stop())
        self.turn(1)
        assert done.called
        self.store.close()

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass in small steps, and the group commits happen."""
        steps = max(1, round(seconds * 20))
        for _ in range(steps):
            self.reactor.advance(seconds / steps)
            for _ in range(12):
                self.reactor.advance(0)

    def wait(self, work: Any) -> Any:
        """Run until a Deferred or coroutine has its result."""
        results: list[Any] = []
        done = work if isinstance(work, Deferred) else ensureDeferred(work)
        done.addBoth(results.append)
        for _ in range(200):
            if results:
                break
            self.turn(0.01)
        assert results, "no result"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def add(self, receipt_id: int, group: str = "w1") -> printing.Job:
        """Queue a job as the issue service does at seal."""
        job = self.wait(self.store.do("add", printing.add_job_txn, receipt_id, group))
        self.spool.wake()
        return job

    def job(self, id_: int) -> printing.Job:
        """Read a job back."""
        job = self.store.read(printing.job_q, id_)
        assert job is not None
        return job

    def _now_ms(self) -> int:
        return int(self.clock.wall().timestamp() * 1000)

    def _fatal(self, why: str) -> None:
        raise AssertionError(why)


def lines_of(slip: Slip) -> list[str]:
    """Return the plain lines of a slip."""
    return [part.text for part in slip.parts if isinstance(part, Text)]
