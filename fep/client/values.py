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
class Issued:
    """A receipt as the front-end tells it; `repeated` says that the key was known."""

    code: str
    number: str
    check_code: str
    einvoice_id: str
    amount: str
    issued_at: str
    state: str
    key: str
    repeated: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Issued:
        """Read an answer of `receipt.issue` or `receipt.get`. Raises Queued, KeyError."""
        if answer.get("queued"):
            raise Queued(int(answer["event"]["id"]))
        told = answer["receipt"]
        names = [entry.name for entry in fields(cls) if entry.name != "repeated"]
        return cls(**{name: str(told[name]) for name in names},
                   repeated=bool(answer.get("repeated")))  # fmt: skip


def _filled(value: Payer | Item) -> dict[str, str]:
    members = {entry.name: str(getattr(value, entry.name)) for entry in fields(value)}
    return {name: text for name, text in members.items() if text or name in ("name", "amount")}
