"""The durable queue: events that issue themselves when the cause goes.

`event.submit` ends here. Rows are the queue; memory only holds who is under way. The queue
is walked in rounds, oldest first. What is refused stays where it is and does not stand in
the way of others: a kind of a unit that has no numbers or no signer is passed over for the
rest of the round, a cause that concerns everybody ends it. The next round comes after a
growing pause, or at once when somebody says that things have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from fep.domain.faults import Refused
from fep.domain.receipt import Receipt
from fep.services.drafting import Draw
from fep.services.issue import Issue
from fep.store import issuing, receipts
from fep.store.writer import Store

WINDOW = 32
PAUSE_S = (1.0, 2.0, 5.0, 15.0, 30.0)
# Causes of one kind of one unit; other refusals that may pass concern every event.
LOCAL = ("NUM_NONE", "SIG_DOWN", "SIG_FAIL", "SIG_KEY", "SIG_TIMEOUT", "SIG_REMOVED",
         "SIG_PIN_WRONG", "SIG_PIN_LOCKED", "SIG_LOGIN", "SIG_CERT_EXPIRED")  # fmt: skip
GLOBAL = ("FENCED", "STORE_DEAD")


class Queue:
    """Feeds queued events to issue, oldest first, a bounded window at a time."""

    def __init__(self, reactor: Any, store: Store, issue: Issue, draw: Draw, log: Any) -> None:
        self._reactor = reactor
        self._store = store
        self._issue = issue
        self._draw = draw
        self._log = log
        self._after = 0
        self._under_way: set[int] = set()
        self._stuck: set[tuple[str, str]] = set()  # (unit, kind) not tried again in this round
        self._halted = False  # nothing is tried again in this round
        self._left = False  # the round has left events behind
        self._misses = 0
        self._soon: Any = None
        self._pause: Any = None
        self._stopped = False
        self.last_refusal = ""

    # from doors
    def submit(self, draft: issuing.Draft) -> Deferred[tuple[int, str]]:
        """Queue an event durably; fires with (event id, state) after the commit."""
        # A call under way with this key is answered "issued": it may not be burned after that.
        self._issue.keep(draft)
        done = self._store.do("submit", issuing.submit_txn, draft)
        done.addCallback(self._submitted)
        return done

    # from batches
    def taken(self, event_ids: Sequence[int]) -> None:
        """Take up events that another transaction has queued."""
        if event_ids:
            self._after = min(self._after, min(event_ids) - 1)
            self._plan()

    # from node, link and numbers: something has changed
    def wake(self) -> None:
        """Begin a round without waiting for the pause to end."""
        self._misses = 0
        self._begin()

    def stop(self) -> None:
        """Take no further events up; rows keep them."""
        self._stopped = True
        for timer in (self._soon, self._pause):
            if timer is not None:
                timer.cancel()
        self._soon = self._pause = None

    # the rounds
    def _submitted(self, answer: tuple[int, str]) -> tuple[int, str]:
        event_id, state = answer
        if state == "queued":
            # One that was refused before comes back under its old id.
            self._after = min(self._after, event_id - 1)
            self._plan()
        return answer

    def _begin(self) -> None:
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self._pause = None
        self._after = 0
        self._stuck.clear()
        self._halted = self._left = False
        self._plan()

    def _plan(self) -> None:
        if self._soon is None and not self._stopped:
            self._soon = self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._soon = None
        room = 0 if self._halted else WINDOW - len(self._under_way)
        rows = self._store.read(receipts.queued_q, self._after, room) if room else []
        for row in rows:
            self._after = row.id
            if row.id not in self._under_way:
                self._take(row)
        if rows:
            self._plan()
        elif not self._under_way:
            self._rest()

    def _rest(self) -> None:
        """The round is over: begin another one later if it has left anything behind."""
        if not self._left:
            self._misses = 0
            self.last_refusal = ""
        elif self._pause is None and not self._stopped:
            pause_s = PAUSE_S[min(self._misses, len(PAUSE_S) - 1)]
            self._misses += 1
            self._pause = self._reactor.callLater(pause_s, self._begin)

    def _take(self, row: receipts.EventRow) -> None:
        try:
            params = msgspec.json.decode(row.params)
            draft = self._draw.draft(self._draw.event(params), params, row.caller)
        except Exception as error:  # configuration has changed since it was accepted
            self._missed(row.id, ("", ""), error)
            return
        kind = (draft.unit, draft.kind)
        if kind in self._stuck:
            self._left = True
            return
        self._under_way.add(row.id)
        done = self._issue.issue(draft, queued=True)
        done.addCallbacks(
            lambda answer: self._issued(row.id, answer[0]),
            lambda failure: self._missed(row.id, kind, failure.value),
        )

    def _issued(self, event_id: int, _receipt: Receipt) -> None:
        self._under_way.discard(event_id)
        self._misses = 0
        self._plan()

    def _missed(self, event_id: int, kind: tuple[str, str], error: BaseException) -> None:
        self._under_way.discard(event_id)
        self._left = True
        code = error.code if isinstance(error, Refused) else type(error).__name__
        if code in LOCAL:
            self._stuck.add(kind)
        elif code in GLOBAL or (isinstance(error, Refused) and error.fault.retryable):
            self._halted = True
        if code != self.last_refusal:
            self._log.warning("queue.waiting", event_id=event_id, why=code)
        self.last_refusal = code
        self._plan()
