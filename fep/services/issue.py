"""Issuing: freeze, sign, seal, answer. The heart of the daemon.

Two rules: decide, commit, release: nothing leaves before its commit; and an unanswered event
is never half known: past its deadline it is closed as refused with its number burned in one
transaction, after a crash it is signed again with the same number and the same bytes.
Never: retries of an unknown outcome, waiting for the link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fep.domain.faults import Refused, refuse
from fep.domain.receipt import Receipt, ReceiptState
from fep.ports import Clock
from fep.services.doubles import Doubles
from fep.services.drafting import Draw
from fep.services.inflight import Inflight, Phase, Table
from fep.services.signing import Moved, UnitSigner
from fep.store import issuing, receipts
from fep.store.writer import Store

RECOVERED_AT_ONCE = 500
Freeze = Callable[[issuing.Draft], Deferred[issuing.Frozen]]


class Budget(Protocol):
    """The offline budget: what may still be issued while the link is away."""

    def reserve(self, amount_fen: int) -> Refused | None:
        """Take a receipt's share, or say why not."""

    def release(self, amount_fen: int) -> None:
        """Give a share back: nothing was issued for it."""


class Issue:
    """Issues receipts for all doors of one node."""

    def __init__(
        self,
        reactor: Any,  # IReactorTime
        clock: Clock,
        store: Store,
        signers: Mapping[str, UnitSigner],
        draw: Draw,
        budget: Budget,
        log: Any,
        *,
        deadline_s: float,
        events_max: int,
        bytes_max: int,
        doubles: Doubles,
        unable: Callable[[str], Refused | None] = lambda unit: None,
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._store = store
        self._signers = signers
        self._draw = draw
        self._budget = budget
        self._log = log
        self._deadline_s = deadline_s
        self._table = Table(events_max, bytes_max)
        self._doubles = doubles
        self._unsignable = unable
        self._sweep: Any = None
        self._closing: Deferred[None] | None = None
        self._recovering = self._recovered_to = 0
        self._recover_more = False
        self.fenced = ""
        self.frozen_by: Freeze = partial(store.group, "freeze", issuing.freeze_txn)
        self.held: Refused | None = None  # why nothing new is issued until a person confirms
        self.on_sealed: list[Callable[[Receipt], None]] = []
        self.issued = 0
        self.refused = 0

    # from doors
    def issue(
        self, draft: issuing.Draft, *, queued: bool = False
    ) -> Deferred[tuple[Receipt, bool]]:
        """Answer (receipt, repeated) once it is signed and durable.

        `queued` events have no deadline: a durable row waits for them. Fails with Refused.
        """
        done: Deferred[tuple[Receipt, bool]] = Deferred()
        entry = self._table.find(draft.unit, draft.key)
        if entry is not None:
            if entry.digest != draft.digest:
                ref = entry.receipt.ref if entry.receipt else ""
                done.errback(refuse("EVT_CONFLICT", key=draft.key, receipt=ref))
            else:
                entry.waiters.append((done, True))
                if entry.queued and not queued:
                    self._bound(entry, done)
            return done
        refused = self._unable(draft)
        if refused is not None and not self._known(draft):
            done.errback(refused)
            return done
        entry = self._table.add(draft, queued=queued, at=self._clock.mono())
        entry.reserved = refused is None and not draft.test
        entry.waiters.append((done, False))
        self._arm()
        self._freeze(entry, draft)
        return done

    def keep(self, draft: issuing.Draft) -> None:
        """A durable row is about to stand for this event: no deadline burns it any more."""
        entry = self._table.find(draft.unit, draft.key)
        if entry is not None and entry.digest == draft.digest and not entry.queued:
            entry.queued = True
            for waiter, _ in entry.waiters:
                self._bound(entry, waiter)

    @property
    def stopping(self) -> bool:
        """Say whether new events are refused because the node stops."""
        return self._closing is not None

    def stats(self) -> dict[str, int]:
        """Return counters since start and what is under way."""
        return {
            "issued": self.issued,
            "refused": self.refused,
            "inflight": len(self._table),
            "inflight_bytes": self._table.bytes,
        }

    # from node
    def recover(self) -> int:
        """Sign again what a crash left frozen; answers how many were taken up now.

        The next ones follow when these are done: a signer is never flooded.
        """
        if self._closing is not None:
            return 0
        found = self._store.read(receipts.frozen_q, RECOVERED_AT_ONCE, self._recovered_to)
        fresh = [each for each in found if self._table.find(each.unit, each.key) is None]
        self._recovering = len(fresh)
        self._recover_more = len(found) == RECOVERED_AT_ONCE
        self._recovered_to = found[-1].id if found else self._recovered_to
        for receipt in fresh:
            self._adopt(receipt)
        if fresh:
            self._log.warning("issue.recovered", frozen=len(fresh))
        return len(fresh)

    def fence(self, why: str) -> None:
        """Stop issuing until a person has looked; retries still get their receipts."""
        if not self.fenced:
            self.fenced = why
            self._log.critical("issue.fenced", why=why)

    def unfence(self) -> None:
        """Issue again: whoever closed the fence has found that it may be opened."""
        self.fenced = self._store.fenced = ""
        self._log.warning("issue.unfenced")

    def hold(self, refused: Refused | None) -> None:
        """Refuse new events with this until it is taken back with None."""
        self.held = refused

    def stop(self) -> Deferred[None]:
        """Refuse new events, finish those under way, then fire."""
        self._closing = Deferred()
        self._arm()
        self._settle()
        return self._closing

    # the path of one event
    def _unable(self, draft: issuing.Draft) -> Refused | None:
        if self._closing is not None:
            return refuse("STOPPING")
        if self._table.full(len(draft.body)):
            return refuse("BUSY")
        if self.fenced or self._store.fenced:
            self.fence(self.fenced or self._store.fenced)
            return refuse("FENCED", why=self.fenced)
        if self.held is not None:
            return self.held
        unsignable = self._unsignable(draft.unit)
        if unsignable is not None:  # a number given now would only be burned
            return unsignable
        if draft.test:  # no platform is waited for
            return None
        banned = self._draw.offline_refusal(draft.kind)
        if banned is not None:
            return banned
        return self._budget.reserve(draft.amount_fen)

    def _known(self, draft: issuing.Draft) -> bool:
        """Return whether a refused call is a retry: a fence or a used-up budget stops new
        receipts, never the answer to an event that has one."""
        if self._closing is not None or self._table.full(len(draft.body)):
            return False
        known = self._store.read(receipts.by_key_q, draft.unit, draft.key)
        # Behind a fence not even a frozen receipt is signed: another copy may have burned it.
        return known is not None and (not self.fenced or known.state is ReceiptState.SEALED)

    def _bound(self, entry: Inflight, waiter: Deferred[tuple[Receipt, bool]]) -> None:
        """Give a caller its deadline where the event itself has none: the event goes on."""

        def leave() -> None:
            entry.waiters[:] = [each for each in entry.waiters if each[0] is not waiter]
            waiter.errback(refuse("BUSY"))

        if self._deadline_s <= 0:
            return

        def answered(result: Any) -> Any:
            if call.active():
                call.cancel()
            return result

        call = self._reactor.callLater(self._deadline_s, leave)
        waiter.addBoth(answered)

    def _freeze(self, entry: Inflight, draft: issuing.Draft) -> None:
        work = self.frozen_by(draft)
        work.addCallback(lambda frozen: self._frozen(entry, frozen))
        work.addErrback(lambda failure: self._failed(entry, failure))

    def _frozen(self, entry: Inflight, frozen: issuing.Frozen) -> None:
        receipt = entry.receipt = frozen.receipt
        if frozen.original is None:
            self._give_back(entry)
            if receipt.state is ReceiptState.SEALED:
                self._finish(entry, receipt, repeated=True)
                return
            original = self._store.read(receipts.original_q, receipt.id)
        else:
            original = frozen.original
            double = self._doubles.seen(entry.unit, entry.digest, entry.key, receipt.issued_at)
            if double:
                self._note_double(receipt, double)
        if frozen.queued and not entry.queued:  # a durable row: its caller may go, it stays
            entry.queued = True
            for waiter, _ in entry.waiters:
                self._bound(entry, waiter)
        if entry.abandoned and not entry.queued:
            self._burn(entry)
            return
        self._sign(entry, receipt, original)

    def _sign(self, entry: Inflight, receipt: Receipt, original: bytes) -> None:
        signer = self._signers.get(receipt.unit)
        entry.phase = Phase.SIGNING
        if signer is None:  # a unit that configuration does not name any more
            self._log.error("issue.no_signer", unit=receipt.unit, ref=receipt.ref)
            return
        work = signer.sign(signer.digest_of(original))
        work.addCallbacks(
            lambda der: self._seal(entry, signer, der),
            lambda failure: self._unsigned(entry, failure),
        )
        work.addErrback(lambda failure: self._failed(entry, failure))

    def _seal(self, entry: Inflight, signer: UnitSigner, der: bytes) -> None:
        if entry.phase is not Phase.SIGNING or entry.receipt is None:
            return  # refused meanwhile: the late signature is discarded
        entry.phase = Phase.SEALING
        seal = issuing.Seal(entry.receipt, signer.cert_id, der, *self._draw.effects(entry))
        work = self._store.group("seal", issuing.seal_txn, seal)
        work.addCallback(lambda job: self._sealed(entry, job))
        work.addErrback(lambda failure: self._failed(entry, failure))

    def _sealed(self, entry: Inflight, job: int | None) -> None:
        assert entry.receipt is not None
        receipt = self._draw.sealed(entry.receipt, job)
        self.issued += 1
        self._finish(entry, receipt, repeated=False)
        for listener in self.on_sealed:
            try:
                listener(receipt)
            except Exception as error:  # what follows a receipt never unmakes it
                self._log.error("issue.listener", why=repr(error)[:200])

    # what may go wrong
    def _unsigned(self, entry: Inflight, failure: Failure) -> None:
        """No signature now: a caller waits until its deadline, a queued event for ever."""
        if entry.phase is not Phase.SIGNING:
            return
        entry.phase = Phase.UNSIGNED
        self._log.error("issue.unsigned", why=str(failure.value)[:120])
        moved = isinstance(failure.value, Moved)  # another signer of the unit is there
        if self._closing is not None:
            self._drop(entry, refuse("STOPPING"))
        elif not entry.queued and not moved:
            self._burn(entry)
        else:
            self._reactor.callLater(0.0 if moved else 1.0, self._sign_again, entry)

    def _sign_again(self, entry: Inflight) -> None:
        if entry.phase is Phase.UNSIGNED and entry.receipt is not None and not self._closing:
            original = self._store.read(receipts.original_q, entry.receipt.id)
            self._sign(entry, entry.receipt, original)

    def _failed(self, entry: Inflight, failure: Failure) -> None:
        error = failure.value
        if entry.phase is Phase.ENDED:  # answered already: only the log is left to tell
            self._log.error("issue.after", failure=failure.getTraceback()[-2000:])
            return
        if entry.phase is Phase.FREEZING and entry.receipt is None:
            self._give_back(entry)
        if isinstance(error, Refused):
            self._drop(entry, error)
            return
        if self._store.fenced:
            self.fence(self._store.fenced)
            self._drop(entry, refuse("FENCED", why=self.fenced))
            return
        self._log.error("issue.failed", failure=failure.getTraceback()[-2000:])
        self._drop(entry, refuse("INTERNAL"))

    def _burn(self, entry: Inflight) -> None:
        """Close the event: nothing was issued, its number is burned with evidence."""
        assert entry.receipt is not None
        entry.phase = Phase.REFUSING
        work = self._store.do("refuse", issuing.refuse_txn, entry.receipt, "SIG_TIMEOUT")
        if not entry.test:
            self._budget.release(entry.receipt.amount_fen)
        work.addCallbacks(
            lambda _: self._drop(entry, refuse("SIG_TIMEOUT")),
            lambda failure: self._failed(entry, failure),
        )

    def _give_back(self, entry: Inflight) -> None:
        if entry.reserved:
            self._budget.release(entry.amount_fen)
            entry.reserved = False

    # deadlines
    def _arm(self) -> None:
        if self._sweep is None and self._deadline_s > 0:
            self._sweep = self._reactor.callLater(self._deadline_s / 8, self._expire)

    def _expire(self) -> None:
        self._sweep = None
        limit = self._clock.mono() - self._deadline_s
        for entry in self._table.older_than(limit):
            waits = entry.phase in (Phase.SIGNING, Phase.UNSIGNED)
            if entry.queued:
                if waits and self._closing is not None:  # its frozen row is signed at the start
                    self._drop(entry, refuse("STOPPING"))
            elif waits:
                self._burn(entry)
            elif entry.phase is Phase.FREEZING:
                entry.abandoned = True
        if len(self._table):
            self._arm()

    # ends
    def _finish(self, entry: Inflight, receipt: Receipt, *, repeated: bool) -> None:
        self._leave(entry)
        for waiter, joined in entry.waiters:
            waiter.callback((receipt, repeated or joined))
        self._settle()

    def _drop(self, entry: Inflight, refused: Refused) -> None:
        self._leave(entry)
        self.refused += 1
        for waiter, _ in entry.waiters:
            waiter.errback(refused)
        self._settle()

    def _leave(self, entry: Inflight) -> None:
        self._table.remove(entry)
        entry.phase = Phase.ENDED
        if entry.adopted:
            self._recovering -= 1
            if self._recover_more and self._recovering == 0:
                self._reactor.callLater(0, self.recover)

    def _settle(self) -> None:
        if self._closing is not None and not self._closing.called and not len(self._table):
            if self._sweep is not None:
                self._sweep.cancel()
                self._sweep = None
            self._closing.callback(None)

    # recovery and evidence
    def _adopt(self, receipt: Receipt) -> None:
        row = self._store.read(receipts.event_by_id_q, receipt.event_id)
        assert row is not None, receipt.ref
        entry = self._table.adopt(receipt, row.digest, self._clock.mono(), self._draw.wish(row))
        original = self._store.read(receipts.original_q, receipt.id)
        self._sign(entry, receipt, original)

    def _note_double(self, receipt: Receipt, other: str) -> None:
        def note_txn(tx: Any) -> None:
            tx.journal("event.suspected_double", receipt.ref, {"key": receipt.key, "other": other})

        work = cast("Deferred[None]", self._store.do("double", note_txn))
        work.addErrback(lambda failure: self._log.error("issue.note", why=str(failure.value)))
