"""The durable queue: events that issue themselves when the cause goes.

`event.submit` ends here. Rows are the queue; memory only holds who is under way. A refusal
that may pass (no numbers, signer away, budget) is tried again with a growing pause, and at
once when somebody says that things have changed.
"""

from __future__ import annotations

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
        self._misses = 0
        self._timer: Any = None
        self._stopped = False
        self.last_refusal = ""

    # from doors
    def submit(self, draft: issuing.Draft) -> Deferred[tuple[int, str]]:
        """Queue an event durably; fires with (event id, state) after the commit."""
        done = self._store.do("submit", issuing.submit_txn, draft)
        done.addCallback(self._submitted)
        return done

    # from node, link and numbers: something has changed
    def wake(self) -> None:
        """Look at the queue from its start, without waiting for the pause to end."""
        self._after = 0
        self._misses = 0
        self._plan(0.0)

    def stop(self) -> None:
        """Take no further events up; rows keep them."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # the loop
    def _submitted(self, answer: tuple[int, str]) -> tuple[int, str]:
        if self._misses == 0:
            self._plan(0.0)
        return answer

    def _plan(self, after_s: float) -> None:
        if self._stopped:
            return
        if self._timer is not None:
            if self._timer.getTime() - self._reactor.seconds() <= after_s:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(after_s, self._turn)

    def _turn(self) -> None:
        self._timer = None
        room = WINDOW - len(self._under_way)
        if room <= 0:
            return
        rows = self._store.read(receipts.queued_q, self._after, room)
        for row in rows:
            self._after = row.id
            if row.id not in self._under_way:
                self._take(row)

    def _take(self, row: receipts.EventRow) -> None:
        self._under_way.add(row.id)
        try:
            params = msgspec.json.decode(row.params)
            draft = self._draw.draft(self._draw.event(params), params, row.caller)
        except Refused as refused:  # configuration has changed since it was accepted
            self._missed(row.id, refused)
            return
        done = self._issue.issue(draft, queued=True)
        done.addCallbacks(
            lambda answer: self._issued(row.id, answer[0]),
            lambda failure: self._missed(row.id, failure.value),
        )

    def _issued(self, event_id: int, _receipt: Receipt) -> None:
        self._under_way.discard(event_id)
        self._misses = 0
        self.last_refusal = ""
        self._plan(0.0)

    def _missed(self, event_id: int, error: BaseException) -> None:
        self._under_way.discard(event_id)
        code = error.code if isinstance(error, Refused) else type(error).__name__
        if code != self.last_refusal:
            self._log.warning("queue.waiting", event_id=event_id, why=code)
        self.last_refusal = code
        if not self._under_way:
            self._after = 0
            self._plan(PAUSE_S[min(self._misses, len(PAUSE_S) - 1)])
            self._misses += 1
