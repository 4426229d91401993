"""A printer driver at the kit's cable, its simulator behind it, and the judge of the paper.

The rule, whatever happens to cable and device: `printed` is exactly one whole sheet,
`accepted` at most one, `not_printed` none, `uncertain` at most one and never retried by
itself; every fault is in the catalogue and tells no word of the document.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.task import deferLater

from fep.domain.faults import fault
from fep.domain.printing import Columns, Outcome, Page, Paper, PrintResult, Qr, Rule, Slip, Text
from fep.testing.cable import Cable, Way

# Stands in every document; must never be seen in a fault or in a log.
PERSON = "赵某某"
PERSON_ID = "420106199001011234"
_MARK = re.compile(r"K\d{5}")
RETRY_S = 0.004
GOOD = (Outcome.PRINTED, Outcome.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A piece of paper, torn ones and the one that still hangs out included.

    `text` is all that can be read on it, `whole` whether the device finished it (cut,
    ejected), `codes` what its QR codes say.
    """

    text: str
    whole: bool
    codes: tuple[str, ...] = ()


class Simulator(Protocol):
    """The device, played by the author of the driver. It listens on TCP at `port`."""

    port: int

    def sheets(self) -> Sequence[Sheet]:
        """Return all paper since the start."""

    def paper_for(self, lines: int) -> None:
        """Let the paper end after so many more lines; the buffer is kept."""

    def load_paper(self) -> None:
        """Put a roll in; what is in the buffer goes on."""

    def cover_at_cut(self) -> None:
        """Let somebody open the cover during the next cut."""

    def close_cover(self) -> None:
        """Close it."""

    def stop(self) -> Awaitable[None]:
        """End; every socket and timer is gone then."""


class Driver(Protocol):
    """What the spool needs of a printer's driver."""

    takes: str

    def print(self, paper: Paper, fence_id: str) -> Awaitable[PrintResult]:
        """Print one document; never raises for a device fault."""

    def status(self) -> Awaitable[tuple[str, ...]]:
        """Return the fault codes that hold now."""

    def distrust(self) -> None:
        """Take the device's buffer for unfinished business of an earlier run."""

    def close(self) -> None:
        """Give the device back."""


class BarRasteriser:
    """Draws a bar where a character would be; the kit looks at bytes, not at shapes."""

    async def raster(self, text: str, height_dots: int, bold: bool) -> tuple[int, bytes]:
        """Return black dots of the right height."""
        return 12, b"\xff" * (12 * height_dots)


def head(mark: str) -> str:
    """Return the first line of the document that bears a mark."""
    return f"{mark} 首行"


def tail(mark: str) -> str:
    """Return its last line."""
    return f"{mark} 末行"


def small_slip(mark: str) -> Slip:
    """Return a short slip: its head, a person, an amount, a code, its tail."""
    return Slip(
        (
            Text(head(mark), "center", bold=True),
            Rule(),
            Text(f"{PERSON} {PERSON_ID}"),
            Columns((("诊察费", 16, "left"), ("20.00", 16, "right"))),
            Qr(f"qr-{mark}"),
            Text(tail(mark)),
        )
    )


def small_page(mark: str) -> Page:
    """Return a PDF of one empty page that bears the mark in its comments."""
    body = (
        f"%PDF-1.4\n% {head(mark)}\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 420 595]>>endobj\n"
        f"trailer<<{'/'}Root 1 0 R>>\n% {tail(mark)}\n%%EOF\n"
    )
    return Page(body.encode(), f"{PERSON}-{mark}")


