"""The node: builds everything from settings, starts it in order, stops it in order.

Start: lock, store, signers, issue (recover what was frozen), spool, link, doors last.
Stop: doors first, then events under way, their answers, devices, link, signers, and the store
last of all. A stop leaves a note why; a missing note means a crash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool

from fep import __version__
from fep.crypto import selftest
from fep.domain.calendar import to_ms
from fep.domain.faults import Refused, refuse
from fep.env import write_durably
from fep.ports import Clock, Entropy
from fep.services import selfcheck
from fep.services.accounts import Accounts
from fep.services.budget import RunningBudget, unanswered_q
from fep.services.desk import methods as desk_methods
from fep.services.desk_context import DeskContext
from fep.services.direct_build import number_by_platform
from fep.services.doors import bounds_of, doors_of
from fep.services.doubles import Doubles
from fep.services.doubt import make_held
from fep.services.drafting import Draw
from fep.services.face import Faces
from fep.services.front_build import make_front
from fep.services.guard import Guard
from fep.services.his_context import HisContext
from fep.services.intake import Intake
from fep.services.issue import Issue
from fep.services.linked import Parts, first_start_q, make_uplink
from fep.services.methods import Methods
from fep.services.paper import Paper
from fep.services.people import People
from fep.services.queue import Queue
from fep.services.reversal import Reversals
from fep.services.signing import SignerFiles, UnitSigner, signer_fault
from fep.services.specimen import admit, test_units
from fep.services.spool import Spool
from fep.services.spool_page import PagePress
from fep.services.uplink import Uplink
from fep.services.web_build import addresses, make_web, tokens_of, unable_to_issue, web_faults
from fep.services.web_token import Tokens
from fep.services.window_build import Windows
from fep.settings import Settings, read_secret
from fep.store.certificates import certificate_txn
from fep.store.lock import DataLock, Locked
from fep.store.numbers import Grant, grant_txn
from fep.store.opening import open_store
from fep.store.receipts import recent_digests_q
from fep.store.specimen import grant_refused_txn
from fep.store.stock import sealed_grants_q
from fep.store.tx import Tx

STOP_NOTE = "last-stop.json"
LOCK_TRIES, LOCK_PAUSE_S = 50, 0.1
DOUBLES_AT_START = 5000


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
        self._build()
        self.guard.fence.on_lifted = self._lifted
        await self.guard.start(self.issue, self.queue, self.uplink, self.budget)
        await self._open_signers()
        self.store.do("node.start", _note_txn, "node.started", __version__)
        if not self.guard.fence.closed:
            await self._go()
        await self.intake.open(doors_of(self.settings.api))
        for door in (self.web, self.front):
            if door is not None:
                await door.open()
        self._log.info("node.ready", version=__version__, data=str(data))

    async def _go(self) -> None:
        """Set everything going that gives, prints or sends."""
        self.issue.recover()
        await self.spool.start()
        await self.windows.start()
        if self.uplink is not None:
            self.uplink.start()
            self.refused.start()
        self.accounts.start()
        self.queue.wake()

    def _lifted(self) -> None:
        """The fence is lifted: go on as after a start."""
        if self.uplink is not None:
            self.uplink.reload()
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

    def _build(self) -> None:
        s = self.settings
        self.signers = {
            unit.code: UnitSigner(
                self._reactor,
                SignerFiles(unit.code, s.root / unit.signer_key, s.root / unit.signer_cert,
                            _passphrase(unit.signer_passphrase, s.root)),
                self._log,
            )
            for unit in s.units.values()
        }  # fmt: skip
        draw = Draw(self._entropy, s.units, s.kinds, s.provinces, details_max=s.api.max_details)
        draw.offline = self._offline
        self.people = People(s, self._clock, self._log)
        draw.former = self.people.remember(self.store)
        admit(self.store, s.units, self._log)
        count, amount = self.store.read(unanswered_q, test_units(s.units))
        self.uplink: Uplink | None = None
        self._first_start = self.store.read(first_start_q) or self.started_at
        self.budget = RunningBudget(s.offline.budget(), self._offline_ms, count, amount, self._log)
        self.issue = Issue(
            self._reactor, self._clock, self.store, self.signers, draw, self.budget, self._log,
            deadline_s=s.api.deadline_s, events_max=s.api.queue_events,
            bytes_max=s.api.queue_bytes, doubles=self._doubles(),
            unable=self._unsignable,
        )  # fmt: skip
        self.queue = Queue(self._reactor, self.store, self.issue, draw, self._log)
        tokens = tokens_of(s, self._entropy, self._log)
        self._url_of = addresses(s, tokens)
        self.faces = Faces(s.units, s.kinds, s.provinces, self._offline, self._url_of)
        self.spool = Spool(
            self._reactor, self._clock, self._entropy, self.store, s.devices,
            self.faces.view_q, self._rasteriser, self._log, page_of=PagePress(self._desk),
        )  # fmt: skip
        self.issue.on_sealed += [self._sealed]
        self.accounts = Accounts(s, self._reactor, self.store, self.guard, self._log,
                                 now_ms=self.now_ms, threads=self._threads)  # fmt: skip
        parts = Parts(s, self._reactor, self._clock, self._entropy, self.store, self._log,
                      self._threads)  # fmt: skip
        self.uplink = make_uplink(parts, self.budget, self._granted_txn)
        self.refused = make_held(parts, self.uplink)
        number_by_platform(parts, self.uplink, self.issue, self._granted_txn)
        if self.uplink is not None:
            self.accounts.linked(self.uplink)
        self._build_doors(draw, tokens)

    def _build_doors(self, draw: Draw, tokens: Tokens | None) -> None:
        """Build what others come in by: socket, HTTP, pages."""
        s = self.settings
        window = self.windows = Windows(
            self._reactor, self.store, self.issue, self.queue, draw, self._clock, __version__,
            self._url_of, self._desk(), self.spool, self._log)  # fmt: skip
        reversals = Reversals(self.store, self.issue, draw, self._clock, s.life.policy(),
                              self._url_of)  # fmt: skip
        paper = Paper(self.store, self.spool, s.units)
        methods = Methods(
            window.methods(), reversals.methods(), paper.methods(), desk_methods(window.desk)
        )
        self.intake = Intake(
            self._reactor, self._entropy, self.people.callers, methods,
            bounds_of(s.api), self._log,
            version=__version__, connections_max=s.api.max_connections,
            held_max=s.api.queue_bytes,
            control_group=s.api.control_group, tls=s.tls,
        )  # fmt: skip
        self.people.cut = self.intake.cut
        self.front = make_front(
            self._reactor, s,
            HisContext(
                store=self.store, issue=self.issue, queue=self.queue, draw=draw, paper=paper,
                reversals=reversals, url_of=self._url_of, callers=self.people.callers,
                clock=self._clock, entropy=self._entropy, units=s.units, kinds=s.kinds,
                provinces=s.provinces, log=self._log, aside=self._desk().read,
            ),
            methods, self.people,
        )  # fmt: skip
        self.web = make_web(self._reactor, self._clock, s, tokens, self._desk(), self._unable,
                            self._log)  # fmt: skip

    def _doubles(self) -> Doubles:
        """Return the memory of suspected doubles, with what it knew before the restart."""
        window_s = self.settings.issue.suspected_double_s
        since_ms = self.now_ms() - window_s * 1000
        doubles = Doubles(window_s)
        for recent in self.store.read(recent_digests_q, since_ms, DOUBLES_AT_START):
            doubles.seen(*recent)
        return doubles

    def _desk(self) -> DeskContext:
        return DeskContext(
            settings=self.settings, store=self.store, clock=self._clock, issue=self.issue,
            spool=self.spool, uplink=self.uplink, started_at=self.started_at,
            selfcheck=lambda: self.checks, version=__version__, signers=self.signers,
            url_of=self._url_of,
            numbers_came=self._numbers_came, fence=self.guard.fence,
            clockwatch=self.guard.clockwatch, seal=self.guard.seal, budget=self.budget,
            accounts=self.accounts, people=self.people,
            doors=lambda: (*self.people.faults, *web_faults(self.settings, self.web),
                           *(self.front.faults if self.front is not None else ())),
        )  # fmt: skip

    async def _open_signers(self) -> None:
        for signer in self.signers.values():
            signer.cert_id = await self.store.do(
                "certificate", certificate_txn, signer.certificate.der,
                signer.certificate.serial_hex, signer.certificate.subject,
            )  # fmt: skip
            signer.start()

    # while it runs
    def _sealed(self, receipt: Any) -> None:
        if receipt.print_job is not None:
            self.spool.wake()
        if self.uplink is not None:
            self.uplink.wake()

    def _offline(self) -> bool:
        """Say whether the platform cannot be reached now: the face tells the holder so."""
        return self.uplink is not None and self.uplink.offline

    def _offline_ms(self) -> int:
        if self.uplink is not None:
            return self.uplink.offline_ms()
        return max(self.guard.clockwatch.steady_ms() - self._first_start, 0)

    def _unsignable(self, unit: str) -> Refused | None:
        signer = self.signers.get(unit)
        if signer is None:
            return None
        return signer_fault(signer) or self.accounts.revoked(unit, signer.cert_serial)

    def _unable(self) -> list[str]:
        signers = [partial(signer_fault, signer) for signer in self.signers.values()]
        return unable_to_issue(self.issue, self.store, signers)

    def _granted_txn(self, tx: Tx, grant: Grant) -> bool:
        """A block from the platform: the queue looks again once it is committed."""
        unit = self.settings.units.get(grant.unit)
        if unit is not None and unit.test:
            return grant_refused_txn(tx, grant)
        if sealed_grants_q(tx.conn):  # a lost store may have used it already
            grant = replace(grant, sealed=True)
        new = grant_txn(tx, grant)
        self._reactor.callLater(0, self._numbers_came)
        return new

    def _numbers_came(self) -> None:
        self.queue.wake()

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
                self.issue.fence(f"self-check: {finding.name}")

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
        await self.intake.close_doors()
        if self.front is not None:
            await self.front.close_doors()
        self.guard.stop()
        self.accounts.stop()
        self.queue.stop()
        self.windows.stop()
        await self.issue.stop()
        await self.store.drained()
        await self.intake.close_connections()
        if self.front is not None:
            await self.front.close()
        await self.spool.stop()
        if self.uplink is not None:
            await self.refused.stop()
            await self.uplink.stop()
        await gatherResults([signer.stop() for signer in self.signers.values()])
        self._rasteriser.close()
        if self.web is not None:  # last of the doors: /healthz says that we stop
            await self.web.close()
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


def _passphrase(reference: str, root: Path) -> str:
    return read_secret(reference, root) if reference else ""
