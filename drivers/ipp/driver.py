"""The job recipe for page printers by IPP, and the outcome rule.

Rules: nothing is sent before the printer said it takes jobs; only job-state completed proves
`printed`; an answer that never came is looked for by the job's name, which is unique to the
attempt, before anything is said, and is at best uncertain, since a printer completes a document
that was cut off as well; a job that ended badly is `not_printed` only where the
printer itself says that no impression was made. Never raises for a device fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.task import deferLater

from drivers.ipp import codec, reasons
from drivers.ipp.codec import JobState, Op
from drivers.ipp.http import NoAnswer, NotSent, Post
from drivers.ipp.profile import Profile
from fep.domain.printing import Outcome, Page, Paper, PrintResult
from fep.ports import Clock

USER = "fep"
PDF = "application/pdf"
LOOKS = 3  # how often a job without an answer is looked for
_WANTED = ("job-id", "job-name", "job-state", "job-state-reasons", "job-impressions-completed")
_ASKED = (
    "printer-state", "printer-state-reasons", "printer-is-accepting-jobs",
    "document-format-supported", "printer-make-and-model",
)  # fmt: skip
_STOPPED = 5
_ENDED = (JobState.CANCELED, JobState.ABORTED, JobState.COMPLETED)


@dataclass(frozen=True, slots=True)
class Options:
    """Where the printer is. `queue` is the path of its URI, `quirks` what differs from its
    profile."""

    host: str
    port: int = 631
    queue: str = "ipp/print"
    tls: bool = False
    connect_timeout_s: float = 3.0
    expect_model: str = ""
    quirks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """Return the printer's own name."""
        return f"{'ipps' if self.tls else 'ipp'}://{self.host}:{self.port}/{self.queue}"

    @property
    def url(self) -> str:
        """Return where requests are posted."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/{self.queue}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the printer says of itself; empty where it says nothing."""

    maker: str
    model: str
    serial: str
    proof: str


@dataclass(frozen=True, slots=True)
class _Job:
    """What the printer says of a job."""

    id: int
    state: int
    impressions: int | None
    reasons: tuple[str, ...]


