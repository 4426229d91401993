"""The life of receipts against a clerk's memory of what was done to each.

Pure: the tables of receipts, sheets, deliveries, print jobs and marks. The model keeps facts
(signed, given up, its red one, the sheet in the payer's hands), never states, and says from
the rules of the trade what must be refused and why.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from fep.domain import life, life_delivery, life_sheet, printing
from fep.domain.life import Life, LifeFacts, LifeStep, NoteBooking, Policy, Verdict
from fep.domain.life_delivery import DELIVERY_TABLE, Delivery, DeliveryStep
from fep.domain.life_marks import Booking, Mark, WriteOff, booking_after, write_off_after
from fep.domain.life_sheet import SheetState, SheetStep
from fep.domain.printing import Again, AskPerson, JobFacts, JobState, NewCopy, Step
from tests.property.stepping import Stepping, outcome

POLICIES = st.builds(Policy, st.sampled_from(Verdict), st.sampled_from(Verdict))
PICK = st.integers(0, 30)
PAPERS_MAX = 8
# What may happen to a print job, by what is known of its paper.
PRINT_STEPS = {
    "waiting": (Step.BEGIN, Step.CANCEL),
    "moving": (Step.PRINTED, Step.ACCEPTED, Step.NOT_PRINTED, Step.UNCERTAIN, Step.RESTART),
    "nobody knows": (Step.SAY_PRINTED, Step.REPRINT),
    "out": (Step.REPRINT,),
    "given up": (),
}


@dataclass(slots=True)
class Sheet:
    """One paper sheet: the product's state, and what the clerk saw."""

    name: str
    state: SheetState = SheetState.BLANK
    held_by: int | None = None
    void: bool = False


@dataclass(slots=True)
class Print:
    """One print job; `out` is what is known of the paper."""

    copy: int
    state: JobState = JobState.DUE
    out: str = "waiting"  # waiting | moving | out | nobody knows | given up
    tries: int = 0


@dataclass(slots=True)
class Paper:
    """One receipt: what the product says, then what the clerk remembers."""

    name: str
    fen: int
    state: Life = Life.FROZEN
    booking: Booking = Booking.UNKNOWN
    write_off: WriteOff = WriteOff.OPEN
    delivery: Delivery = Delivery.DUE
    signed: bool = False
    given_up: bool = False
    blue: int | None = None
    red: int | None = None
    sheet: str = ""
    in_books: bool | None = None
    written_off: bool = False
    answer: str = ""  # the platform's
    closed: bool = False
    prints: list[Print] = field(default_factory=list)


