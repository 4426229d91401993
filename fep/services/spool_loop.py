"""One device's loop: take the next due job of its group, print it, store what became of it.

Rules: window 1; the attempt is committed before the first byte; a device that is not fit, or
that somebody holds, costs no attempt; a job that cannot be printed for its own reason backs off
alone and lets the next one pass. Never retries what is uncertain. What the device is fit for
is its life's to say (fep.services.devices_life).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, ensureDeferred

from fep.domain.calendar import to_ms
from fep.domain.device import DeviceState
from fep.domain.faults import Refused, refuse
from fep.domain.printing import (
    OF_SLIP,
    JobState,
    Outcome,
    Page,
    Paper,
    PrintResult,
    retry_after_s,
)
from fep.ports import Clock, Entropy
from fep.render.slip import ReceiptView, slip
from fep.services.devices_life import DeviceLife, Make
from fep.services.spool_devices import SpoolPrinter
from fep.services.spool_queue import Due, Press, Queue
from fep.services.spool_trial import must_be_fit, print_trial, waiting_slip
from fep.settings_device import DeviceSettings
from fep.store import printing as jobs
from fep.store.writer import Store

T = TypeVar("T")
MAX_ASKS = 4

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
    """What the technician sees of a device. `since`, `last_at` and `until` are ms since the
    epoch; `owner` is who holds it, until then or (0) until it is released; `said` is who
    switched it off and why; `identity` what it says of itself.
    """

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
    kind: str = "printer"
    owner: str = ""
    until: int = 0
    said: str = ""
    identity: str = ""


class DeviceLoop:
    """Runs one device. `start`, `wake`, `test`, `serve`, `ask`, `stop` are its inputs."""

    def __init__(
        self, reactor: Any, clock: Clock, entropy: Entropy, store: Store,
        settings: DeviceSettings, make: Make, view_of: ViewOf, log: Log,
        page_of: PageOf = no_page, press: Press | None = None,
    ) -> None:  # fmt: skip
        self.life = DeviceLife(reactor, clock, entropy, store, log, settings, make)
        self._forms = press
        self._reactor = reactor
        self._clock = clock
        self._entropy = entropy
        self._store = store
        self._view_of = view_of
        self._page_of = page_of
        self._log = log
        self._job = 0
        self._alone = False  # whether the job in hand is its holder's, outside of the queue
        self._last: tuple[str, str, int] = ("", "", 0)
        self._asks: list[tuple[Callable[[], Awaitable[Any]], Deferred[Any]]] = []
        self._stopping = self._stopped = False
        self._waiter: Deferred[None] | None = None
        self._woken = False
        self._running: Deferred[None] | None = None
        self.ended: Callable[[jobs.Job], None] = lambda job: None  # told after every attempt

    @property
    def settings(self) -> DeviceSettings:
        """Return the settings the driver was made of."""
        return self.life.settings

    @property
    def printer(self) -> SpoolPrinter:
        """Return the driver as it is now; a crash replaces it."""
        return self.life.printer

    @property
    def _press(self) -> Press | None:
        """Return where forms come from; a reset may bring a driver that takes something else."""
        return self._forms if self.printer.takes == "form" else None

    @property
    def _jobs(self) -> Queue:
        press = self._press
        return press.queue(self.settings.id) if press else jobs

    # from the spool
    def start(self) -> None:
        """Begin."""
        self._running = ensureDeferred(self._run())

    def wake(self) -> None:
        """Look for jobs now; a pause because of a fault is not cut short."""
        self._woken = True
        if not self.life.waits:
            self._fire()

    def test(self, form: str = "") -> Deferred[PrintResult]:
        """Print the test page as soon as the current job is done; `form`: on which sheet."""
        press, clock, entropy = self._press, self._clock, self._entropy
        page = self.ask(lambda: print_trial(self.life, press, clock, entropy, self._log, form))
        return page.addErrback(_untested)

    def serve(self, number: int = 0) -> Deferred[int]:
        """Print one waiting slip or page for who holds the device; returns the job's number.

        The oldest without a `number`. Fails with Refused PRN_JOB_*, and what makes it unfit.
        """
        return self.ask(lambda: self._serve(number))

    def ask(self, work: Callable[[], Awaitable[T]]) -> Deferred[T]:
        """Have something done with the device between two jobs, whatever its state.

        Fails with Refused DEV_BUSY when too much is asked, or at the end; DEV_WAITS before the
        start, which a fence puts off.
        """
        done: Deferred[T] = Deferred()
        if self._running is None and not self._stopping:
            done.errback(refuse("DEV_WAITS"))
            return done
        if self._stopping or len(self._asks) >= MAX_ASKS:
            done.errback(refuse("DEV_BUSY"))
            return done
        self._asks.append((work, done))
        self._fire()
        return done

    def look_again(self) -> None:
        """Something about the device was changed by a person: no pause is kept."""
        self._woken = True
        self._fire()

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
        settings, life, note = self.settings, self.life.life, self.life.note
        state = "stopped" if self._stopped else "printing" if self._job else life.state.value
        lease, off = life.lease, life.state is DeviceState.DISABLED
        return DeviceHealth(
            settings.id, settings.group, settings.driver, settings.profile,
            f"{settings.transport.type}:{settings.transport.address}",
            state, life.faults, self.life.since,
            self._store.read(self._jobs.queue_length_q, settings.group),
            self._job, *self._last, settings.kind,
            lease.owner if lease else "", lease.until if lease else 0,
            f"{note.who} {note.reason}" if off else "",
            f"{note.identity.model} {note.identity.serial}".strip(),
        )  # fmt: skip

    # the loop
    async def _run(self) -> None:
        while not self._stopping and not self._store.dead:
            try:
                await self._turn()
            except Exception as error:
                # A bug of ours ends this turn, not the other devices.
                self._log.warning("print.crash", device=self.settings.id, error=repr(error))
                self.life.stumbled()
                await self._pause(retry_after_s(99))
        for _work, done in self._asks:
            done.errback(refuse("DEV_BUSY"))
        self._asks = []
        self.life.close()
        self._stopped = True

    async def _turn(self) -> None:
        self._woken = False
        if self._asks:
            await self._answer()
            return
        self.life.rest()
        if self.life.life.resting:
            await self._pause(self.life.pause_s())
            return
        due = self._next_due()
        if due is None:
            await self._idle()
        elif not await self.life.look():
            await self._pause(self.life.pause_s())
        elif self.life.takes_jobs:  # somebody may have claimed it meanwhile
            await self._print(due)

    def _next_due(self) -> Due | None:
        if self.life.held:
            return None
        found: Due | None = self._store.read(
            self._jobs.next_due_q, self.settings.group, self._now_ms()
        )
        return found

    async def _idle(self) -> None:
        left_s = self.life.asked_at + self.settings.poll_s - self._clock.mono()
        if left_s <= 0:
            # A shared printer is not held, and not asked while it is idle.
            if self.settings.transport.lent:
                self.life.passed_over()
            elif not await self.life.look():
                await self._pause(self.life.pause_s())
            return
        left_s = self.life.lease_left_s(left_s)
        next_ms = self._store.read(self._jobs.next_wake_q, self.settings.group)
        if next_ms is not None and not self.life.held:
            left_s = min(left_s, max(0.05, (next_ms - self._now_ms()) / 1000))
        await self._pause(left_s)

    async def _answer(self) -> None:
        """Do what was asked; what goes wrong is the asker's to know."""
        work, done = self._asks.pop(0)
        try:
            told = await work()
        except Exception:
            done.errback()
        else:
            done.callback(told)

    async def _serve(self, number: int) -> int:
        now_ms = self._now_ms()
        job = waiting_slip(self._store, self.settings.group, number, now_ms)
        await must_be_fit(self.life)
        self._alone = True
        try:
            await self._print(job)
        finally:
            self._alone = False
        return job.id

    async def _print(self, job: Due) -> None:
        paper = await self._paper(job)
        if not (self.life.life.fit if self._alone else self.life.takes_jobs):
            return
        self._job = job.id
        try:
            attempt = await self._begin(job)
            while attempt is not None:
                following = await self._attempt(job, paper, attempt)
                if following is None:
                    return
                job, attempt = following
                self._job = job.id
                paper = await self._paper_of_begun(job)
        finally:
            self._job = 0

    def _begin(self, job: Due) -> Deferred[Any]:
        return self._store.do("print.begin", self._jobs.begin_txn, job.id, self.settings.id)

    def _follower(self, result: PrintResult) -> Due | None:
        """Return the slip to begin in the commit that ends this one: a sheet was just proved."""
        lent = self.settings.transport.lent
        if result.outcome is not Outcome.PRINTED or self.printer.takes != "slip" or lent:
            return None
        if self._asks or self._stopping or self._alone or not self.life.takes_jobs:
            return None
        return self._next_due()

    async def _attempt(
        self, job: Due, paper: Paper | PrintResult, attempt: Any
    ) -> tuple[Due, Any] | None:
        """Carry an attempt out; returns the job that was begun in the commit of its end."""
        begun_at = self._clock.mono()
        crash: Exception | None = None
        if isinstance(paper, PrintResult):
            result = paper
        else:
            try:
                result = await self.printer.print(paper, attempt.fence_id)
            except Exception as error:
                # The driver may have sent anything before it crashed.
                crash = error
                result = PrintResult(Outcome.UNCERTAIN, "DEV_DRIVER_CRASH", repr(error))
        # Works of one turn of the reactor share a commit.
        ending = self._store.do("print.end", self._jobs.end_txn, attempt, result)
        follower = self._follower(result)
        beginning = None if follower is None else self._begin(follower)
        after = await ending
        begun = None if beginning is None else await beginning
        if isinstance(after, jobs.Job):  # of numbered sheets people tell, not the printer
            self.ended(after)
        self._job = 0
        self._last = (result.outcome.value, result.fault, self._now_ms())
        self.life.asked_at = self._clock.mono()
        self.life.ended(result.outcome)
        self._log.info(
            "print.ended", device=self.settings.id, job=job.id, copy=job.copy,
            outcome=result.outcome.value, fault=result.fault,
            ms=round((self._clock.mono() - begun_at) * 1000),
        )  # fmt: skip
        of_job = isinstance(paper, PrintResult) or result.fault.startswith(OF_SLIP)
        if crash is not None:
            self.life.crashed(crash)
        else:
            found = () if of_job or not result.fault else (result.fault,)
            self.life.learn(found, proved=True)
        if after.state is JobState.DUE and not (of_job or self._alone):
            await self._pause(self.life.pause_s())
        return None if follower is None or begun is None else (follower, begun)

    async def _paper_of_begun(self, job: Due) -> Paper | PrintResult:
        if self.life.takes_jobs:
            return await self._paper(job)
        return PrintResult(Outcome.NOT_PRINTED, "DEV_BUSY")  # claimed: nothing of it was sent

    async def _paper(self, job: Due) -> Paper | PrintResult:
        try:
            if self._press is not None:
                return await self._press.form(job.id)
            if self.printer.takes == "page":
                return await self._page_of(job.receipt_id, job.copy)
            view = self._store.read(self._view_of, job.receipt_id)
            return slip(replace(view, copy=job.copy))
        except Refused as error:
            return PrintResult(Outcome.NOT_PRINTED, error.code, str(error))
        except (KeyError, ValueError, LookupError) as error:
            # The stored receipt cannot be shown: that job waits, the others go on.
            return PrintResult(Outcome.NOT_PRINTED, "PRN_TEXT", repr(error))

    # waiting
    async def _pause(self, seconds: float) -> None:
        if self._stopping or self._asks or (self._woken and not self.life.waits):
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


def _untested(failure: Any) -> PrintResult:
    """Return the result of a test that never began."""
    failure.trap(Refused)
    return PrintResult(Outcome.NOT_PRINTED, failure.value.code)
