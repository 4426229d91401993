"""What is printed and what became of it.

A slip is a neutral document: devices turn it into bytes. An outcome is one of four, and
only `NOT_PRINTED` may be tried again without a person. A job walks the table `JOB_TABLE`;
`decide` answers with the next state and with effects that are released after the commit.
No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

# Number of the first paper of a receipt; every higher copy is a reprint (补打).
FIRST_COPY = 1
RETRY_AFTER_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
# A device that is mended prints at once; what a slip itself lacks takes a person longer.
RETRY_SLIP_AFTER_S: tuple[float, ...] = (*RETRY_AFTER_S, 60.0, 120.0, 300.0)
OF_SLIP = ("PRN_CHAR", "PRN_TEXT", "PRN_TOO", "PRN_GLYPHS", "RND_", "FRM_")
"""How the codes begin of what is wrong with a slip and not with the device."""


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
    """One line. `size` 1 is normal, 2 is double width and height; `tall` doubles height only."""

    text: str
    align: str = "left"
    bold: bool = False
    size: int = 1
    tall: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells of one line as (text, width in ASCII columns, align); widths sum to the line."""

    cells: tuple[tuple[str, int, str], ...]
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line over the whole width, drawn with `char`."""

    char: str = "-"


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


@dataclass(frozen=True, slots=True)
class Page:
    """A document for a page printer: one PDF. `name` is the receipt's, for the printer's list."""

    pdf: bytes
    name: str


@dataclass(frozen=True, slots=True)
class FormText:
    """One line of text; (x, y) is the top left corner of its first glyph on the sheet.

    `dots` is the height of its glyphs in 1/180 inch: 24 is the printer's own font, less is
    drawn. A Han glyph is as wide as it is high, ASCII half as wide.
    """

    text: str
    x_mm: float
    y_mm: float
    dots: int = 24
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A document for a form printer (套打): what is put on one preprinted sheet of a tractor.

    Sizes are those of the sheet from perforation to perforation; a form ends with its sheet.
    """

    name: str
    width_mm: float
    length_mm: float
    texts: tuple[FormText, ...]


Paper = Slip | Page | Form


class JobState(StrEnum):
    """Where a print job is. `UNCERTAIN` is left by a person's word only."""

    DUE = "due"
    STREAMING = "streaming"
    PRINTED = "printed"
    ACCEPTED = "accepted"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


JOB_WORDS: Mapping[str, str] = MappingProxyType(
    {
        JobState.DUE: "待打", JobState.STREAMING: "正在打", JobState.PRINTED: "已打印",
        JobState.ACCEPTED: "已送出", JobState.UNCERTAIN: "不确定", JobState.CANCELLED: "已取消",
    }
)  # fmt: skip


class Step(StrEnum):
    """What happens to a job, and who says so."""

    # from the spool
    BEGIN = "begin"
    RESTART = "restart"
    # from the driver
    PRINTED = "printed"
    ACCEPTED = "accepted"
    NOT_PRINTED = "not_printed"
    UNCERTAIN = "uncertain"
    # from a person
    SAY_PRINTED = "say_printed"
    REPRINT = "reprint"
    CANCEL = "cancel"


JOB_TABLE: Mapping[tuple[JobState, Step], JobState] = MappingProxyType(
    {
        (JobState.DUE, Step.BEGIN): JobState.STREAMING,
        (JobState.DUE, Step.CANCEL): JobState.CANCELLED,
        (JobState.STREAMING, Step.PRINTED): JobState.PRINTED,
        (JobState.STREAMING, Step.ACCEPTED): JobState.ACCEPTED,
        (JobState.STREAMING, Step.NOT_PRINTED): JobState.DUE,
        (JobState.STREAMING, Step.UNCERTAIN): JobState.UNCERTAIN,
        (JobState.STREAMING, Step.RESTART): JobState.UNCERTAIN,
        (JobState.UNCERTAIN, Step.SAY_PRINTED): JobState.PRINTED,
        (JobState.UNCERTAIN, Step.REPRINT): JobState.CANCELLED,
        (JobState.PRINTED, Step.REPRINT): JobState.PRINTED,
        (JobState.ACCEPTED, Step.REPRINT): JobState.ACCEPTED,
    }
)


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same job again, not earlier than after `after_s` seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Show the job as uncertain until somebody says what the paper looks like."""


@dataclass(frozen=True, slots=True)
class NewCopy:
    """Make a new job for the same receipt, marked 补打."""

    copy: int


Effect = Again | AskPerson | NewCopy


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What `decide` may look at: attempts begun so far, the copy number, and the fault."""

    attempts: int = 0
    copy: int = FIRST_COPY
    fault: str = ""


class IllegalStep(Exception):
    """The table has no row for this state and step."""

    def __init__(self, state: JobState, step: Step) -> None:
        super().__init__(f"{state} does not take {step}")
        self.state = state
        self.step = step


def decide(state: JobState, step: Step, facts: JobFacts) -> tuple[JobState, tuple[Effect, ...]]:
    """Return the next state and the effects to release after the commit.

    Raises:
        IllegalStep: The table has no such row.
    """
    after = JOB_TABLE.get((state, step))
    if after is None:
        raise IllegalStep(state, step)
    if step is Step.NOT_PRINTED:
        return after, (Again(retry_after_s(facts.attempts, facts.fault)),)
    if after is JobState.UNCERTAIN:
        return after, (AskPerson(),)
    if step is Step.REPRINT:
        return after, (NewCopy(facts.copy + 1),)
    return after, ()


def retry_after_s(attempts: int, fault: str = "") -> float:
    """Return the pause before the next attempt, in seconds."""
    pauses = RETRY_SLIP_AFTER_S if fault.startswith(OF_SLIP) else RETRY_AFTER_S
    return pauses[min(max(attempts, 1), len(pauses)) - 1]