@dataclass
class Bench:
    """One driver, one cable, one device, and a record of every job."""

    reactor: Any
    way: Way
    cable: Cable
    device: Simulator
    make: Callable[[], Driver]
    paper: Callable[[str], Paper]
    patience_s: float
    driver: Driver = field(init=False)
    jobs: dict[str, PrintResult] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    drivers: list[Driver] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with one driver."""
        self.driver = self.another()

    def another(self) -> Driver:
        """Return a further driver of the same device: another till, or after a restart."""
        made = self.make()
        self.drivers.append(made)
        return made

    def mark(self) -> str:
        """Return the mark of the next job."""
        return f"K{len(self.jobs):05d}"

    async def job(self, driver: Driver | None = None) -> tuple[str, PrintResult]:
        """Print a document with a new mark and judge what was said of it."""
        mark = self.mark()
        self.jobs[mark] = PrintResult(Outcome.UNCERTAIN)
        result = await (driver or self.driver).print(self.paper(mark), mark[-4:])
        self.jobs[mark] = result
        self.judge_words(result.fault, result.detail)
        said_well = result.outcome in GOOD
        if said_well != (result.fault == ""):
            self.wrong.append(f"{mark}: {result.outcome} with fault {result.fault!r}")
        return mark, result

    async def good(self, driver: Driver | None = None) -> tuple[str, PrintResult]:
        """Print until it is printed or accepted; only `not_printed` is tried again."""
        until = self.reactor.seconds() + self.patience_s
        while True:
            mark, result = await self.job(driver)
            again = result.outcome is Outcome.NOT_PRINTED and self.reactor.seconds() < until
            if not again:
                break
            await deferLater(self.reactor, RETRY_S)
        if result.outcome not in GOOD:
            self.wrong.append(f"{mark}: {result} although nothing is wrong any more")
        return mark, result

    async def proof(self, size: int) -> bytes:
        """Return what the device answers to a good job of `size` bytes, from its middle on."""
        self.cable.kept.clear()
        self.cable.keep_at = self.cable.sent + size - size // 2
        await self.good()
        self.cable.keep_at = None
        assert self.cable.kept, "the device never answers: be excused"
        return bytes(self.cable.kept)

    async def unanswered(self, size: int, instead: bytes = b"") -> PrintResult:
        """Print; the device's own answers are withheld from the middle of the job on."""
        self.cable.mute_at = self.cable.sent + size - size // 2
        self.cable.instead = instead
        _, result = await self.job()
        self.cable.mute_at = None
        assert not self.cable.instead, "the device had no answer that could be replaced"
        return result

    def judge_words(self, code: str, detail: str = "") -> None:
        """Note a fault that is not in the catalogue, or one that tells of the document."""
        if code:
            try:
                entry = fault(code)
            except KeyError:
                self.wrong.append(f"fault {code!r} is not in the catalogue")
            else:
                if not (entry.zh and entry.action_zh):
                    self.wrong.append(f"fault {code!r} says nothing to a cashier")
        if PERSON in detail or PERSON_ID in detail:
            self.wrong.append(f"the detail of {code} tells of a person")

    def bearing(self, mark: str) -> list[Sheet]:
        """Return the pieces of paper on which a job left anything."""
        return [sheet for sheet in self.device.sheets() if mark in sheet.text]

    def audit(self) -> list[str]:
        """Return everything that breaks the rule, over all jobs so far."""
        wrong = list(self.wrong)
        pieces: dict[str, list[Sheet]] = {}
        for sheet in self.device.sheets():
            marks = set(_MARK.findall(sheet.text))
            if len(marks) > 1 and sheet.whole:
                good = [mark for mark in marks if self._proved(mark)]
                wrong += [f"{mark} shares its sheet with {sorted(marks)}" for mark in good]
            for mark in marks:
                pieces.setdefault(mark, []).append(sheet)
        for mark, result in self.jobs.items():
            found = pieces.get(mark, [])
            whole = [sheet for sheet in found if _whole(sheet, mark)]
            allowed = 0 if result.outcome is Outcome.NOT_PRINTED else 1
            if len(found) > allowed:
                wrong.append(f"{mark}: {result} but {len(found)} pieces of paper")
            if result.outcome is Outcome.PRINTED and len(whole) != 1:
                wrong.append(f"{mark}: {result} but {len(whole)} whole sheets")
        return wrong

    def _proved(self, mark: str) -> bool:
        result = self.jobs.get(mark)
        return result is not None and result.outcome is Outcome.PRINTED


def _whole(sheet: Sheet, mark: str) -> bool:
    return sheet.whole and head(mark) in sheet.text and tail(mark) in sheet.text
