"""The witness: what somebody outside the store remembers of the numbers that were given.

A witness is a file of lines, one a commit, on another disk than the store. The last good line
in the order of the file holds. Rules: a store that is older than its witness, or another one,
gives no number; a line that was torn by a crash is no line. Pure; the file is kept by
fep/services/witness.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

MAGIC = "fepw1"
FULL, DELTA = "F", "D"
_FIELDS = 7
_SPAN_FIELDS = 6
_CRC_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Span:
    """A block as the witness saw it last; `next` is the first number not yet given."""

    unit: str
    code: str
    first: int
    last: int
    next: int
    block: int

    @property
    def used_up(self) -> bool:
        """Say whether nothing may be given of it any more."""
        return self.next > self.last

    @property
    def key(self) -> tuple[str, str, int]:
        """Return what names it: unit, code, first number."""
        return self.unit, self.code, self.first

    def text(self) -> str:
        """Return it as one word of a line."""
        return f"{self.unit},{self.code},{self.first},{self.last},{self.next},{self.block}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. A full one tells every block, the others what has changed."""

    instance: str
    epoch: int
    seq: int  # of the newest journal record
    hash: bytes
    at_ms: int
    spans: tuple[Span, ...] = ()
    full: bool = False


def encode(line: Line) -> bytes:
    """Return the bytes of a line, its check sum and line end included."""
    words = [
        MAGIC, line.instance, str(line.epoch), str(line.seq), line.hash.hex(), str(line.at_ms),
        FULL if line.full else DELTA, *(span.text() for span in line.spans),
    ]  # fmt: skip
    text = " ".join(words).encode()
    return b"%s %08x\n" % (text, zlib.crc32(text))


def decode(raw: bytes) -> Line | None:
    """Return a line, None when it is torn or none of ours."""
    text, _, check = raw.rstrip(b"\n").rpartition(b" ")
    if len(check) != _CRC_DIGITS or b"%08x" % zlib.crc32(text) != check:
        return None
    words = text.decode().split(" ")
    if len(words) < _FIELDS or words[0] != MAGIC:
        return None
    spans = tuple(_span(word) for word in words[_FIELDS:])
    return Line(
        words[1], int(words[2]), int(words[3]), bytes.fromhex(words[4]), int(words[5]), spans,
        words[6] == FULL,
    )  # fmt: skip


def _span(word: str) -> Span:
    unit, code, *rest = word.split(",")
    assert len(rest) == _SPAN_FIELDS - 2, word
    first, last, next_, block = map(int, rest)
    return Span(unit, code, first, last, next_, block)


@dataclass(frozen=True, slots=True)
class Testimony:
    """All a witness knows: its last line, every block it saw, and how many lines were torn."""

    line: Line
    spans: Mapping[tuple[str, str, int], Span]
    torn: int = 0


def testimony(raws: Iterable[bytes]) -> Testimony | None:
    """Return what lines say, in the order of the file; None when none of them is good."""
    last: Line | None = None
    spans: dict[tuple[str, str, int], Span] = {}
    torn = 0
    for raw in raws:
        line = decode(raw)
        if line is None:
            torn += 1
            continue
        if line.full:
            spans = {}
        spans.update((span.key, span) for span in line.spans)
        last = line
    return None if last is None else Testimony(last, spans, torn)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans with used-up neighbours joined: what a full line tells stays short."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: each.key):
        before = found[-1] if found else None
        if (
            before is not None
            and (before.unit, before.code) == (span.unit, span.code)
            and before.used_up
            and span.used_up
            and before.last + 1 == span.first
        ):
            found[-1] = replace(before, last=span.last, next=span.last + 1, block=span.block)
        else:
            found.append(span)
    return tuple(found)


def unknown(span: Span, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the parts of a span that lie in none of the (first, last) ranges."""
    left: list[tuple[int, int]] = []
    at = span.first
    for first, last in sorted(ranges):
        if last < at or first > span.last:
            continue
        if first > at:
            left.append((at, first - 1))
        at = last + 1
    if at <= span.last:
        left.append((at, span.last))
    return left


class Finding(StrEnum):
    """How a store and its witness compare at a start; NEW and SOUND may issue."""

    SOUND = "sound"
    NEW = "new"  # neither store nor witness has ever known one
    MISSING = "FENCE_MISSING"
    OLDER = "FENCE_OLDER"
    DIVERGED = "FENCE_DIVERGED"
    OTHER = "FENCE_OTHER"


OPEN = (Finding.SOUND, Finding.NEW)


@dataclass(frozen=True, slots=True)
class StoreSide:
    """What the store says of itself; `instance` is empty before its first witness.

    `hash_there` is the store's chain hash at the witness's seq, None when it has none there.
    """

    instance: str
    epoch: int
    seq: int
    hash_there: bytes | None = None


def compare(store: StoreSide, witness: Testimony | None) -> Finding:
    """Return whether numbers may be given from this store (I1)."""
    if witness is None:
        return Finding.MISSING if store.instance else Finding.NEW
    line = witness.line
    if line.instance != store.instance:
        return Finding.OTHER
    if store.seq < line.seq or store.epoch < line.epoch:
        return Finding.OLDER
    if store.hash_there != line.hash:
        return Finding.DIVERGED
    return Finding.SOUND
