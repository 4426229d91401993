"""One device's loop: take the next due job of its group, print it, store what became of it.

Rules: window 1; the attempt is committed before the first byte; a device that is not fit
costs no attempt, it is asked again after a pause; a job that cannot be printed for its own
reason backs off alone and lets the next one pass. Never retries what is uncertain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThread

from fep.domain.calendar import CST, to_ms
from fep.domain.faults import Refused, refuse
from fep.domain.printing import JobState, Outcome, Page, Paper, PrintResult, retry_after_s
from fep.ports import Clock, Entropy
from fep.render.slip import ReceiptView, slip, trial_slip
from fep.render.trial_page import trial_page
from fep.services.spool_devices import SpoolPrinter
from fep.settings_device import DeviceSettings
from fep.store import printing as jobs
from fep.store.writer import Store

WARNINGS = frozenset({"PRN_PAPER_NEAR_END"})
# A printer that waits for paper is asked often, so that it goes on when it is loaded.
PERSON_AT_DEVICE_S = 2.0
MAX_TESTS = 4
LOST_AFTER = 3

ViewOf = Callable[[Connection, int], ReceiptView]
PageOf = Callable[[int, int], Awaitable[Page]]
"""(receipt id, copy) -> the receipt's page. Raises Refused RND_*."""


async def no_page(receipt_id: int, _copy: int) -> Page:
    """Stand in where nothing draws pages. Raises Refused."""
    raise refuse("RND_FAILED", why=f"no pages are drawn here ({receipt_id})")


class Log(Protocol):
    """The part of structlog's logger used here."""

    def info(self, event: str, **keys: Any) -> Any:
        """Log at info."""

    def warning(self, event: str, **keys: Any) -> Any:
        """Log at warning."""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """What the technician sees of a device. `since` and `last_at` are ms since the epoch."""

    id: str
    group: str
    driver: str
    profile: str
    address: str
    state: str
    faults: tuple[str, ...]
    since: int
    queue: int
    job: int
    last_outcome: str
    last_fault: str
    last_at: int


