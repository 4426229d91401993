"""The typed calls of the front-end, over a connection that is renewed when it is lost.

Rules: a call that was not answered is repeated on a new connection when repeating is safe, that
is with the same key or when nothing changes; `call` itself never repeats. A refusal is never
repeated: look at `RemoteFault.code` and `retryable`.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from fep.client.connection import Connection, Unreachable
from fep.client.export import write
from fep.client.listening import Subscription
from fep.client.paying import Till
from fep.client.values import Batch, BatchResult, Event, Exported, Happening, Receipt, Totals

TIMEOUT_S = 10.0
TRIES = 4
PAUSE_S = 0.2
PAGE = 200


class Client:
    """A connected front-end. Use it as a context manager; one thread at a time."""

    def __init__(self, connect: Callable[[], Connection], *, tries: int = TRIES) -> None:
        """Connect. `tries` bounds how often one call is sent. Raises what `connect` raises."""
        self._connect = connect
        self._tries = max(tries, 1)
        self.connection = connect()

    @classmethod
    def unix(cls, path: Path, *, timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> Client:
        """Connect to the control socket. Raises Unreachable, PermissionError."""
        return cls(lambda: Connection.unix(path, timeout_s=timeout_s), tries=tries)

    @classmethod
    def tcp(
        cls,
        host: str,
        port: int,
        *,
        appid: str,
        key: bytes,
        alg: str = "hmac-sm3",
        encoding: str = "utf-8",
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        tries: int = TRIES,
    ) -> Client:
        """Connect and authenticate. Raises Unreachable, RemoteFault AUTH_*."""

        def connect() -> Connection:
            made = Connection.tcp(host, port, timeout_s=timeout_s, encoding=encoding, tls=tls)
            try:
                made.authenticate(appid, key, alg)
            except BaseException:
                made.close()
                raise
            return made

        return cls(connect, tries=tries)

    # any method
    def call(self, method: str, **params: Any) -> Any:
        """Call any method once. Raises RemoteFault, Unreachable."""
        return self.connection.call(method, **params)

    def sure(self, method: str, **params: Any) -> Any:
        """Call a method that may be repeated: one with a key, or one that changes nothing.

        Raises RemoteFault; Unreachable when every try was in vain, `sent` if any was sent.
        """
        sent = False
        for left in range(self._tries - 1, -1, -1):
            try:
                if self.connection.closed:
                    self.connection = self._connect()
                return self.connection.call(method, **params)
            except Unreachable as lost:
                sent = sent or lost.sent
                self.connection.close()
                if not left:
                    raise Unreachable(lost.why, sent=sent) from lost
                threading.Event().wait(PAUSE_S * (self._tries - left))
        raise AssertionError("the last try returns or raises")

    def ping(self) -> dict[str, Any]:
        """Ask whether the front-end lives."""
        return dict(self.sure("system.ping"))

    # receipts
    def issue(self, event: Event) -> Receipt:
        """Issue a receipt, or get the one this key already has. Raises Queued, RemoteFault."""
        return Receipt.of(self.sure("receipt.issue", **event.params()))

    def receipt(self, *, code: str, number: str) -> Receipt:
        """Return a receipt by its number."""
        return Receipt.of(self.sure("receipt.get", code=code, number=number))

    def receipt_of(self, *, unit: str, key: str) -> Receipt:
        """Return the receipt of an event key."""
        return Receipt.of(self.sure("receipt.get", unit=unit, key=key))

    def life(self, *, code: str, number: str) -> dict[str, Any]:
        """Return what became of a receipt: reversal, sheet, booking, delivery."""
        return dict(self.sure("receipt.life", code=code, number=number)["life"])

    def find(self, **filters: Any) -> Iterator[Receipt]:
        """Yield receipts, newest first, page by page. Filters are those of `receipt.find`."""
        cursor: int | None = 0
        while cursor is not None:
            page = self.sure("receipt.find", **{"limit": PAGE, **filters, "cursor": cursor})
            yield from map(Receipt.told, page["receipts"])
            cursor = page["cursor"]

    def reverse(
        self, *, unit: str, key: str, code: str, number: str, reason: str, operator: str = "",
        force: bool = False,
    ) -> Receipt:  # fmt: skip
        """Reverse a receipt as a whole; returns the red one. `key` is the reversal's own."""
        return Receipt.of(
            self.sure("receipt.reverse", unit=unit, key=key, code=code, number=number,
                      reason=reason, operator=operator, force=force)
        )  # fmt: skip

    def exchange(self, *, unit: str, point: str, code: str, number: str, sheet: str = "") -> str:
        """Exchange a receipt for a sheet, the next one unless it is named; returns its name."""
        wanted = sheet or self.next_sheet(unit=unit, point=point)
        told = self.sure("paper.exchange", unit=unit, point=point, code=code, number=number,
                         sheet=wanted)  # fmt: skip
        return str(told["sheet"])

    def next_sheet(self, *, unit: str, point: str) -> str:
        """Return the name of the sheet to load."""
        return str(self.sure("paper.next", unit=unit, point=point)["sheet"] or "")

    def totals(self, first: str, last: str = "", *, unit: str = "", point: str = "",
               kind: str = "") -> Totals:  # fmt: skip
        """Return count and sum of what was issued and reversed, by issue day."""
        return Totals.of(self.sure("day.totals", **{"from": first, "to": last, "unit": unit,
                                                    "point": point, "kind": kind}))  # fmt: skip

    # events and batches
    def submit(self, event: Event) -> dict[str, Any]:
        """Leave an event to be issued by itself; returns its id and state."""
        return dict(self.sure("event.submit", **event.params())["event"])

    def event(self, *, unit: str, key: str) -> dict[str, Any]:
        """Return what became of an event."""
        return dict(self.sure("event.get", unit=unit, key=key)["event"])

    def batch(self, key: str, events: Sequence[Event]) -> Batch:
        """Hand over at most 200 events at once; they are issued by themselves."""
        told = self.sure("batch.submit", key=key, events=[event.params() for event in events])
        return Batch.of(told)

    def batch_progress(self, key: str) -> Batch:
        """Return how far a batch is."""
        return Batch.of(self.sure("batch.get", key=key, limit=1))

    def batch_results(self, key: str) -> Iterator[BatchResult]:
        """Yield what became of each event of a batch, in its order."""
        first: int | None = 0
        while first is not None:
            page = self.sure("batch.get", **{"key": key, "from": first, "limit": PAGE})
            yield from map(BatchResult.of, page["results"])
            first = page["next"]

    # money at terminals
    @property
    def till(self) -> Till:
        """Return the payments of this front-end."""
        return Till(self.sure)

    # what happened
    def happenings(self, since: int = 0, *, unit: str = "") -> Iterator[Happening]:
        """Yield what happened after a cursor, in order, up to now; keep the last `seq`."""
        cursor, more = since, True
        while more:
            page = self.sure("event.list", since=cursor, limit=PAGE, unit=unit)
            yield from map(Happening.of, page["events"])
            cursor, more = page["cursor"], page["more"]

    def subscribe(self, *topics: str) -> Subscription:
        """Listen on a connection of its own, until it is closed. Raises Unreachable."""
        return Subscription(self._connect(), topics)

    # files
    def export(
        self, path: Path, *, first: str, last: str, unit: str = "", encoding: str = "utf-8",
        unmask: str = "",
    ) -> Exported:  # fmt: skip
        """Write the receipts of a period as CSV, UTF-8 with BOM or GBK. Raises OSError.

        Names are masked unless `unmask` gives a reason, which is journalled. A character that
        GBK does not have is written as 〓 and told in the answer.
        """
        return write(self._slices(first, last, unit, unmask), path, encoding)

    def _slices(self, first: str, last: str, unit: str, unmask: str) -> Iterator[dict[str, Any]]:
        cursor: int | None = 0
        while cursor is not None:
            page = self.sure("receipt.export", **{"from": first, "to": last, "unit": unit,
                                                  "unmask": unmask, "cursor": cursor})  # fmt: skip
            yield page
            cursor = page["cursor"]

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Client:
        """Return the client."""
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        """Close the connection."""
        self.close()
