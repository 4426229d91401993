"""The day of a unit as the accountant sees it: what was counted, by every way of asking.

Rules: a receipt is counted in exactly one business day, that of the close that saw it final;
what changes later (a red receipt, a late signature) is counted on the day it happens and
names the day it belongs to. Every breakdown sums to the same total: money without a channel
is counted under the empty one. A closed day is never opened again. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from fep.domain.money import Fen
from fep.domain.numbers import number_text

VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One receipt as a day counts it. A red amount is negative, and so are its parts.

    `blue` names the receipt a red one reverses, `blue_on` the date of its issue.
    """

    kind: str
    code: str
    number: str
    point: str
    amount_fen: Fen
    issued_on: str
    cashier: str = ""
    burned: bool = False
    channels: tuple[tuple[str, Fen], ...] = ()
    items: tuple[tuple[str, str, Fen], ...] = ()  # code, name, fen
    blue: str = ""
    blue_on: str = ""

    @property
    def ref(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"

    def turned(self) -> Entry:
        """Return the entry with the parts of its blue receipt turned round."""
        return replace(
            self,
            channels=tuple((code, -fen) for code, fen in self.channels),
            items=tuple((code, name, -fen) for code, name, fen in self.items),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts and fen; `red_fen` is negative, `net_fen` is what came in."""

    blue: int = 0
    blue_fen: Fen = 0
    red: int = 0
    red_fen: Fen = 0
    burned: int = 0

    @property
    def net_fen(self) -> Fen:
        """Return blue less red."""
        return self.blue_fen + self.red_fen

    def plus(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(
            self.blue + other.blue, self.blue_fen + other.blue_fen, self.red + other.red,
            self.red_fen + other.red_fen, self.burned + other.burned,
        )  # fmt: skip

    def told(self) -> dict[str, int]:
        """Return the JSON members."""
        return {**asdict(self), "net_fen": self.net_fen}


def tally_of(told: Mapping[str, Any]) -> Tally:
    """Return the tally of JSON members."""
    names = ("blue", "blue_fen", "red", "red_fen", "burned")
    return Tally(*(int(told[name]) for name in names))


# How a day is broken down, and what names a row of each breakdown.
BREAKDOWNS: Mapping[str, tuple[str, ...]] = {
    "kinds": ("kind", "code"),
    "points": ("point",),
    "cashiers": ("cashier",),
    "channels": ("channel",),
    "tills": ("cashier", "channel"),
    "items": ("kind", "item", "name"),
}


@dataclass(slots=True)
class Sum:
    """Entries, or days, added up."""

    total: Tally = Tally()
    rows: dict[str, dict[tuple[str, ...], Tally]] = field(
        default_factory=lambda: {name: defaultdict(Tally) for name in BREAKDOWNS}
    )
    numbers: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    burned: list[str] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[dict[str, Any]] = field(default_factory=list)
    used: int = 0
    void: int = 0

    def add(self, entry: Entry, day: str = "") -> None:
        """Count a receipt; `day` is the business day, empty where it does not matter."""
        late = entry.issued_on < day
        if entry.burned:
            one = Tally(burned=1)
            self.burned.append(entry.ref)
        else:
            one = _tally(entry.amount_fen)
            self.numbers[entry.code].append((int(entry.number), int(entry.number)))
        if late:
            self.late.append({"receipt": entry.ref, "issued_on": entry.issued_on,
                              "fen": 0 if entry.burned else entry.amount_fen,
                              "burned": entry.burned})  # fmt: skip
        self.total = self.total.plus(one)
        self._count("kinds", (entry.kind, entry.code), one)
        self._count("points", (entry.point,), one)
        self._count("cashiers", (entry.cashier,), one)
        if entry.burned:
            return
        if entry.blue and entry.blue_on < day:
            self.earlier.append({"receipt": entry.ref, "blue": entry.blue,
                                 "blue_on": entry.blue_on, "fen": entry.amount_fen})  # fmt: skip
        for code, fen in entry.channels or (("", entry.amount_fen),):
            part = _tally(fen, red=entry.amount_fen < 0)
            self._count("channels", (code,), part)
            self._count("tills", (entry.cashier, code), part)
        for code, name, fen in entry.items or (("", "", entry.amount_fen),):
            self._count("items", (entry.kind, code, name), _tally(fen, red=entry.amount_fen < 0))

    def merge(self, told: Mapping[str, Any]) -> None:
        """Add a day that is closed."""
        self.total = self.total.plus(tally_of(told["total"]))
        for name, members in BREAKDOWNS.items():
            for row in told[name]:
                self._count(name, tuple(row[member] for member in members), tally_of(row))
        for row in told["ranges"]:
            self.numbers[row["code"]].append((int(row["first"]), int(row["last"])))
        self.burned += told["burned"]
        self.late += told["late"]
        self.earlier += told["earlier"]
        self.used += told["sheets"]["used"]
        self.void += told["sheets"]["void"]

    def told(self) -> dict[str, Any]:
        """Return the JSON members, rows in the order of their names."""
        found: dict[str, Any] = {"total": self.total.told()}
        for name, members in BREAKDOWNS.items():
            found[name] = [
                {**dict(zip(members, key, strict=True)), **self.rows[name][key].told()}
                for key in sorted(self.rows[name])
            ]
        found["ranges"] = [
            {"code": code, "first": number_text(first), "last": number_text(last),
             "count": last - first + 1}
            for code in sorted(self.numbers)
            for first, last in ranges(self.numbers[code])
        ]  # fmt: skip
        found["burned"] = sorted(self.burned)
        found["late"] = sorted(self.late, key=_by_receipt)
        found["earlier"] = sorted(self.earlier, key=_by_receipt)
        found["sheets"] = {"used": self.used, "void": self.void}
        return found

    def _count(self, name: str, key: tuple[str, ...], one: Tally) -> None:
        self.rows[name][key] = self.rows[name][key].plus(one)


def _by_receipt(row: Mapping[str, Any]) -> str:
    return str(row["receipt"])


def _tally(fen: Fen, *, red: bool | None = None) -> Tally:
    """Return the tally of one amount; a part of a red receipt stays on the red side."""
    if fen < 0 if red is None else red:
        return Tally(red=1, red_fen=fen)
    return Tally(blue=1, blue_fen=fen)


def ranges(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans joined where one follows the other, lowest first."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def days_between(first: str, last: str) -> list[str]:
    """Return every date from `first` to `last`, both included; none when they are turned round."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(n)).isoformat() for n in range((end - begin).days + 1)]


def day_after(day: str) -> str:
    """Return the next date."""
    return (date.fromisoformat(day) + timedelta(1)).isoformat()


def day_before(day: str) -> str:
    """Return the date before."""
    return (date.fromisoformat(day) - timedelta(1)).isoformat()


def due(last_closed: str, first_seen: str, today: str) -> list[str]:
    """Return the days to close now: all that are over and not closed, oldest first.

    A unit that never issued anything has none; a quiet day between is closed too, so that
    nobody can slip one in later.
    """
    if last_closed:
        return days_between(day_after(last_closed), day_before(today))
    return days_between(first_seen, day_before(today)) if first_seen else []


def span(period: str) -> tuple[str, str]:
    """Return first and last date of YYYY, YYYY-MM or YYYY-MM-DD. Raises ValueError."""
    parts = [int(part) for part in period.split("-")]
    if len(parts) == 1:
        return date(parts[0], 1, 1).isoformat(), date(parts[0], 12, 31).isoformat()
    if len(parts) == 2:
        first = date(parts[0], parts[1], 1)
        after = (first + timedelta(31)).replace(day=1)
        return first.isoformat(), (after - timedelta(1)).isoformat()
    day = date.fromisoformat(period).isoformat()
    return day, day
