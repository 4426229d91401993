"""Shapes of what the socket API offers beyond one receipt: search, feed, batches, exports.

Rule: these describe what the methods read and answer; a shape is the served document's text.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.services import schemas_receipts as r
from fep.services.schemas_receipts import Asked

Day = Annotated[str, Meta(max_length=10, description="YYYY-MM-DD, +08:00")]
Some40 = Annotated[str, Meta(max_length=40)]


class FindAsked(Asked):
    """Newest first; empty members do not narrow. `cursor` is that of the page before."""

    unit: Some40 = ""
    key: r.Text50 = ""
    payer: Annotated[str, Meta(max_length=100)] = ""
    number: Annotated[str, Meta(max_length=10)] = ""
    from_: Day = msgspec.field(default="", name="from")
    to: Day = ""
    kind: Some40 = ""
    point: Some40 = ""
    life: Literal["", "sealed", "reversed", "red"] = ""
    amount_from: Annotated[str, Meta(max_length=20)] = ""
    amount_to: Annotated[str, Meta(max_length=20)] = ""
    cashier: r.Text50 = ""
    channel: Annotated[str, Meta(max_length=20)] = ""
    limit: r.Cursor = 50
    cursor: r.Cursor = 0


class Found(msgspec.Struct, kw_only=True):
    """A page of receipts; `cursor` null is the end, a page may be short before it."""

    receipts: list[r.ReceiptTold]
    cursor: int | None


class FeedAsked(Asked):
    """What happened after `since`, 0 for all there is."""

    since: r.Cursor = 0
    limit: r.Cursor = 100
    unit: Some40 = ""


class Entry(msgspec.Struct, kw_only=True):
    """One thing that happened; `seq` grows, members that do not apply are null or empty."""

    seq: int
    at: str
    type: Literal["sealed", "reversed", "exchanged", "voided", "refused"]
    unit: str
    key: str
    receipt: r.ReceiptTold | None
    blue: r.ReceiptTold | None
    sheet: str
    last_sheet: str
    reason: str


class FeedTold(msgspec.Struct, kw_only=True):
    """A page of the feed: go on at `cursor`; `more` says that there is something to read."""

    events: list[Entry]
    cursor: int
    more: bool


class BatchAsked(Asked):
    """Up to 200 events, each as `receipt.issue` takes it."""

    key: r.Key
    events: Annotated[list[r.IssueAsked], Meta(min_length=1, max_length=200)]


class Progress(msgspec.Struct, kw_only=True):
    """How far a batch is; `refused` counts events that will not be issued."""

    key: str
    at: str
    count: int
    issued: int
    queued: int
    refused: int
    done: bool


class BatchTaken(msgspec.Struct, kw_only=True):
    """The batch; `repeated` when its key was known."""

    batch: Progress
    repeated: bool


class BatchGetAsked(Asked):
    """Results by index from `from` on."""

    key: r.Key
    from_: r.Cursor = msgspec.field(default=0, name="from")
    limit: r.Cursor = 50


class Error(msgspec.Struct, kw_only=True):
    """Why an event of a batch was refused."""

    fault: str
    zh: str
    en: str
    retryable: bool


class Result(msgspec.Struct, kw_only=True):
    """What became of one event of a batch."""

    index: int
    unit: str
    key: str
    state: Literal["queued", "issued", "refused"]
    receipt: r.ReceiptTold | None
    error: Error | None


class BatchGot(msgspec.Struct, kw_only=True):
    """Progress and a page of results; `next` is the `from` of the next one."""

    batch: Progress
    results: list[Result]
    next: int | None


class ExportAsked(Asked):
    """Receipts of a period; names are masked unless `unmask` says why."""

    from_: Day = msgspec.field(name="from")
    to: Day
    unit: Some40 = ""
    unmask: Annotated[str, Meta(max_length=200)] = ""
    cursor: r.Cursor = 0


class ExportTold(msgspec.Struct, kw_only=True):
    """A slice of rows of texts; `money` are the columns that are amounts."""

    columns: list[str]
    money: list[int]
    rows: list[list[str]]
    cursor: int | None


class TotalsAsked(Asked):
    """A day, or a period; narrowed to a unit, a point, a kind."""

    from_: Day = msgspec.field(name="from")
    to: Day = ""
    unit: Some40 = ""
    point: Some40 = ""
    kind: Some40 = ""


class Sum(msgspec.Struct, kw_only=True):
    """How many, and how much; what was reversed is negative."""

    count: int
    amount: r.Yuan


class TotalsTold(msgspec.Struct, kw_only=True):
    """Receipts by their issue day, red ones by their own."""

    from_: str = msgspec.field(name="from")
    to: str
    issued: Sum
    reversed: Sum
    net: r.Yuan


class SubscribeAsked(Asked):
    """Topics to hear of; none are all of them."""

    topics: Annotated[
        list[
            Literal[
                "receipt.sealed",
                "print.done",
                "link.changed",
                "numbers.low",
                "payment.done",
                "payment.shown",
            ]
        ],
        Meta(max_length=16),
    ] = msgspec.field(default_factory=list)


class Subscribed(msgspec.Struct, kw_only=True):
    """What is subscribed; `event.list` from `cursor` on tells what was before."""

    topics: list[str]
    cursor: int
