"""`batch.submit` and `batch.get`: up to 200 events at once, durable, issued by themselves.

Two rules: a batch is taken whole in one transaction, with every event either waiting in the
queue or refused by its index; the same key with the same content is the same batch. Drafting
goes in slices, so that a big batch never holds the reactor. Nothing waits for a signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.task import deferLater

from fep.crypto import sm3
from fep.domain.calendar import iso
from fep.domain.faults import Refused, fault, refuse
from fep.services import schemas_api as shapes
from fep.services.callers import Caller
from fep.services.drafting import Draw
from fep.services.issue import Issue
from fep.services.methods import Method
from fep.services.queue import Queue
from fep.services.telling import Telling
from fep.services.web_token import UrlOf, no_url
from fep.store import batches
from fep.store.batches import Bad, BatchRow, Hand, ItemRow, Taken
from fep.store.issuing import Draft
from fep.store.writer import Store
from fep.wire.fields import Fields

EVENTS_MAX = 200
SLICE = 4
UNDER_WAY_MAX = 4
LISTED_MAX = 200

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Batches:
    """Takes batches and tells what became of them."""

    def __init__(self, reactor: Any, store: Store, issue: Issue, queue: Queue, draw: Draw,
                 url_of: UrlOf = no_url) -> None:  # fmt: skip
        self._reactor = reactor
        self._store = store
        self._issue = issue
        self._queue = queue
        self._draw = draw
        self._telling = Telling(store, url_of)
        self._under_way = 0

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "batch.submit": Method(
                "issue", self.submit, "queue up to 200 events under one key",
                shapes.BatchAsked, shapes.BatchTaken,
            ),
            "batch.get": Method(
                "query", self.get, "progress of a batch, and each event's result",
                shapes.BatchGetAsked, shapes.BatchGot,
            ),
        }  # fmt: skip

    async def submit(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`batch.submit {key, events}`: answers when the batch is durable."""
        fields = Fields(params)
        key = fields.text("key", 50, required=True)
        events = fields.take("events", list, [])
        fields.done()
        if not 0 < len(events) <= EVENTS_MAX:
            raise refuse("BATCH_SIZE", count=len(events), limit=EVENTS_MAX)
        if self._under_way >= UNDER_WAY_MAX or self._issue.stopping:
            raise refuse("BUSY")
        self._under_way += 1
        try:
            items, digest = await self._drawn(caller, events)
            taken = await self.take(Hand(caller.appid, key, digest, items))
        finally:
            self._under_way -= 1
        return {**self._progress(caller.appid, key), "repeated": taken.repeated}

    # from submit and from doors that have a batch of their own
    async def take(self, hand: Hand) -> Taken:
        """Store a batch and have its events issued. Raises Refused BATCH_CONFLICT."""
        for item in hand.items:
            if isinstance(item, Draft):
                self._issue.keep(item)
        taken = await self._store.do("batch", batches.take_txn, hand)
        self._queue.taken(taken.queued)
        return taken

    async def _drawn(
        self, caller: Caller, events: Sequence[Any]
    ) -> tuple[tuple[Draft | Bad, ...], bytes]:
        """Return the items of a batch and the digest of their content."""
        items: list[Draft | Bad] = []
        marks: list[bytes] = []
        for position, params in enumerate(events):
            if position % SLICE == SLICE - 1:
                await deferLater(self._reactor, 0)
            item, mark = self._item(caller, params)
            items.append(item)
            marks.append(mark)
        return tuple(items), sm3.digest(b"\n".join(marks))

    def _item(self, caller: Caller, params: Any) -> tuple[Draft | Bad, bytes]:
        """Return one item, and what makes its content the same when it comes again."""
        try:
            event = self._draw.event(params)
        except Refused as refused:
            return Bad(_text(params, "unit", 40), _text(params, "key", 64), refused), _canonical(
                params
            )
        mark = f"{event.unit}|{event.key}|".encode() + sm3.digest(event.content()).hex().encode()
        try:
            caller.scope(event.unit, event.point, event.total_fen)
            return self._draw.draft(event, params, caller.appid), mark
        except Refused as refused:
            return Bad(event.unit, event.key, refused), mark

    def get(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`batch.get {key, from?, limit?}`: progress, then results by index, in pages."""
        fields = Fields(params)
        key = fields.text("key", 50, required=True)
        first = max(fields.take("from", int, 0), 0)
        limit = min(max(fields.take("limit", int, 50), 1), LISTED_MAX)
        fields.done()
        told = self._progress(caller.appid, key)
        row = self._row(caller.appid, key)
        items = self._store.read(batches.items_q, row.id, first, limit)
        end = first + len(items)
        return {
            **told,
            "results": self._results(items),
            "next": end if items and end < row.count else None,
        }

    def _row(self, appid: str, key: str) -> BatchRow:
        row = self._store.read(batches.batch_q, appid, key)
        if row is None:
            raise refuse("BATCH_UNKNOWN", key=key)
        return row

    def _progress(self, appid: str, key: str) -> dict[str, Any]:
        row = self._row(appid, key)
        return {
            "batch": {
                "key": row.key, "at": iso(row.at), "count": row.count, "issued": row.issued,
                "queued": row.queued, "refused": row.refused, "done": row.queued == 0,
            }
        }  # fmt: skip

    def _results(self, items: Sequence[ItemRow]) -> list[dict[str, Any]]:
        found = [item.receipt for item in items if item.receipt is not None]
        told = dict(zip([one.id for one in found], self._telling.all(found), strict=True))
        return [
            {
                "index": item.position, "unit": item.unit, "key": item.key, "state": item.state,
                "receipt": told[item.receipt.id] if item.receipt is not None else None,
                "error": _error(item) if item.state == "refused" else None,
            }
            for item in items
        ]  # fmt: skip


def _error(item: ItemRow) -> dict[str, Any]:
    """Return why an event was refused; one that was queued first has only the code."""
    said = msgspec.json.decode(item.why) if item.why else {}
    known = fault(item.fault) if item.fault else fault("INTERNAL")
    return {
        "fault": item.fault, "zh": said.get("zh", known.zh), "en": said.get("en", known.en),
        "retryable": known.retryable,
    }  # fmt: skip


def _text(params: Any, name: str, limit: int) -> str:
    value = params.get(name) if isinstance(params, dict) else None
    return value[:limit] if isinstance(value, str) else ""