class DeviceLoop:
    """Runs one device. `start`, `wake`, `test`, `stop` are its inputs."""

    def __init__(
        self, reactor: Any, clock: Clock, entropy: Entropy, store: Store,
        settings: DeviceSettings, printer: SpoolPrinter, view_of: ViewOf, log: Log,
        page_of: PageOf = no_page,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.printer = printer
        self._reactor = reactor
        self._clock = clock
        self._entropy = entropy
        self._store = store
        self._view_of = view_of
        self._page_of = page_of
        self._log = log
        self._state = "opening"
        self._faults: tuple[str, ...] = ()
        self._since = self._now_ms()
        self._misses = 0
        self._job = 0
        self._last: tuple[str, str, int] = ("", "", 0)
        self._tests: list[Deferred[PrintResult]] = []
        self._stopping = False
        self._waiter: Deferred[None] | None = None
        self._woken = False
        self._running: Deferred[None] | None = None
        self._asked_at = float("-inf")
        self.ended: Callable[[jobs.Job], None] = lambda job: None  # told after every attempt

    # from the spool
    def start(self) -> None:
        """Begin."""
        self._running = ensureDeferred(self._run())

    def wake(self) -> None:
        """Look for jobs now; a pause because of a fault is not cut short."""
        self._woken = True
        if not self._blocking():
            self._fire()

    def test(self) -> Deferred[PrintResult]:
        """Print the test page as soon as the current job is done."""
        done: Deferred[PrintResult] = Deferred()
        if self._stopping or len(self._tests) >= MAX_TESTS:
            done.callback(PrintResult(Outcome.NOT_PRINTED, "DEV_BUSY"))
            return done
        self._tests.append(done)
        self._fire()
        return done

    def stop(self) -> Deferred[None]:
        """Finish the current job, then end; fires when the device is given back."""
        self._stopping = True
        self._fire()
        running, self._running = self._running, None
        if running is None:
            running = Deferred()
            running.callback(None)
        return running

    def health(self) -> DeviceHealth:
        """Return what is known of the device now."""
        transport = self.settings.transport
        return DeviceHealth(
            self.settings.id, self.settings.group, self.settings.driver,
            self.settings.profile, f"{transport.type}:{transport.address}",
            self._state, self._faults, self._since,
            self._store.read(jobs.queue_length_q, self.settings.group),
            self._job, *self._last,
        )  # fmt: skip

    # the loop
    async def _run(self) -> None:
        while not self._stopping and not self._store.dead:
            try:
                await self._turn()
            except Exception as error:
                # A bug of ours or of a driver ends this turn, not the other devices.
                self._log.warning("print.crash", device=self.settings.id, error=repr(error))
                self._show("failed", ("DEV_DRIVER_CRASH",))
                await self._pause(retry_after_s(99))
        for done in self._tests:
            done.callback(PrintResult(Outcome.NOT_PRINTED, "DEV_BUSY"))
        self._tests = []
        self.printer.close()
        self._show("stopped", ())

    async def _turn(self) -> None:
        self._woken = False
        if self._tests:
            await self._test()
            return
        due = self._store.read(jobs.next_due_q, self.settings.group, self._now_ms())
        if due is None:
            await self._idle()
            return
        if not await self._fit():
            await self._pause(self._pause_s())
            return
        await self._print(due)

    async def _idle(self) -> None:
        poll_s = self.settings.poll_s
        left_s = self._asked_at + poll_s - self._clock.mono()
        if left_s <= 0:
            # A shared printer is not held, and not asked while it is idle.
            if self.settings.transport.lent:
                self._asked_at = self._clock.mono()
                self._show("ready", ())
            elif not await self._fit():
                await self._pause(self._pause_s())
            return
        next_ms = self._store.read(jobs.next_wake_q, self.settings.group)
        if next_ms is not None:
            left_s = min(left_s, max(0.05, (next_ms - self._now_ms()) / 1000))
        await self._pause(left_s)

    async def _fit(self) -> bool:
        """Ask the device; say whether a job may be started."""
        faults = await self.printer.status()
        self._asked_at = self._clock.mono()
        self._learn(faults)
        return not self._blocking()

    async def _print(self, job: jobs.Job) -> None:
        paper = await self._paper(job)
        begun_at = self._clock.mono()
        attempt = await self._store.do("print.begin", jobs.begin_txn, job.id, self.settings.id)
        if attempt is None:
            return
        self._job = job.id
        self._show("printing", self._faults)
        if isinstance(paper, PrintResult):
            result = paper
        else:
            try:
                result = await self.printer.print(paper, attempt.fence_id)
            except Exception as error:
                # The driver may have sent anything before it crashed.
                self._log.warning("print.crash", device=self.settings.id, error=repr(error))
                result = PrintResult(Outcome.UNCERTAIN, "DEV_DRIVER_CRASH", repr(error))
        after = await self._store.do("print.end", jobs.end_txn, attempt, result)
        self.ended(after)
        self._job = 0
        self._last = (result.outcome.value, result.fault, self._now_ms())
        self._asked_at = self._clock.mono()
        self._log.info(
            "print.ended", device=self.settings.id, job=job.id, copy=job.copy,
            outcome=result.outcome.value, fault=result.fault,
            ms=round((self._clock.mono() - begun_at) * 1000),
        )  # fmt: skip
        of_job = isinstance(paper, PrintResult) or result.fault.startswith(
            ("PRN_CHAR", "PRN_TEXT", "PRN_TOO", "PRN_GLYPHS", "RND_")
        )
        self._learn(() if of_job or not result.fault else (result.fault,))
        if after.state is JobState.DUE and not of_job:
            await self._pause(self._pause_s())

    async def _paper(self, job: jobs.Job) -> Paper | PrintResult:
        try:
            if self.printer.takes == "page":
                return await self._page_of(job.receipt_id, job.copy)
            view = self._store.read(self._view_of, job.receipt_id)
            return slip(replace(view, copy=job.copy))
        except Refused as error:
            return PrintResult(Outcome.NOT_PRINTED, error.code, str(error))
        except (KeyError, ValueError, LookupError) as error:
            # The stored receipt cannot be shown: that job waits, the others go on.
            return PrintResult(Outcome.NOT_PRINTED, "PRN_TEXT", repr(error))

    async def _test(self) -> None:
        done = self._tests.pop(0)
        mark = jobs.fence_id(self._entropy.below(36**4))
        at = f"{self._clock.wall().astimezone(CST):%Y-%m-%d %H:%M:%S}"
        try:
            paper: Paper = trial_slip(self.settings.id, at, mark)
            if self.printer.takes == "page":
                paper = Page(await deferToThread(trial_page, self.settings.id, at), "fep-test")
            result = await self.printer.print(paper, mark)
        except Exception as error:
            result = PrintResult(Outcome.UNCERTAIN, "DEV_DRIVER_CRASH", repr(error))
        self._learn((result.fault,) if result.fault else ())
        self._log.info("print.tested", device=self.settings.id, outcome=result.outcome.value)
        done.callback(result)

    # what is known of the device
    def _learn(self, faults: tuple[str, ...]) -> None:
        blocking = tuple(fault for fault in faults if fault not in WARNINGS)
        self._misses = self._misses + 1 if blocking else 0
        if not blocking:
            self._show("ready", faults)
        elif any(fault in ("DEV_CONFIG", "DEV_IDENTITY", "PRN_FATAL") for fault in faults):
            self._show("failed", faults)
        elif any(fault.startswith("DEV_") for fault in faults) and self._misses >= LOST_AFTER:
            self._show("lost", faults)
        else:
            self._show("degraded", faults)

    def _show(self, state: str, faults: tuple[str, ...]) -> None:
        if (state, faults) == (self._state, self._faults):
            return
        if faults != self._faults:
            self._log.info("device.changed", device=self.settings.id, state=state, faults=faults)
            self._since = self._now_ms()
        self._state, self._faults = state, faults

    def _blocking(self) -> bool:
        return any(fault not in WARNINGS for fault in self._faults)

    def _pause_s(self) -> float:
        if all(fault.startswith("PRN_") for fault in self._faults):
            return PERSON_AT_DEVICE_S
        # Twenty per cent either way, so that devices of one switch do not return as one.
        return retry_after_s(self._misses) * (80 + self._entropy.below(41)) / 100

    # waiting
    async def _pause(self, seconds: float) -> None:
        if self._stopping or self._tests or (self._woken and not self._blocking()):
            return
        self._waiter = waiter = Deferred[None]()
        alarm = self._reactor.callLater(seconds, self._fire)
        await waiter
        if alarm.active():
            alarm.cancel()

    def _fire(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    def _now_ms(self) -> int:
        return to_ms(self._clock.wall())
