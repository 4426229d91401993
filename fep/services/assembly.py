"""What a node is made of, built from settings and wired: who tells whom.

Owns the parts between the store and the doors. Rules: parts are built in the order in which
they need each other, and nothing is started, opened or sent here; the node does that, in its
order. A new part is built here and gets its start and stop in the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fep import __version__
from fep.domain.calendar import to_ms
from fep.domain.faults import Refused
from fep.services import selfcheck
from fep.services.accounts import Accounts
from fep.services.bridges import Bridges
from fep.services.bridges_extend import Extend
from fep.services.budget import RunningBudget, unanswered_q
from fep.services.desk import methods as desk_methods
from fep.services.desk_context import DeskContext
from fep.services.direct_build import number_by_platform
from fep.services.doors import bounds_of
from fep.services.doubles import Doubles
from fep.services.doubt import make_held
from fep.services.drafting import Draw
from fep.services.face import Faces
from fep.services.forms import Forms
from fep.services.forms_press import FormPress
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
from fep.services.signing import signer_fault
from fep.services.signing_bench import make_bench
from fep.services.specimen import admit, test_units
from fep.services.spool import Spool
from fep.services.spool_page import PagePress
from fep.services.uplink import Uplink
from fep.services.web_build import addresses, make_web, tokens_of, unable_to_issue, web_faults
from fep.services.web_token import Tokens
from fep.services.window_build import Windows
from fep.store.numbers import Grant, grant_txn
from fep.store.receipts import recent_digests_q
from fep.store.specimen import grant_refused_txn
from fep.store.stock import sealed_grants_q
from fep.store.tx import Tx

DOUBLES_AT_START = 5000


class Assembly:
    """The parts of one node; all are there once it is made."""

    def __init__(self, parts: Parts, guard: Guard, rasteriser: Any, *, started_at: int,
                 checks: Callable[[], list[selfcheck.Finding]]) -> None:  # fmt: skip
        self._reactor = parts.reactor
        self._clock = parts.clock
        self._entropy = parts.entropy
        self._log = parts.log
        self._guard = guard
        self._started_at = started_at
        self._checks = checks
        self.settings = parts.settings
        self.store = parts.store
        self._build(parts, rasteriser)

    def _now_ms(self) -> int:
        return to_ms(self._clock.wall())

    def _build(self, parts: Parts, rasteriser: Any) -> None:
        s = self.settings
        self.bench = make_bench(self._reactor, s.units, s.root, s.node.data, self._log)
        draw = Draw(self._entropy, s.units, s.kinds, s.provinces, details_max=s.api.max_details)
        draw.offline = self._offline
        self.people = People(s, self._clock, self._log)
        draw.former = self.people.remember(self.store)
        admit(self.store, s.units, self._log)
        count, amount = self.store.read(unanswered_q, test_units(s.units))
        self.uplink: Uplink | None = None
        self._first_start = self.store.read(first_start_q) or self._started_at
        self.budget = RunningBudget(s.offline.budget(), self._offline_ms, count, amount, self._log)
        self.issue = Issue(
            self._reactor, self._clock, self.store, self.bench.active, draw, self.budget, self._log,
            deadline_s=s.api.deadline_s, events_max=s.api.queue_events,
            bytes_max=s.api.queue_bytes, doubles=self._doubles(),
            unable=self._unsignable,
        )  # fmt: skip
        self.queue = Queue(self._reactor, self.store, self.issue, draw, self._log)
        tokens = tokens_of(s, self._entropy, self._log)
        self._url_of = addresses(s, tokens)
        self.faces = Faces(s.units, s.kinds, s.provinces, self._offline, self._url_of)
        self._press = FormPress(self._desk, s.forms)
        self.bridges = Bridges(self._reactor, self._entropy, s.bridge, s.tls, s.root, s.node.data,
                               self._log)  # fmt: skip
        self.spool = Spool(
            self._reactor, self._clock, self._entropy, self.store, s.devices,
            self.faces.view_q, rasteriser, self._log, page_of=PagePress(self._desk),
            press=self._press,
        )  # fmt: skip
        self.issue.on_sealed += [self._sealed]
        self.accounts = Accounts(s, self._reactor, self.store, self._guard, self._log,
                                 now_ms=self._now_ms, threads=parts.threads)  # fmt: skip
        self.uplink = make_uplink(parts, self.budget, self._granted_txn,
                                  lambda: bool(self.issue.stats()["inflight"]))  # fmt: skip
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
        forms = self.forms = Forms(self.store, self.spool, self._press, s.units)
        paper = Paper(self.store, self.spool, s.units, forms)
        methods = Methods(
            window.methods(), reversals.methods(), paper.methods(), forms.methods(),
            desk_methods(window.desk),
        )  # fmt: skip
        self.intake = Intake(
            self._reactor, self._entropy, self.people.callers, methods,
            bounds_of(s.api), self._log,
            version=__version__, connections_max=s.api.max_connections,
            held_max=s.api.queue_bytes,
            control_group=s.api.control_group, tls=s.tls,
        )  # fmt: skip
        self.people.cut = self.intake.cut
        his = HisContext(
            store=self.store, issue=self.issue, queue=self.queue, draw=draw, paper=paper,
            reversals=reversals, url_of=self._url_of, callers=self.people.callers,
            clock=self._clock, entropy=self._entropy, units=s.units, kinds=s.kinds,
            provinces=s.provinces, log=self._log, aside=self._desk().read,
        )  # fmt: skip
        self.front = make_front(self._reactor, s, his, methods, self.people)
        self.bridges.extend = Extend(his, self.bridges).answer
        self.web = make_web(self._reactor, self._clock, s, tokens, self._desk(), self._unable,
                            self._log)  # fmt: skip

    def _doubles(self) -> Doubles:
        """Return the memory of suspected doubles, with what it knew before the restart."""
        window_s = self.settings.issue.suspected_double_s
        since_ms = self._now_ms() - window_s * 1000
        doubles = Doubles(window_s)
        for recent in self.store.read(recent_digests_q, since_ms, DOUBLES_AT_START):
            doubles.seen(*recent)
        return doubles

    def _desk(self) -> DeskContext:
        return DeskContext(
            settings=self.settings, store=self.store, clock=self._clock, issue=self.issue,
            spool=self.spool, uplink=self.uplink, started_at=self._started_at,
            selfcheck=self._checks, version=__version__, signers=self.bench.active,
            bench=self.bench,
            url_of=self._url_of,
            numbers_came=self._numbers_came, fence=self._guard.fence,
            clockwatch=self._guard.clockwatch, seal=self._guard.seal, budget=self.budget,
            accounts=self.accounts, people=self.people, bridges=self.bridges,
            doors=lambda: (*self.people.faults, *web_faults(self.settings, self.web),
                           *(self.front.faults if self.front is not None else ())),
        )  # fmt: skip

    # what one part tells another
    def _sealed(self, receipt: Any) -> None:
        if receipt.print_job is not None:
            self.spool.queued(receipt.print_job)
        if self.uplink is not None:
            self.uplink.wake()

    def _offline(self) -> bool:
        """Say whether the platform cannot be reached now: the face tells the holder so."""
        return self.uplink is not None and self.uplink.offline

    def _offline_ms(self) -> int:
        if self.uplink is not None:
            return self.uplink.offline_ms()
        return max(self._guard.clockwatch.steady_ms() - self._first_start, 0)

    def _unsignable(self, unit: str) -> Refused | None:
        return self.bench.fault(unit, self._clock.wall(), self.accounts.revoked)

    def _unable(self) -> list[str]:
        signers = [partial(signer_fault, signer) for signer in self.bench.active.values()]
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
