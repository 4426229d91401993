"""A comparison where the platform has no lists: receipts are asked for one by one.

A question names receipts, the answer only those that are not as named, by their place in the
question: so that it fits into the detail of an acknowledgement. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fep.domain.money import Fen
from fep.domain.platform import Reply, Verdict
from fep.domain.reconcile import Line

CHUNK = 40  # receipts a question: the longest answer stays under 1000 characters
FLAGS = ("reversed", "written_off", "booked")  # what a platform may tell of a receipt's state
_AMOUNT = re.compile(r"amount_fen: (-?\d{1,15}),")
_DIGITS = "01?"  # no, yes, not told
_LETTERS = "abcdefghijklmnopqrstuvwxyz-"  # three such digits in one letter; - tells nothing


@dataclass(frozen=True, slots=True)
class Wanted:
    """One receipt to be asked for."""

    code: str
    number: str
    check_code: str
    fen: Fen


@dataclass(frozen=True, slots=True)
class Findings:
    """Which receipts of a question are not as named; `differs` has the amount there, 0 unknown.

    `states` has what the platform tells of each receipt's state, a letter a receipt (see
    `letter_of`); it may be shorter than the question.
    """

    absent: frozenset[int]
    differs: dict[int, Fen]
    doubt: frozenset[int]
    states: str = ""

    def text(self) -> str:
        """Return the answer's text."""
        return json.dumps(
            {"a": sorted(self.absent), "d": sorted(map(list, self.differs.items())),
             "s": self.states, "x": sorted(self.doubt)}, separators=(",", ":"),
        )  # fmt: skip


def letter_of(facts: Mapping[str, str]) -> str:
    """Return what an answer tells of a receipt's state, as one letter."""
    told = [facts.get(name, "?") for name in FLAGS]
    digits = [_DIGITS.index(text) if text in ("0", "1") else 2 for text in told]
    return _LETTERS[digits[0] * 9 + digits[1] * 3 + digits[2]]


def flags_of(letter: str) -> dict[str, bool]:
    """Return the flags a letter tells; those that were not told are left out."""
    place = _LETTERS.index(letter) if letter in _LETTERS else len(_LETTERS) - 1
    digits = (place // 9, place // 3 % 3, place % 3)
    return {name: digit == 1 for name, digit in zip(FLAGS, digits, strict=True) if digit < 2}


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
    states = "".join([letter_of(reply.facts) for reply in replies])
    for place, reply in enumerate(replies):
        if reply.verdict is Verdict.ABSENT:
            absent.add(place)
        elif reply.verdict is Verdict.CONFLICT:
            amount = _AMOUNT.search(reply.detail)
            differs[place] = int(amount.group(1)) if amount else 0
        elif reply.verdict is not Verdict.DUP:
            doubt.add(place)
    return Findings(frozenset(absent), differs, frozenset(doubt), states)


def findings_of(text: str) -> Findings:
    """Return an answer as told. Raises ValueError."""
    try:
        told = json.loads(text)
        differs = {int(place): int(fen) for place, fen in told["d"]}
        states = str(told.get("s", ""))
        return Findings(frozenset(told["a"]), differs, frozenset(told["x"]), states)
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


def there(asked: Sequence[Line], told: Findings) -> list[Line]:
    """Return what the platform holds of the receipts asked for.

    What it does not tell of their states counts as ours.
    """
    found = []
    for place, line in enumerate(asked):
        if place in told.absent:
            continue
        held = replace(line, fen=told.differs.get(place, line.fen), delivery="applied")
        flags = flags_of(told.states[place : place + 1] or _LETTERS[-1])
        found.append(
            replace(
                held, reversed=flags.get("reversed", line.reversed),
                written_off=flags.get("written_off", line.written_off),
                booked=flags.get("booked", line.booked),
            )
        )  # fmt: skip
    return found
