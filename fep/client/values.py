"""What goes in and comes out of the client. Money is text in yuan, as on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Payer:
    """交款人: `type` 1 is a person, 2 an organisation."""

    name: str
    type: str = "1"
    code: str = ""
    account: str = ""
    bank: str = ""
    tel: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the face; `amount` such as "12.30"."""

    code: str
    name: str
    amount: str
    unit: str = ""
    std: str = ""
    number: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A billing event. The same `key` with the same content always names the same receipt."""

    key: str
    unit: str
    point: str
    kind: str
    payer: Payer
    total: str
    items: tuple[Item, ...]
    channels: Mapping[str, str] = field(default_factory=dict)
    details: tuple[Mapping[str, str], ...] = ()
    cashier: str = ""
    author: str = ""
    checker: str = ""
    remark: str = ""
    occurred_at: str = ""
    ext: Mapping[str, str] = field(default_factory=dict)
    print: bool | None = None

    def params(self) -> dict[str, Any]:
        """Return the members of `receipt.issue`; empty texts are left out."""
        members: dict[str, Any] = {
            "key": self.key, "unit": self.unit, "point": self.point, "kind": self.kind,
            "payer": _filled(self.payer), "total": self.total,
            "items": [_filled(item) for item in self.items],
        }  # fmt: skip
        if self.channels:
            members["channels"] = [
                {"code": code, "amount": amount} for code, amount in self.channels.items()
            ]
        if self.details:
            members["details"] = [dict(detail) for detail in self.details]
        if self.ext:
            members["ext"] = dict(self.ext)
        if self.print is not None:
            members["print"] = self.print
        for name in ("cashier", "author", "checker", "remark", "occurred_at"):
            if value := getattr(self, name):
                members[name] = value
        return members


class Queued(Exception):
    """It cannot be issued now and waits durably; ask what became of it by its key."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} is queued")
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as the front-end tells it; `repeated` says that the key was known.

    `life` is sealed, reversing or reversed; `sheet` the paper it was exchanged for, empty when
    there is none; `url` its page where one is configured.
    """

    code: str
    number: str
    check_code: str
    einvoice_id: str
    amount: str
    issued_at: str
    state: str
    key: str
    unit: str = ""
    point: str = ""
    kind: str = ""
    payer: str = ""
    life: str = ""
    sheet: str = ""
    url: str = ""
    repeated: bool = False

    @property
    def name(self) -> str:
        """Return CODE-NUMBER."""
        return f"{self.code}-{self.number}"

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Receipt:
        """Read an answer of `receipt.issue` or `receipt.get`. Raises Queued, KeyError."""
        if answer.get("queued"):
            raise Queued(int(answer["event"]["id"]))
        return cls.told(answer["receipt"], repeated=bool(answer.get("repeated")))

    @classmethod
    def told(cls, members: Mapping[str, Any], *, repeated: bool = False) -> Receipt:
        """Read the members of a receipt. Raises KeyError for one that must be there."""
        names = [entry.name for entry in fields(cls) if entry.name != "repeated"]
        must = names[: names.index("unit")]
        found = {name: str(members[name]) for name in must}
        found |= {name: str(members.get(name) or "") for name in names if name not in must}
        return cls(**found, repeated=repeated)


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of the feed: `type` is sealed, reversed, exchanged, voided or refused.

    `seq` is the cursor to go on from; `sheet` and `last_sheet` name paper, `reason` says why.
    """

    seq: int
    at: str
    type: str
    unit: str
    key: str
    receipt: Receipt | None
    blue: Receipt | None
    sheet: str
    last_sheet: str
    reason: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Happening:
        """Read an entry."""
        receipt, blue = told["receipt"], told["blue"]
        return cls(
            int(told["seq"]), told["at"], told["type"], told["unit"], told["key"],
            Receipt.told(receipt) if receipt else None, Receipt.told(blue) if blue else None,
            told["sheet"], told["last_sheet"], told["reason"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Batch:
    """How far a batch is; `refused` counts events that will not be issued."""

    key: str
    count: int
    issued: int
    queued: int
    refused: int
    done: bool
    repeated: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Batch:
        """Read an answer of `batch.submit` or `batch.get`."""
        told = answer["batch"]
        return cls(told["key"], told["count"], told["issued"], told["queued"], told["refused"],
                   told["done"], bool(answer.get("repeated")))  # fmt: skip


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one event of a batch: `state` is issued, queued or refused."""

    index: int
    unit: str
    key: str
    state: str
    receipt: Receipt | None
    fault: str
    zh: str
    en: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> BatchResult:
        """Read one result."""
        error = told["error"] or {}
        receipt = told["receipt"]
        return cls(
            told["index"], told["unit"], told["key"], told["state"],
            Receipt.told(receipt) if receipt else None,
            error.get("fault", ""), error.get("zh", ""), error.get("en", ""),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """What was issued and reversed in a period; `reversed_amount` is negative."""

    issued: int
    issued_amount: str
    reversed: int
    reversed_amount: str
    net: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Totals:
        """Read an answer of `day.totals`."""
        issued, back = told["issued"], told["reversed"]
        return cls(issued["count"], issued["amount"], back["count"], back["amount"], told["net"])


@dataclass(frozen=True, slots=True)
class Notification:
    """What the front-end said by itself: the topic and its members."""

    topic: str
    params: Mapping[str, Any]

    @property
    def cursor(self) -> int:
        """Return where `happenings` goes on after this, 0 where that does not apply."""
        return int(self.params.get("cursor", 0))


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written: rows, and characters its encoding does not have."""

    rows: int
    lacking: tuple[tuple[str, str], ...] = ()  # (CODE-NUMBER, character)


def _filled(value: Payer | Item) -> dict[str, str]:
    members = {entry.name: str(getattr(value, entry.name)) for entry in fields(value)}
    return {name: text for name, text in members.items() if text or name in ("name", "amount")}
