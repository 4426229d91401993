"""Notifications on the socket: the front-end says by itself what a subscriber asked to hear.

    receipt.sealed  a receipt or a red one was issued      link.changed  the link's state
    print.done      a sheet came out, or nobody knows      numbers.low   a stock runs low
    payment.done    a payment ended, or nobody knows       payment.shown what a payer is shown

Rules: receipts come from the journal, a bounded stretch a turn, so that nothing is kept for a
reader and issuing never waits for one; each carries the cursor from which `event.list` goes on.
A reader that is behind is unsubscribed with one last line. A subscriber hears of its units only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from fep.domain.faults import refuse
from fep.domain.printing import JobState
from fep.services import schemas_api as shapes
from fep.services.callers import Caller
from fep.services.methods import Method
from fep.services.window_find import Finding
from fep.store import feed
from fep.store.printing import Job
from fep.store.receipts import by_id_q
from fep.store.writer import Store
from fep.wire import jsonrpc
from fep.wire.fields import Fields

SEALED, PRINTED, LINK, LOW = "receipt.sealed", "print.done", "link.changed", "numbers.low"
TOPICS = (SEALED, PRINTED, LINK, LOW, "payment.done", "payment.shown")
UNSUBSCRIBED = "system.unsubscribed"
SUBSCRIBERS_MAX = 64
SOON_S = 0.05  # receipts of so long are told together
SLICE = 50  # entries a turn of the reactor
LOW_EVERY_S = 60.0
_ENDED = frozenset({JobState.PRINTED, JobState.ACCEPTED, JobState.UNCERTAIN})

Lows = Callable[[], Awaitable[list[dict[str, Any]]]]
"""Returns the forecast of every stock: unit, code, days, busiest, low."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """One connection that listens."""

    caller: Caller
    topics: frozenset[str]
    cursor: int


class Notices:
    """Who listens, and up to where they have been told."""

    def __init__(self, reactor: Any, store: Store, finding: Finding, lows: Lows, log: Any) -> None:
        self._reactor = reactor
        self._store = store
        self._finding = finding
        self._lows = lows
        self._log = log
        self._subscribers: dict[Any, Subscriber] = {}  # by connection
        self._cursor = 0
        self._soon: Any = None
        self._low_timer: Any = None
        self._low: set[tuple[str, str]] = set()
        self._stopped = False
        store.after_commit.append(self._committed)

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "system.subscribe": Method(
                "query", self.subscribe, "be told of receipts, prints, the link and low stock",
                shapes.SubscribeAsked, shapes.Subscribed,
            )
        }  # fmt: skip

    # from callers
    def subscribe(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`system.subscribe {topics?}`: from now on, until the connection ends."""
        fields = Fields(params)
        wanted = fields.take("topics", list, []) or list(TOPICS)
        fields.done()
        for topic in wanted:
            if topic not in TOPICS:
                raise refuse("REQ_FIELD_VALUE", field="topics", value=str(topic)[:40],
                             allowed=" ".join(TOPICS))  # fmt: skip
        if caller.line is None:
            raise refuse("NOTIFY_DOOR")
        self._forget_gone()
        if len(self._subscribers) >= SUBSCRIBERS_MAX and caller.line not in self._subscribers:
            raise refuse("NOTIFY_FULL", limit=SUBSCRIBERS_MAX)
        head = self._store.heads.journal_seq
        if not self._subscribers:
            self._cursor = head
        one = Subscriber(caller, frozenset(wanted), head)
        self._subscribers[caller.line] = one
        if LOW in one.topics:
            self._look_at_stock()
        return {"topics": sorted(one.topics), "cursor": head}

    # from the store
    def _committed(self, _heads: Any) -> None:
        if self._subscribers and self._soon is None and not self._stopped:
            self._soon = self._reactor.callLater(SOON_S, self._look)

    # from the spool
    def ended(self, job: Job) -> None:
        """A print job has ended."""
        if job.state not in _ENDED or not self._listening(PRINTED):
            return
        receipt = self._store.read(by_id_q, job.receipt_id)
        if receipt is not None:
            told = {"job": job.id, "copy": job.copy, "state": job.state.value,
                    "device": job.device, "unit": receipt.unit, "code": receipt.code,
                    "number": receipt.number, "key": receipt.key}  # fmt: skip
            self._tell(PRINTED, receipt.unit, told)

    # from the till
    def of_till(self, topic: str, unit: str, members: Mapping[str, Any]) -> None:
        """A payment of a unit has something to tell."""
        self._tell(topic, unit, members)

    # from node
    def stop(self) -> None:
        """Say nothing more."""
        self._stopped = True
        for timer in (self._soon, self._low_timer):
            if timer is not None and timer.active():
                timer.cancel()

    # receipts and link, out of the journal
    def _look(self) -> None:
        self._soon = None
        self._forget_gone()
        if not self._subscribers or self._stopped or self._store.dead:
            return
        page = self._store.read(feed.feed_q, self._cursor, SLICE, frozenset({"*"}))
        for entry in self._finding.told(page):
            if entry["type"] in ("sealed", "reversed"):
                self._tell(SEALED, entry["unit"], {**entry, "cursor": entry["seq"]})
        for dest, told in page.links:
            self._tell(LINK, "", {"dest": dest, **told})
        self._cursor = page.cursor
        for one in self._subscribers.values():
            one.cursor = page.cursor
        if page.cursor < page.head:
            self._soon = self._reactor.callLater(0, self._look)

    # stock
    def _look_at_stock(self) -> None:
        if self._low_timer is not None and self._low_timer.active():
            self._low_timer.cancel()
        self._low_timer = None
        if self._stopped or not self._listening(LOW):
            self._low.clear()
            return
        self._low_timer = self._reactor.callLater(LOW_EVERY_S, self._look_at_stock)
        done = Deferred.fromCoroutine(self._stock())
        done.addErrback(lambda failure: self._log.error("notify.stock", why=str(failure.value)))

    async def _stock(self) -> None:
        rows = {(row["unit"], row["code"]): row for row in await self._lows() if row["low"]}
        for name in rows.keys() - self._low:
            row = rows[name]
            self._tell(LOW, row["unit"], {member: row[member] for member in
                                          ("unit", "code", "days", "busiest")})  # fmt: skip
        self._low = set(rows)

    # telling
    def _listening(self, topic: str) -> bool:
        return any(topic in one.topics for one in self._subscribers.values())

    def _tell(self, topic: str, unit: str, params: Mapping[str, Any]) -> None:
        line = b""
        for connection, one in list(self._subscribers.items()):
            if topic not in one.topics or (unit and not one.caller.sees(unit)):
                continue
            line = line or jsonrpc.notify(topic, dict(params))
            if connection.push(line):
                one.cursor = max(one.cursor, int(params.get("cursor", 0)))
            else:
                self._drop(connection, one)

    def _drop(self, connection: Any, one: Subscriber) -> None:
        del self._subscribers[connection]
        self._log.warning("notify.dropped", appid=one.caller.appid, cursor=one.cursor)
        connection.last_word(jsonrpc.notify(UNSUBSCRIBED, {"reason": "slow", "cursor": one.cursor}))

    def _forget_gone(self) -> None:
        for connection in [each for each in self._subscribers if not each.connected]:
            del self._subscribers[connection]
