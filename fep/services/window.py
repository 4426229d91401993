"""The methods of a business system: issue, submit, get. Named after the window at which
the cashier sits. Thin: checks who may, hands over, tells the answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from fep.domain.faults import refuse
from fep.domain.receipt import Receipt
from fep.ports import Clock
from fep.services.callers import Caller
from fep.services.drafting import Draw
from fep.services.imports import Imports
from fep.services.issue import Issue
from fep.services.methods import Method
from fep.services.queue import Queue
from fep.services.telling import Telling
from fep.services.web_token import UrlOf, no_url
from fep.store import receipts
from fep.store.writer import Store
from fep.wire.fields import Fields
from fep.wire.issue_params import written


class Window:
    """`receipt.*` and `event.*` of the spine."""

    def __init__(self, store: Store, issue: Issue, queue: Queue, draw: Draw, clock: Clock,
                 version: str, url_of: UrlOf = no_url) -> None:  # fmt: skip
        self._store = store
        self._issue = issue
        self._queue = queue
        self._draw = draw
        self._clock = clock
        self._version = version
        self._telling = Telling(store, url_of)
        self._imports = Imports(store)

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "receipt.issue": Method("issue", self.issue, "issue a receipt and wait for it"),
            "receipt.get": Method("query", self.get, "one receipt by code and number, or key"),
            "event.submit": Method("issue", self.submit, "queue an event durably"),
            "event.get": Method("query", self.event, "one event and what became of it"),
            "system.ping": Method("", self.ping, "time and version"),
        }

    def issue(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`receipt.issue`: answers when the receipt is signed and durable."""
        params = written(params)
        event = self._draw.event(params)
        caller.scope(event.unit, event.point, event.total_fen)
        draft = self._draw.draft(event, params, caller.appid)
        done: Deferred[Any] = self._issue.issue(draft)
        if caller.queue:
            done.addErrback(self._queue_instead, draft)
        return done.addCallback(self._issued)

    def _queue_instead(self, failure: Any, draft: Any) -> Any:
        """A caller with `queue = true` gets a durable event where others get a retry later."""
        if not getattr(failure.value, "fault", None) or not failure.value.fault.retryable:
            return failure
        return self._queue.submit(draft)

    def submit(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`event.submit`: answers when the event is durable."""
        event = self._draw.event(params)
        caller.scope(event.unit, event.point, event.total_fen)
        done = self._queue.submit(self._draw.draft(event, params, caller.appid))
        return done.addCallback(
            lambda answer: {"event": {"id": answer[0], "key": event.key, "state": answer[1]}}
        )

    def get(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`receipt.get {code, number}` or `{unit, key}`."""
        fields = Fields(params)
        code, number = fields.text("code", 8), fields.text("number", 10)
        unit, key = fields.text("unit", 40), fields.text("key", 50)
        fields.done()
        if code and number:
            found = self._store.read(receipts.by_number_q, code, number)
        elif unit and key:
            found = self._store.read(receipts.by_key_q, unit, key)
        else:
            raise refuse("REQ_FIELD_MISSING", field="code+number | unit+key")
        if found is None or not caller.sees(found.unit):
            old = self._imports.told(caller, code=code, number=number, unit=unit, key=key)
            if old is None:
                raise refuse("RCP_UNKNOWN")
            return {"receipt": old}
        return {"receipt": self._telling.one(found)}

    def _issued(self, answer: Any) -> dict[str, Any]:
        first, second = answer
        if isinstance(first, Receipt):
            return {"receipt": self._telling.answered(first, second), "repeated": second}
        return {"event": {"id": first, "state": second}, "queued": True}

    def event(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`event.get {unit, key}` or `{id}`."""
        fields = Fields(params)
        unit, key, event_id = fields.text("unit", 40), fields.text("key", 50), 0
        event_id = fields.take("id", int, 0)
        fields.done()
        if event_id:
            row = self._store.read(receipts.event_by_id_q, event_id)
        else:
            row = self._store.read(receipts.event_q, unit, key)
        if row is None or not caller.sees(row.unit):
            raise refuse("EVT_UNKNOWN")
        receipt: Receipt | None = self._store.read(receipts.by_key_q, row.unit, row.key)
        return {
            "event": {
                "id": row.id, "unit": row.unit, "key": row.key, "state": row.state,
                "reason": row.reason, "received_at": row.received_at,
            },
            "receipt": self._telling.one(receipt) if receipt else None,
        }  # fmt: skip

    def ping(self, _caller: Caller, _params: Any) -> Deferred[dict[str, Any]]:
        """`system.ping`."""
        return succeed({"version": self._version, "at": self._clock.wall().isoformat()})
