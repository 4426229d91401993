"""The spool: sealed receipts become paper, at most once without a person's word (I10).

Owns one loop a device, a device's settings decide which group of jobs it serves. What was
streaming when the daemon ended is uncertain, and stays so until somebody looked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from twisted.internet.defer import Deferred, gatherResults

from fep.domain.faults import refuse
from fep.domain.printing import JobState, PrintResult
from fep.ports import Clock, Entropy, Rasteriser
from fep.services.spool_devices import SpoolPrinter, make_printer
from fep.services.spool_loop import DeviceHealth, DeviceLoop, Log, PageOf, ViewOf, no_page
from fep.services.spool_queue import Press
from fep.settings_device import DeviceSettings
from fep.store import forms
from fep.store import printing as jobs
from fep.store.devices import notes_q
from fep.store.writer import Store

Verdict = Literal["printed", "reprint"]
MakePrinter = Callable[[Any, Clock, DeviceSettings, Rasteriser], SpoolPrinter]


class Spool:
    """All devices of this machine."""

    def __init__(
        self,
        reactor: Any,
        clock: Clock,
        entropy: Entropy,
        store: Store,
        devices: tuple[DeviceSettings, ...],
        view_of: ViewOf,
        rasteriser: Rasteriser,
        log: Log,
        *,
        make: MakePrinter = make_printer,
        page_of: PageOf = no_page,
        press: Press | None = None,
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._log = log

        def made(settings: DeviceSettings) -> SpoolPrinter:
            return make(reactor, clock, settings, rasteriser)

        def loop(settings: DeviceSettings) -> DeviceLoop:
            one = DeviceLoop(
                reactor, clock, entropy, store, settings, made, view_of, log, page_of, press
            )
            one.ended = self._tell
            return one

        self._loop = loop
        self._loops = {settings.id: loop(settings) for settings in devices if settings.enabled}
        self._ended: Callable[[jobs.Job], None] = lambda job: None
        self._started = False
        self._queued: list[int] = []  # jobs of this turn

    # from the node
    async def start(self) -> None:
        """Make what was streaming uncertain, then start the loops."""
        torn = await self._store.do("print.recover", jobs.recover_txn)
        for job in torn:
            self._log.warning("print.uncertain", job=job.id, device=job.device)
            if job.device in self._loops:
                self._loops[job.device].life.distrust()
        for sheet in await self._store.do("form.recover", forms.recover_txn):
            self._log.warning("form.uncertain", job=sheet.id, device=sheet.device)
            if sheet.device in self._loops:
                self._loops[sheet.device].life.distrust()
        self._started = True
        noted = self._store.read(notes_q)
        for id_, loop in self._loops.items():
            if id_ in noted:
                loop.life.remember(noted[id_])
            loop.start()

    async def stop(self) -> None:
        """Let every device finish its job, then give the devices back."""
        self._started = False
        await gatherResults([loop.stop() for loop in self._loops.values()])

    # from the issue service
    def queued(self, job_id: int) -> None:
        """A job has been committed: the devices of its group look for it, soon.

        The others are left alone: fifty printers that all look cost more than the sheet. What
        is committed together is asked about together, and not at all where there is one group.
        """
        if len({loop.settings.group for loop in self._loops.values()}) < 2:
            self.wake()
            return
        if not self._queued:
            self._reactor.callLater(0, self._look)
        self._queued.append(job_id)

    def _look(self) -> None:
        first, last = min(self._queued), max(self._queued)
        self._queued.clear()
        if self._started and not self._store.dead:
            for group in self._store.read(jobs.groups_q, first, last):
                self.wake(group)

    def wake(self, group: str = "") -> None:
        """Jobs of a group (empty: of any) may have been committed: look now."""
        for loop in self._loops.values():
            if group in ("", loop.settings.group):
                loop.wake()

    # from notifications
    def listen(self, ended: Callable[[jobs.Job], None]) -> None:
        """Have every attempt at a job told; the listener is quick and does not raise."""
        self._ended = ended

    # from the loops
    def _tell(self, job: jobs.Job) -> None:
        """Pass the end of an attempt on; what waits again is the group's other devices' too."""
        if job.state is JobState.DUE:
            for id_, loop in self._loops.items():
                if id_ != job.device and loop.settings.group == job.device_group:
                    loop.wake()
        self._ended(job)

    # from a person
    def loop(self, device: str) -> DeviceLoop:
        """Return the loop of a device. Raises Refused DEV_UNKNOWN."""
        if device not in self._loops:
            raise refuse("DEV_UNKNOWN", device=device)
        return self._loops[device]

    def loops(self) -> tuple[DeviceLoop, ...]:
        """Return the loops of all devices, by id."""
        return tuple(self._loops[id_] for id_ in sorted(self._loops))

    def add(self, settings: DeviceSettings) -> DeviceLoop:
        """Drive a device that is new."""
        loop = self._loops[settings.id] = self._loop(settings)
        noted = self._store.read(notes_q).get(settings.id)
        if noted is not None:
            loop.life.remember(noted)
        if self._started:
            loop.start()
        return loop

    def devices(self) -> list[DeviceHealth]:
        """Return the health of every device, by id."""
        return [loop.health() for loop in self.loops()]

    def groups(self) -> frozenset[str]:
        """Return the groups that have a device for receipts."""
        return frozenset(
            loop.settings.group for loop in self._loops.values() if loop.printer.takes != "form"
        )

    def form_printers(self, group: str) -> tuple[str, ...]:
        """Return the form printers (套打) of a group, by id."""
        return tuple(
            id_
            for id_, loop in sorted(self._loops.items())
            if loop.settings.group == group and loop.printer.takes == "form"
        )

    def test(self, device: str, form: str = "") -> Deferred[PrintResult]:
        """Print a test page, on a form printer for sheets of `form`. Raises Refused DEV_UNKNOWN."""
        return self.loop(device).test(form)

    async def resolve(
        self, job_id: int, verdict: Verdict, reason: str, who: str
    ) -> jobs.Resolution:
        """Take a person's word on a job; `reprint` makes a new one, marked 补打.

        Raises Refused: PRN_JOB_NONE, PRN_JOB_STATE.
        """
        resolution = await self._store.do(
            "print.resolve", jobs.resolve_txn, job_id, verdict, reason, who
        )
        self.wake()
        return resolution

    async def request(self, receipt_id: int, group: str, reason: str, who: str) -> jobs.Job:
        """Print a receipt because a person asks: its first paper, or the next copy."""
        job = await self._store.do(
            "print.request", jobs.request_txn, receipt_id, group, reason, who
        )
        self.wake(job.device_group)
        return job

    async def cancel(self, job_id: int, reason: str, who: str) -> jobs.Job:
        """Give up a job that was not printed. Raises Refused PRN_JOB_STATE."""
        return await self._store.do("print.cancel", jobs.cancel_txn, job_id, reason, who)
