"""A comparison where the platform has no lists: receipts are asked for one by one.

A question names receipts, the answer only those that are not as named, by their place in the
question: so that it fits into the detail of an acknowledgement. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fep.domain.money import Fen
from fep.domain.platform import Reply, Verdict
from fep.domain.reconcile import Line

CHUNK = 50  # receipts a question: the longest answer stays under 1000 characters
_AMOUNT = re.compile(r"amount_fen: (-?\d{1,15}),")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One receipt to be asked for."""

    code: str
    number: str
    check_code: str
    fen: Fen


@dataclass(frozen=True, slots=True)
class Findings:
    """Which receipts of a question are not as named; `differs` has the amount there, 0 unknown."""

    absent: frozenset[int]
    differs: dict[int, Fen]
    doubt: frozenset[int]

    def text(self) -> str:
        """Return the answer's text."""
        return json.dumps(
            {"a": sorted(self.absent), "d": sorted(map(list, self.differs.items())),
             "x": sorted(self.doubt)}, separators=(",", ":"),
        )  # fmt: skip


def rows_of(lines: Sequence[Line]) -> list[list[object]]:
    """Return the rows of a question."""
    return [[line.code, line.number, line.check_code, line.fen] for line in lines]


def wanted_of(text: bytes) -> list[Wanted]:
    """Return the receipts of a question. Raises ValueError."""
    rows = json.loads(text)
    if not isinstance(rows, list) or not 0 < len(rows) <= CHUNK:
        raise ValueError("receipts")
    found = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 4 or type(row[3]) is not int:
            raise ValueError("receipts")
        found.append(Wanted(str(row[0]), str(row[1]), str(row[2]), row[3]))
    return found


def findings(replies: Sequence[Reply]) -> Findings:
    """Return what the platform's answers to each receipt come to."""
    absent, differs, doubt = set(), {}, set()
    for place, reply in enumerate(replies):
        if reply.verdict is Verdict.ABSENT:
            absent.add(place)
        elif reply.verdict is Verdict.CONFLICT:
            amount = _AMOUNT.search(reply.detail)
            differs[place] = int(amount.group(1)) if amount else 0
        elif reply.verdict is not Verdict.DUP:
            doubt.add(place)
    return Findings(frozenset(absent), differs, frozenset(doubt))


def findings_of(text: str) -> Findings:
    """Return an answer as told. Raises ValueError."""
    try:
        told = json.loads(text)
        differs = {int(place): int(fen) for place, fen in told["d"]}
        return Findings(frozenset(told["a"]), differs, frozenset(told["x"]))
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


def there(asked: Sequence[Line], told: Findings) -> list[Line]:
    """Return what the platform holds of the receipts asked for; their states it cannot tell."""
    return [
        replace(line, fen=told.differs.get(place, line.fen), delivery="applied")
        for place, line in enumerate(asked)
        if place not in told.absent
    ]
