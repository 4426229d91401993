"""What is printed and what became of it.

A slip is a neutral document: devices turn it into bytes. An outcome is one of four, and
only `NOT_PRINTED` may be tried again without a person. No I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What is known about the paper after an attempt (facts/devices 7.4)."""

    PRINTED = "printed"
    ACCEPTED = "accepted"
    NOT_PRINTED = "not_printed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class PrintResult:
    """Outcome of one attempt; `fault` is a catalogue code or empty."""

    outcome: Outcome
    fault: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """One line. `size` 1 is normal, 2 is double width and height."""

    text: str
    align: str = "left"
    bold: bool = False
    size: int = 1


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells of one line as (text, width in ASCII columns, align); widths sum to the line."""

    cells: tuple[tuple[str, int, str], ...]
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A dashed line over the whole width."""


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code, centred."""

    content: str
    module_dots: int = 5


@dataclass(frozen=True, slots=True)
class Feed:
    """Blank lines."""

    lines: int = 1


Part = Text | Columns | Rule | Qr | Feed


@dataclass(frozen=True, slots=True)
class Slip:
    """A document for a receipt printer, cut at its end."""

    parts: tuple[Part, ...] = field(default_factory=tuple)
    cut: bool = True