class Memory(Stepping):
    """A few receipts, their red ones, and a pad of sheets."""

    EXAMPLES = 250
    LENGTH = 160

    def __init__(self) -> None:
        super().__init__()
        self.papers: list[Paper] = [Paper("C-0", 100)]
        self.pad: list[Sheet] = [Sheet("P-0")]
        self.sign_or_give_up(0, True)
        self.print(0)

    def _paper(self, pick: int) -> Paper:
        return self.papers[pick % len(self.papers)]

    # from issue
    @precondition(lambda self: len(self.papers) < PAPERS_MAX)
    @rule(fen=st.integers(1, 500))
    def issue(self, fen: int) -> None:
        """A receipt gets its number."""
        self.papers.append(Paper(f"C-{len(self.papers)}", fen))

    @rule(pick=PICK, sign=st.sampled_from([True, True, False]))
    def sign_or_give_up(self, pick: int, sign: bool) -> None:
        """The signature comes, or the caller is told no; either only once."""
        open_ = [each for each in self.papers if not each.signed and not each.given_up]
        paper = open_[pick % len(open_)] if open_ and pick % 4 else self._paper(pick)
        step = LifeStep.SEAL if sign else LifeStep.BURN
        after = outcome(life.decide, paper.state, step, LifeFacts(paper.name))
        if paper.signed or paper.given_up:
            assert "BUG" == after
            return
        paper.signed, paper.given_up = sign, not sign
        assert (Life.SEALED if sign else Life.BURNED, ()) == after
        paper.state = after[0]
        if paper.blue is not None:
            self._red_ended(self.papers[paper.blue], sign)

    def _red_ended(self, blue: Paper, signed: bool) -> None:
        step = LifeStep.RED_SEALED if signed else LifeStep.RED_BURNED
        blue.state, effects = life.decide(blue.state, step, LifeFacts(blue.name))
        assert () == effects
        if not signed:
            blue.red = None

    # from the window
    @rule(pick=PICK, policy=POLICIES, force=st.booleans())
    def reverse(self, pick: int, policy: Policy, force: bool) -> None:
        """A red receipt is wanted."""
        live = [each for each in self.papers if not self._standing(each)]
        paper = live[pick % len(live)] if live and pick % 4 else self._paper(pick)
        expected = self._why_not_reverse(paper, policy, force)
        red = "" if paper.red is None else self.papers[paper.red].name
        facts = LifeFacts(
            paper.name, paper.blue is not None, paper.sheet, red, paper.booking, force, policy
        )
        after = outcome(life.decide, paper.state, LifeStep.REVERSE, facts)
        if expected:
            assert expected == after
            return
        verdict = policy.booked if paper.in_books else policy.unknown_booking
        forced = verdict is Verdict.FORCE and paper.in_books is not False
        assert (Life.REVERSING, (NoteBooking(paper.booking, forced),)) == after
        paper.state = after[0]
        paper.red = len(self.papers)
        self.papers.append(
            Paper(f"C-{paper.red}", -paper.fen, blue=self.papers.index(paper))
        )  # fmt: skip

    def _why_not_reverse(self, paper: Paper, policy: Policy, force: bool) -> str:
        standing = self._standing(paper)
        if standing:
            return standing
        if paper.blue is not None:
            return "LIFE_RED"
        if paper.sheet:
            return "LIFE_PAPER"
        if paper.in_books is False:
            return ""
        verdict = policy.booked if paper.in_books else policy.unknown_booking
        if verdict is Verdict.ALLOWED or (verdict is Verdict.FORCE and force):
            return ""
        return "LIFE_BOOKED" if paper.in_books else "LIFE_BOOKING"

    def _standing(self, paper: Paper, reversed_: str = "LIFE_REVERSED") -> str:
        """Return why nothing can be done to a receipt, from what was done to it."""
        if paper.given_up:
            return "LIFE_BURNED"
        if not paper.signed:
            return "LIFE_UNSIGNED"
        if paper.red is None:
            return ""
        return reversed_ if self.papers[paper.red].signed else "LIFE_REVERSING"

    # paper sheets
    @precondition(lambda self: len(self.pad) < PAPERS_MAX)
    @rule(count=st.integers(1, 3))
    def a_pad_comes(self, count: int) -> None:
        """Blank sheets."""
        for _ in range(count):
            self.pad.append(Sheet(f"P-{len(self.pad)}"))

    @rule(pick=PICK, sheet=PICK)
    def exchange(self, pick: int, sheet: int) -> None:
        """A receipt is to be put on a sheet; a second sheet voids the first."""
        paper, page = self._paper(pick), self.pad[sheet % len(self.pad)]
        reversed_ = "LIFE_REVERSED_PAPER"
        facts = LifeFacts(paper.name)
        after = outcome(life.decide, paper.state, LifeStep.EXCHANGE, facts)
        refused = self._standing(paper, reversed_)
        assert (refused or (paper.state, ())) == after
        used = outcome(life_sheet.decide, page.state, SheetStep.EXCHANGE, page.name)
        wrong = "PAPER_VOID" if page.void else "PAPER_USED" if page.held_by is not None else ""
        assert (wrong or SheetState.USED) == used
        if refused or wrong:
            return
        if paper.sheet:
            self._replace(paper)
        page.state, page.held_by, paper.sheet = used, self.papers.index(paper), page.name

    def _replace(self, paper: Paper) -> None:
        (old,) = [page for page in self.pad if page.name == paper.sheet]
        old.state = life_sheet.decide(old.state, SheetStep.REPLACE, old.name)
        assert SheetState.VOID is old.state
        old.void = True

    @rule(sheet=PICK, step=st.sampled_from([SheetStep.VOID, SheetStep.REPLACE]))
    def void(self, sheet: int, step: SheetStep) -> None:
        """A sheet is spoilt, or comes back; never twice."""
        page = self.pad[sheet % len(self.pad)]
        after = outcome(life_sheet.decide, page.state, step, page.name)
        if page.void:
            assert "PAPER_VOID" == after
        elif page.held_by is None and step is SheetStep.REPLACE:
            assert "PAPER_NOT_EXCHANGED" == after
        else:
            assert SheetState.VOID is after
            page.state, page.void = after, True
            for paper in self.papers:
                if paper.sheet == page.name:
                    paper.sheet = ""

    # from outside
    @rule(pick=PICK, said=st.sampled_from(Mark))
    def mark(self, pick: int, said: Mark) -> None:
        """The payer books it or takes it back; finance writes it off. Neither forgets."""
        paper = self._paper(pick)
        paper.booking = booking_after(paper.booking, said)
        paper.write_off = write_off_after(paper.write_off, said)
        if said is Mark.WRITTEN_OFF:
            paper.written_off = True
        elif said in (Mark.BOOKED, Mark.UNBOOKED):
            paper.in_books = said is Mark.BOOKED
        books = {None: Booking.UNKNOWN, False: Booking.NO, True: Booking.YES}[paper.in_books]
        assert books is paper.booking
        assert paper.written_off is (paper.write_off is WriteOff.DONE)

    @rule(pick=PICK, step=st.sampled_from(DeliveryStep), send=st.booleans())
    def deliver(self, pick: int, step: DeliveryStep, send: bool) -> None:
        """What the link does, what the platform says, and a person's word on a refusal."""
        paper = self._paper(pick)
        if send and not paper.answer:
            step = DeliveryStep.SEND
        elif send and paper.answer == "sent":
            step = (DeliveryStep.OK, DeliveryStep.REJECT, DeliveryStep.CONFLICT)[pick % 3]
        answer = paper.answer
        if step in (DeliveryStep.ACCEPT, DeliveryStep.RETRY):
            refused = answer in ("reject", "conflict") and not paper.closed
            after = outcome(life_delivery.decide, paper.delivery, step, paper.name)
            if not refused:
                assert "DLV_STATE" == after
            elif answer == "conflict" and step is DeliveryStep.RETRY:
                assert "DLV_CONFLICT" == after
            else:
                retried = step is DeliveryStep.RETRY
                assert (Delivery.RESENT if retried else Delivery.CLOSED) is after
                paper.delivery, paper.closed = after, True
            return
        said = DELIVERY_TABLE.get((paper.delivery, step))
        to_come = {"": ("send", "unsendable"), "sent": ("ok", "reject", "conflict")}
        assert (step.value in to_come.get(answer, ())) is (said is not None)
        if said is not None:
            words = {"send": "sent", "unsendable": "reject"}
            paper.delivery, paper.answer = said, words.get(step.value, step.value)

    # print jobs
    @rule(pick=PICK)
    def print(self, pick: int) -> None:
        """A person wants it on paper; every one after the first is a copy."""
        paper = self._paper(pick)
        after = outcome(life.decide, paper.state, LifeStep.PRINT, LifeFacts(paper.name))
        refused = self._standing(paper, "")
        assert (refused or (paper.state, ())) == after
        if not refused and not paper.prints:
            paper.prints.append(Print(printing.FIRST_COPY))

    @precondition(lambda self: any(paper.prints for paper in self.papers))
    @rule(pick=PICK, which=PICK, step=st.sampled_from(Step), sensible=st.booleans())
    def work_the_printer(self, pick: int, which: int, step: Step, sensible: bool) -> None:
        """A step of a job: the spool's, the driver's or a person's."""
        printed = [paper for paper in self.papers if paper.prints]
        paper = printed[pick % len(printed)]
        job = paper.prints[-1 - which % len(paper.prints)]
        allowed = PRINT_STEPS[job.out]
        if sensible and allowed:
            step = allowed[which % len(allowed)]
        highest = max(each.copy for each in paper.prints)
        try:
            job.state, effects = printing.decide(job.state, step, JobFacts(job.tries, highest))
        except printing.IllegalStep:
            assert step not in allowed
            return
        assert step in allowed
        self._printed(paper, job, step, effects)

    def _printed(self, paper: Paper, job: Print, step: Step,
                 effects: tuple[printing.Effect, ...]) -> None:  # fmt: skip
        """Only paper that certainly did not move is tried again without a person (I10)."""
        expected: tuple[printing.Effect, ...] = ()
        if step is Step.BEGIN:
            job.out, job.tries = "moving", job.tries + 1
        elif step is Step.NOT_PRINTED:
            job.out = "waiting"
            expected = (Again((1.0, 2.0, 5.0, 10.0, 30.0)[min(job.tries, 5) - 1]),)
        elif step in (Step.UNCERTAIN, Step.RESTART):
            job.out, expected = "nobody knows", (AskPerson(),)
        elif step is Step.REPRINT:
            job.out = "given up" if job.out == "nobody knows" else job.out
            copy = max(each.copy for each in paper.prints) + 1
            expected = (NewCopy(copy),)
            paper.prints.append(Print(copy))
        else:
            job.out = "given up" if step is Step.CANCEL else "out"
        assert expected == effects

    # what must hold
    @invariant()
    def the_books_agree(self) -> None:
        """Money, sheets and copies, from the product's states alone."""
        live = sum(p.fen for p in self.papers if p.signed)
        states = (Life.SEALED, Life.REVERSING, Life.REVERSED)
        assert live == sum(p.fen for p in self.papers if p.state in states)
        reversed_ = sum(p.fen for p in self.papers if p.state is Life.REVERSED)
        assert -reversed_ == sum(p.fen for p in self.papers if p.fen < 0 and p.signed)
        used = sorted(page.name for page in self.pad if page.state is SheetState.USED)
        assert used == sorted(p.sheet for p in self.papers if p.sheet)
        for paper in self.papers:
            copies = [job.copy for job in paper.prints]
            assert list(range(1, len(copies) + 1)) == copies