class IppPrinter:
    """One printer. Its methods are called one at a time, by one loop."""

    takes = "page"

    def __init__(self, reactor: Any, clock: Clock, options: Options, profile: Profile) -> None:
        self._reactor = reactor
        self._clock = clock
        self._options = options
        self._profile = profile
        self._post = Post(reactor, options.url, options.connect_timeout_s)
        self._request_id = 0
        self._closed = False

    # from the spool
    async def print(self, paper: Paper, fence_id: str) -> PrintResult:
        """Print one page; the outcome follows facts/devices 2.2."""
        self._closed = False
        if not isinstance(paper, Page):
            return PrintResult(Outcome.NOT_PRINTED, "DEV_CONFIG", "this printer takes pages")
        faults = reasons_that_stop(await self.status())
        if faults:
            return PrintResult(Outcome.NOT_PRINTED, faults[0], " ".join(faults))
        name = f"{paper.name} {fence_id}"
        try:
            said = await self._ask(Op.PRINT_JOB, self._document(name), self._wish(), paper.pdf)
        except NotSent as error:
            return PrintResult(Outcome.NOT_PRINTED, "DEV_UNREACHABLE", str(error))
        except NoAnswer as error:
            return await self._look_for(name, str(error))
        if not said.good:
            return PrintResult(Outcome.NOT_PRINTED, "PRN_REFUSED", f"IPP 0x{said.status:04x}")
        job_id = codec.number(said.first(codec.JOB), "job-id")
        if job_id is None:
            return await self._look_for(name, "no job-id")
        return await self._follow(job_id)

    async def status(self) -> tuple[str, ...]:
        """Return the fault codes that hold now, warnings included; empty when ready."""
        return await self._faults()

    async def _faults(self, *, reports: bool = False) -> tuple[str, ...]:
        try:
            said = await self._ask(Op.GET_PRINTER, [_keywords("requested-attributes", _ASKED)])
        except NotSent:
            return ("DEV_UNREACHABLE",)
        except NoAnswer:
            return ("DEV_TIMEOUT",)
        if not said.good:
            return ("DEV_PROTOCOL",)
        told = said.first(codec.PRINTER)
        expected = self._options.expect_model
        if expected and expected != codec.text(told, "printer-make-and-model"):
            return ("DEV_IDENTITY",)
        formats = codec.texts(told, "document-format-supported")
        if formats and PDF not in formats:
            return ("DEV_CONFIG",)
        found = reasons.faults(codec.texts(told, "printer-state-reasons"), reports=reports)
        if codec.number(told, "printer-is-accepting-jobs") == 0:
            found = (*found, "PRN_PAUSED")
        if codec.number(told, "printer-state") == _STOPPED and not reasons_that_stop(found):
            found = ("PRN_ERROR", *found)
        return found

    async def identify(self) -> Identity:
        """Return what the printer says of itself; it has no serial number. Never raises."""
        try:
            said = await self._ask(Op.GET_PRINTER, [_keywords("requested-attributes", _ASKED)])
        except (NotSent, NoAnswer):
            return Identity("", "", "", "")
        model = codec.text(said.first(codec.PRINTER), "printer-make-and-model") or ""
        return Identity("", model, "", "ipp_job")

    def expect(self, model: str, _serial: str) -> None:
        """Refuse any other model from now on; what the settings expect stands above it."""
        self._options = replace(self._options, expect_model=self._options.expect_model or model)

    def distrust(self) -> None:
        """Nothing to do: a print server keeps no half jobs of ours."""

    def close(self) -> None:
        """End; a job under way is left to the printer and stays uncertain."""
        self._closed = True

    # requests
    async def _ask(
        self, op: Op, operation: list[codec.Attribute], job: list[codec.Attribute] | None = None,
        body: bytes = b"",
    ) -> codec.Answer:  # fmt: skip
        self._request_id = self._request_id % 0x7FFFFFFF + 1
        user: codec.Attribute = (codec.NAME, "requesting-user-name", (USER,))
        request = codec.request(
            op, self._request_id, self._options.uri, [user, *operation], job or [], body
        )
        return await self._post(request, self._profile.answer_s)

    def _document(self, name: str) -> list[codec.Attribute]:
        return [(codec.NAME, "job-name", (name,)), (codec.MIME, "document-format", (PDF,))]

    def _wish(self) -> list[codec.Attribute]:
        return [
            (codec.INTEGER, "copies", (1,)),
            (codec.KEYWORD, "media", (self._profile.media,)),
            (codec.KEYWORD, "print-scaling", ("none",)),
        ]

    async def _job(self, job_id: int) -> _Job | None:
        """Return what the printer says of a job, None when it says nothing."""
        wanted = [(codec.INTEGER, "job-id", (job_id,)), _keywords("requested-attributes", _WANTED)]
        try:
            said = await self._ask(Op.GET_JOB, wanted)
        except (NotSent, NoAnswer):
            return None
        return _told(said.first(codec.JOB)) if said.good else None

    async def _named(self, name: str) -> _Job | None:
        """Return the job that bears a name, looked for among open and ended ones."""
        for which in ("not-completed", "completed"):
            wanted: list[codec.Attribute] = [
                (codec.KEYWORD, "which-jobs", (which,)),
                (codec.INTEGER, "limit", (100,)),
                _keywords("requested-attributes", _WANTED),
            ]
            try:
                said = await self._ask(Op.GET_JOBS, wanted)
            except (NotSent, NoAnswer):
                continue
            for group in said.all(codec.JOB):
                if codec.text(group, "job-name") == name:
                    return _told(group)
        return None

    # what became of it
    async def _look_for(self, name: str, why: str) -> PrintResult:
        """The answer to Print-Job did not come: the job may be there all the same."""
        for _ in range(LOOKS):
            await deferLater(self._reactor, self._profile.poll_s)
            job = await self._named(name)
            if job is not None:
                return _half_heard(await self._follow(job.id), why)
        return PrintResult(Outcome.UNCERTAIN, "DEV_TIMEOUT", why)

    async def _follow(self, job_id: int) -> PrintResult:
        """Wait for the end of a job; one that waits for paper too long is taken back."""
        until = self._clock.mono() + self._profile.job_s
        last: _Job | None = None
        while self._clock.mono() < until and not self._closed:
            job = await self._job(job_id)
            if job is not None:
                last = job
                if job.state in _ENDED:
                    return await self._ended(job)
            await deferLater(self._reactor, self._profile.poll_s)
        if last is None:
            return PrintResult(Outcome.UNCERTAIN, "DEV_LOST", "no word of the job")
        try:
            await self._ask(Op.CANCEL_JOB, [(codec.INTEGER, "job-id", (job_id,))])
        except (NotSent, NoAnswer):
            return PrintResult(Outcome.UNCERTAIN, "DEV_LOST", "waiting, not taken back")
        job = await self._job(job_id)
        if job is not None and job.state in _ENDED:
            return await self._ended(job)
        return PrintResult(Outcome.UNCERTAIN, "DEV_TIMEOUT", f"job-state {last.state}")

    async def _ended(self, job: _Job) -> PrintResult:
        if job.state == JobState.COMPLETED:
            return PrintResult(Outcome.PRINTED, "", "ipp_job")
        found = reasons_that_stop(await self._faults(reports=True))
        fault = found[0] if found else "PRN_ABORTED"
        detail = f"job-state {job.state} {' '.join(job.reasons)}"[:200]
        clean = job.impressions == 0
        return PrintResult(Outcome.NOT_PRINTED if clean else Outcome.UNCERTAIN, fault, detail)


def _half_heard(result: PrintResult, why: str) -> PrintResult:
    """A request cut off in its document is printed as far as it came by many a printer."""
    if result.outcome is not Outcome.PRINTED:
        return result
    return PrintResult(Outcome.UNCERTAIN, "DEV_LOST", f"found by its name, perhaps torn: {why}")


def reasons_that_stop(faults: tuple[str, ...]) -> tuple[str, ...]:
    """Return the faults that are more than a warning."""
    return tuple(fault for fault in faults if fault not in reasons.WARNINGS)


def _keywords(name: str, values: tuple[str, ...]) -> codec.Attribute:
    return codec.KEYWORD, name, values


def _told(group: codec.Group) -> _Job | None:
    job_id, state = codec.number(group, "job-id"), codec.number(group, "job-state")
    if job_id is None or state is None:
        return None
    impressions = codec.number(group, "job-impressions-completed")
    return _Job(job_id, state, impressions, codec.texts(group, "job-state-reasons"))
