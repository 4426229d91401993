"""Numbering by the platform (mode B): one number an event, asked for while the link is up.

Rules: an event waits at most NUMBER_S; what the platform gives is granted before it is used,
as any block is, also when it comes too late for its event; without an answer a kind that may
be issued offline takes from the blocks in hand, any other is refused and may come again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.python.failure import Failure

from fep.domain.calendar import to_ms
from fep.domain.faults import refuse
from fep.domain.kind import Kind
from fep.domain.numbers import parse_number
from fep.domain.platform import Operation, Parcel, Reply, Verdict
from fep.ports import Clock
from fep.services.direct import Direct
from fep.services.number_fetch import Shelf, evidence_of
from fep.services.uplink_ends import Log
from fep.store import receipts
from fep.store.issuing import Draft, Frozen
from fep.store.numbers import Grant, by_evidence_q
from fep.store.tx import Tx
from fep.store.writer import Store

NUMBER_S: Final = 2.0
REQUEST_MAX: Final = 200  # numbers one request fetches; each is a block of its own
Freeze = Callable[[Draft], Deferred[Frozen]]
OnGrant = Callable[[Tx, Grant], bool]


class PlatformNumbers:
    """Asks for a number before an event is frozen."""

    def __init__(self, reactor: Any, clock: Clock, store: Store, direct: Direct,
                 kinds: Mapping[str, Kind], on_grant: OnGrant, log: Log) -> None:  # fmt: skip
        self._reactor = reactor
        self._clock = clock
        self._store = store
        self._direct = direct
        self._kinds = kinds
        self._on_grant = on_grant
        self._log = log

    def around(self, freeze: Freeze) -> Freeze:
        """Return a freeze that has a number fetched first, where the kind wants it."""

        def frozen(draft: Draft) -> Deferred[Frozen]:
            kind = self._kinds.get(draft.kind)
            if kind is None or kind.numbering != "platform" or draft.test:
                return freeze(draft)
            if self._store.read(receipts.by_key_q, draft.unit, draft.key) is not None:
                return freeze(draft)  # it has its number
            return self._numbered(draft, kind, freeze)

        return frozen

    def _numbered(self, draft: Draft, kind: Kind, freeze: Freeze) -> Deferred[Frozen]:
        if self._direct.offline:
            return self._without(draft, kind, freeze)
        granted: Deferred[bool] = Deferred()
        asked = Deferred.fromCoroutine(self._fetch(draft))
        asked.addCallbacks(
            lambda new: None if granted.called else granted.callback(new),
            lambda failure: None if granted.called else granted.callback(False),
        )
        granted.addTimeout(NUMBER_S, self._reactor)
        granted.addErrback(_late)
        return granted.addCallback(
            lambda new: freeze(draft) if new else self._without(draft, kind, freeze)
        )

    def _without(self, draft: Draft, kind: Kind, freeze: Freeze) -> Deferred[Frozen]:
        if kind.offline:
            return freeze(draft)
        return fail(refuse("NUM_PLATFORM", kind=kind.id))

    async def _fetch(self, draft: Draft) -> bool:
        """Ask, and grant what came; True when there is a number more."""
        code = draft.code_at(to_ms(self._clock.wall()))
        fields = {"unit": draft.unit, "bill_batch_code": code}
        reply = await self._direct.platform.ask(Operation.NUMBER, fields)
        grant = _grant(reply, draft.unit, code)
        if grant is None:
            self._log.warning("numbers.platform", why=f"{reply.why} {reply.detail}"[:200])
            return False
        return await self._store.do("numbers.platform", self._on_grant, grant)


def direct_shelf(store: Store, on_grant: OnGrant) -> Shelf:
    """Return the shelf of the daemon: a number is granted as it comes."""

    def have(request: Parcel) -> int:
        return store.read(by_evidence_q, request.code, evidence_of(request))

    def keep(request: Parcel, number: str) -> Deferred[bool]:
        grant = Grant(request.unit, request.code, number, number, source="platform",
                      evidence=evidence_of(request))  # fmt: skip
        return store.do("numbers.platform", on_grant, grant)

    def doubted(request: Parcel, why: str) -> Deferred[None]:
        return store.do("numbers.doubt", _doubt_txn, request.code, request.unit, why)

    return Shelf(have, keep, doubted, REQUEST_MAX)


def _doubt_txn(tx: Tx, code: str, unit: str, why: str) -> None:
    """Note a question that was not answered: it may have used a number up there."""
    tx.journal("numbers.doubt", code, {"unit": unit, "why": why[:200]})


def _late(failure: Failure) -> bool:
    assert isinstance(failure.value, TimeoutError), failure.value
    return False


def _grant(reply: Reply, unit: str, code: str) -> Grant | None:
    number = reply.facts.get("number", "")
    right = reply.verdict is Verdict.OK and reply.facts.get("code", code) == code
    if not right or parse_number(number) is None:
        return None
    return Grant(unit, code, number, number, source="platform", evidence="asked for one event")
