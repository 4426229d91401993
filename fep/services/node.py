"""The node: has everything built from settings, starts it in order, stops it in order.

Start: lock, store, signers, issue (recover what was frozen), spool, link, doors last.
Stop: doors first, then events under way, their answers, devices, link, signers, and the store
last of all. A stop leaves a note why; a missing note means a crash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool

from fep import __version__
from fep.crypto import selftest
from fep.domain.calendar import to_ms
from fep.domain.faults import refuse
from fep.env import write_durably
from fep.ports import Clock, Entropy
from fep.services import selfcheck
from fep.services.assembly import Assembly
from fep.services.doors import doors_of
from fep.services.guard import Guard
from fep.services.linked import Parts
from fep.settings import Settings
from fep.store.certificates import certificate_txn
from fep.store.lock import DataLock, Locked
from fep.store.opening import open_store

STOP_NOTE = "last-stop.json"
LOCK_TRIES, LOCK_PAUSE_S = 50, 0.1


class Node:
    """One running front-end."""

    def __init__(self, settings: Settings, reactor: Any, clock: Clock, entropy: Entropy,
                 log: Any, rasteriser: Any, *, threads: bool = True) -> None:  # fmt: skip
        self.settings = settings
        self._reactor = reactor
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._rasteriser = rasteriser
        self._pool = ThreadPool(1, 1, "commit") if threads else None
        self._threads = threads
        self._lock = DataLock(settings.node.data / "fep.lock")
        self.checks: list[selfcheck.Finding] = []
        self.on_fatal: Callable[[str], None] = lambda why: None
        self.started_at = 0

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds."""
        return to_ms(self._clock.wall())

    # start
    async def start(self) -> None:
        """Come up. Raises Refused STORE_LOCKED, STORE_NEWER, SIG_KEY and what OS and SQLite say."""
        data = self.settings.node.data
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.started_at = self.now_ms()
        await self._take_lock()
        bad = [check for check in selftest.run() if not check.ok]
        if bad:
            raise refuse("SIG_KEY", why=f"self-test {bad[0].name}: {bad[0].detail}")
        if self._pool is not None:
            self._pool.start()
        try:
            await self._come_up(data)
        except BaseException:
            if self._pool is not None:  # its thread would keep the failed process alive
                self._pool.stop()
            raise

    async def _come_up(self, data: Path) -> None:
        self.store = open_store(
            self._reactor, data / "fep.db", now_ms=self.now_ms, on_fatal=self._fatal,
            pool=self._pool,
        )  # fmt: skip
        self.guard = Guard(
            self.settings, self._reactor, self._clock, self._entropy, self.store, self._log,
            now_ms=self.now_ms, threads=self._threads,
        )  # fmt: skip
        parts = Parts(self.settings, self._reactor, self._clock, self._entropy, self.store,
                      self._log, self._threads)  # fmt: skip
        made = self.parts = Assembly(
            parts, self.guard, self._rasteriser, started_at=self.started_at,
            checks=lambda: self.checks,
        )  # fmt: skip
        self.guard.fence.on_lifted = self._lifted
        await self.guard.start(made.issue, made.queue, made.uplink, made.budget)
        await self._open_signers()
        await made.bridges.open()
        self.store.do("node.start", _note_txn, "node.started", __version__)
        if not self.guard.fence.closed:
            await self._go()
        await made.intake.open(doors_of(self.settings.api))
        for door in (made.web, made.front):
            if door is not None:
                await door.open()
        self._log.info("node.ready", version=__version__, data=str(data))

    async def _go(self) -> None:
        """Set everything going that gives, prints or sends."""
        made = self.parts
        made.issue.recover()
        await made.spool.start()
        await made.windows.start()
        if made.uplink is not None:
            made.uplink.start()
            made.refused.start()
        made.accounts.start()
        made.queue.wake()

    def _lifted(self) -> None:
        """The fence is lifted: go on as after a start."""
        if self.parts.uplink is not None:
            self.parts.uplink.reload()
        done = Deferred.fromCoroutine(self._go())
        done.addErrback(lambda f: self._log.error("node.go", failure=f.getTraceback()[-2000:]))

    async def _take_lock(self) -> None:
        """Take the data directory; a technician's fepctl that reads it is given a moment."""
        for patience in range(LOCK_TRIES, -1, -1):
            try:
                self._lock.acquire("fepd", self.started_at)
                return
            except Locked as locked:
                if not patience or locked.holder.get("role", "fepctl") != "fepctl":
                    raise refuse("STORE_LOCKED", pid=locked.holder.get("pid", "?")) from locked
            await deferLater(self._reactor, LOCK_PAUSE_S)

    async def _open_signers(self) -> None:
        for signer in self.parts.bench.all():
            signer.cert_id = await self.store.do(
                "certificate", certificate_txn, signer.certificate.der,
                signer.certificate.serial_hex, signer.certificate.subject,
            )  # fmt: skip
            signer.start()

    # while it runs
    def self_check(self) -> Deferred[None]:
        """Look at ourselves; a signature that does not verify fences issuing."""
        done: Deferred[Any] = deferToThread(selfcheck.run, self.settings.node.data / "fep.db")
        return done.addCallbacks(
            self._checked, lambda f: self._log.error("selfcheck", why=str(f.value))
        )

    def _checked(self, findings: list[selfcheck.Finding]) -> None:
        self.checks = findings
        for finding in findings:
            if finding.state != "OK":
                self._log.error("selfcheck.finding", name=finding.name, state=finding.state,
                                detail=finding.detail)  # fmt: skip
            if finding.state == "FAIL" and finding.name.startswith(("crypto.", "signatures")):
                self.parts.issue.fence(f"self-check: {finding.name}")

    def new_day(self) -> None:
        """The +08:00 day has changed: note it, so that the journal shows quiet days too."""
        work = self.store.do("day", _note_txn, "day.changed", "")
        work.addErrback(lambda failure: self._log.error("day", why=str(failure.value)))

    def _fatal(self, why: str) -> None:
        self._log.critical("store.dead", why=why)
        try:
            self._note_stop(f"store: {why}")
        except OSError as error:  # what killed the store may have filled the disk
            self._log.error("store.dead_note", why=str(error))
        self.on_fatal(why)

    # stop
    async def stop(self, why: str, why_zh: str = "") -> None:
        """Drain, then close: nothing that was taken stays unanswered."""
        self._log.info("node.stopping", why=why)
        made = self.parts
        await made.intake.close_doors()
        if made.front is not None:
            await made.front.close_doors()
        self.guard.stop()
        made.accounts.stop()
        made.queue.stop()
        made.windows.stop()
        await made.issue.stop()
        await self.store.drained()
        await made.intake.close_connections()
        if made.front is not None:
            await made.front.close()
        await made.spool.stop()
        await made.bridges.close()
        if made.uplink is not None:
            await made.refused.stop()
            await made.uplink.stop()
        await gatherResults(made.bench.stop())
        self._rasteriser.close()
        if made.web is not None:  # last of the doors: /healthz says that we stop
            await made.web.close()
        if not self.store.dead:
            self.store.do("node.stop", _note_txn, "node.stopped", why)
            await self.store.drained()
        self.close(why, why_zh)

    def note_failure(self, why: str, why_zh: str) -> None:
        """Leave a note of why the start failed, where the directory is ours."""
        if self._lock.held:
            self._note_stop(f"not started: {why}", f"没有启动：{why_zh or why}")

    def close(self, why: str, why_zh: str = "") -> None:
        """Let go of the store and the lock; the note comes before the lock goes."""
        dead = self.store.dead
        self.guard.fence.stop()
        if self._pool is not None:
            self._pool.stop()
        self.store.close()
        if not dead:
            self._note_stop(why, why_zh)
        self._lock.release()
        self._log.info("node.stopped", why=why)

    def _note_stop(self, why: str, why_zh: str = "") -> None:
        note = json.dumps({"at": self.now_ms(), "why": why, "why_zh": why_zh}).encode()
        write_durably(self.settings.node.data / STOP_NOTE, note)


def _note_txn(tx: Any, op: str, detail: str) -> None:
    tx.journal(op, "", {"detail": detail})
