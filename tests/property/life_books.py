"""The store's books against a clerk: issuing, reversal, paper, prints, quota, the year's turn.

The real transactions of fep/store on a real SQLite file, in any order, with restarts between.
The clerk knows which numbers were granted, what was done to each receipt and sheet, and the
day. At the end the audit of numbers and the harness's checkers look as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from fep.domain.calendar import local
from fep.domain.faults import Refused
from fep.domain.kind import Kind
from fep.domain.life import Policy
from fep.domain.life_marks import Mark
from fep.domain.life_red import Ask
from fep.domain.printing import Outcome, PrintResult
from fep.services.budget import unanswered_q
from fep.store import issuing, life, sheets
from fep.store import printing as prints
from fep.store.reversal import Reversing
from fep.store.sheets import Exchanged, Place, SheetGrant
from tests.harness.checkers import check_all
from tests.harness.storeroom import UNIT
from tests.property.book_stock import CODES, HOUR_MS, PICK, TURN_MS, Stock

KIND = Kind("k", "医疗门诊收费票据", "06", "{area2}0601{yy}", "{code}", ())
PLACE = Place(UNIT, "001", "province", "王芳")
FATES = st.sampled_from(["sign", "wait", "refuse"])
KEYS = st.sampled_from([f"K{n}" for n in range(5)])


@dataclass(slots=True)
class Slip:
    """What the clerk knows of one receipt."""

    key: str
    code: str
    number: int
    fen: int
    receipt: Any
    state: str = "frozen"
    blue: Slip | None = None
    red: Slip | None = None
    sheet: str = ""
    answered: bool = False
    copies: int = 0
    booked: bool | None = None


class Books(Stock):
    """One unit, one kind, one point, two years."""

    EXAMPLES = 45
    LENGTH = 60

    def __init__(self) -> None:
        super().__init__()
        self.slips: list[Slip] = []
        self.keys = 0
        self.blank: list[str] = []
        self.void: dict[str, str] = {}
        self.pads = 0
        self.a_pad_comes(2)
        self.issue(["A", "B"], fresh=False, fate="sign")

    def any(self, state: str) -> bool:
        """Say whether there is a receipt in a state."""
        return any(slip.state == state for slip in self.slips)

    # receipts
    @rule(keys=st.lists(KEYS, min_size=1, max_size=3), fresh=st.booleans(), fate=FATES)
    def issue(self, keys: list[str], fresh: bool, fate: str) -> None:
        """A group of events; known keys are answered with what they have."""
        names = [f"F{self.keys + n}" for n in range(len(keys))] if fresh else keys
        self.keys += len(keys)
        answers = self.room.freeze(
            *(self.room.draft(key, 100, code_at=_code, compose=_composer(100)) for key in names)
        )
        for key, answer in zip(names, answers, strict=True):
            live = [slip for slip in self.slips if slip.key == key and slip.state != "burned"]
            if live:
                assert f"{live[0].code}-{live[0].number:010d}" == _ref(answer)
            else:
                self._given(key, 100, None, answer)
        self._meet(fate)

    @rule(late_ms=st.sampled_from([-1, 0, HOUR_MS]), fate=FATES)
    def new_years_eve(self, late_ms: int, fate: str) -> None:
        """Somebody pays in the last millisecond of the old year, or the first of the new one."""
        self.room.wall_ms = max(self.room.wall_ms, TURN_MS + late_ms)
        self.issue(["K0"], fresh=True, fate=fate)

    def _meet(self, fate: str) -> None:
        """What is frozen is signed, waits, or is refused."""
        if fate == "sign":
            self.seal(len(self.slips))
        while fate == "refuse" and self.any("frozen"):
            self.refuse(0)

    def _given(self, key: str, fen: int, blue: Slip | None, answer: Any) -> None:
        """The next number of the year's code, or none."""
        code = self.code
        number = self.next_number(code)
        if number is None:
            assert "NUM_NONE" == _ref(answer)
            return
        assert f"{code}-{number:010d}" == _ref(answer)
        slip = Slip(key, code, number, fen, answer.receipt, blue=blue)
        self.slips.append(slip)
        if blue is not None:
            blue.red = slip

    @precondition(lambda self: self.slips)
    @rule(pick=PICK, twice=st.booleans(), fate=FATES)
    def reverse(self, pick: int, twice: bool, fate: str) -> None:
        """One wish, or two wishes in one group; only one comes true."""
        blue = self.slips[pick % len(self.slips)]
        drafts = [self._red(blue) for _ in range(1 + twice)]
        for draft, answer in zip(drafts, self.room.freeze(*drafts), strict=True):
            refused = self._standing(blue, "LIFE_REVERSED") or (
                "LIFE_RED" if blue.fen < 0 else "LIFE_PAPER" if blue.sheet
                else "LIFE_BOOKED" if blue.booked else ""
            )  # fmt: skip
            if refused:
                assert refused == _ref(answer)
            else:
                self._given(draft.key, -blue.fen, blue, answer)
        self._meet(fate)

    def _red(self, blue: Slip) -> issuing.Draft:
        self.keys += 1
        ask = Ask(UNIT, f"R{self.keys}", blue.code, f"{blue.number:010d}", "退费")
        rider = Reversing(ask, blue.receipt.id, Policy(), "his")
        compose = _composer(-blue.fen, blue)
        return self.room.draft(ask.key, -blue.fen, code_at=_code, compose=compose, rider=rider)

    def _standing(self, slip: Slip, reversed_: str) -> str:
        if slip.state != "sealed":
            return "LIFE_UNSIGNED" if slip.state == "frozen" else "LIFE_BURNED"
        if slip.red is None:
            return ""
        return reversed_ if slip.red.state == "sealed" else "LIFE_REVERSING"

    @precondition(lambda self: self.any("frozen"))
    @rule(most=st.integers(1, 4))
    def seal(self, most: int) -> None:
        """Signatures come."""
        frozen = [slip for slip in self.slips if slip.state == "frozen"][:most]
        if frozen:
            assert [None] * len(frozen) == self.room.seal(*(slip.receipt for slip in frozen))
        for slip in frozen:
            slip.state = "sealed"

    @precondition(lambda self: self.any("frozen"))
    @rule(pick=PICK)
    def refuse(self, pick: int) -> None:
        """The caller is told no: the number is burned, a blue receipt is live again."""
        frozen = [slip for slip in self.slips if slip.state == "frozen"]
        slip = frozen[pick % len(frozen)]
        assert self.room.do(issuing.refuse_txn, slip.receipt, "SIG_TIMEOUT") is None
        slip.state = "burned"
        if slip.blue is not None:
            slip.blue.red = None

    # sheets
    @rule(count=st.integers(1, 3))
    def a_pad_comes(self, count: int) -> None:
        """Blank sheets."""
        first = self.pads + 1
        self.pads += count
        texts = [f"{number:08d}" for number in range(first, self.pads + 1)]
        grant = SheetGrant(UNIT, "001", "042126", texts[0], texts[-1], "领用单 1")
        assert self.room.do(sheets.import_txn, grant) is True
        self.blank += [f"042126-{text}" for text in texts]

    @precondition(lambda self: self.slips)
    @rule(pick=PICK, again=st.booleans())
    def exchange(self, pick: int, again: bool) -> None:
        """A receipt is exchanged for the next sheet, or for another one."""
        fit = [slip for slip in self.slips if slip.sheet] if again else []
        slip = (fit or self.slips)[pick % len(fit or self.slips)]
        if again and not slip.sheet:
            expected = "PAPER_NOT_EXCHANGED"
        elif slip.sheet and not again:
            expected = "PAPER_EXCHANGED"
        else:
            expected = self._standing(slip, "LIFE_REVERSED_PAPER")
            expected = expected or ("" if self.blank else "PAPER_NONE")
        answer = self.room.do(_exchange_txn, slip, again)
        if expected:
            assert expected == answer
            return
        name = self.blank.pop(0)
        assert Exchanged(name, slip.sheet) == answer
        if slip.sheet:
            self.void[slip.sheet] = "打印不清"
        slip.sheet = name

    @precondition(lambda self: self.pads)
    @rule(pick=PICK, reason=st.sampled_from(["打印不清", "遗失"]))
    def void_a_sheet(self, pick: int, reason: str) -> None:
        """Blank or used; for the same reason again nothing changes, for another it is refused."""
        name = f"042126-{pick % self.pads + 1:08d}"
        answer = self.room.do(sheets.void_txn, PLACE, name, name, reason)
        if self.void.get(name, reason) != reason:
            assert "PAPER_VOID" == answer
            return
        assert [(name, reason)] == [(each.ref, each.reason) for each in answer]
        self.void[name] = reason
        self.blank = [each for each in self.blank if each != name]
        for slip in self.slips:
            slip.sheet = "" if slip.sheet == name else slip.sheet

    # prints, marks, answers
    @precondition(lambda self: any(s.state == "sealed" and s.copies < 3 for s in self.slips))
    @rule(pick=PICK, outcome=st.sampled_from(Outcome))
    def print(self, pick: int, outcome: Outcome) -> None:
        """On a person's wish; after the first every paper is a copy and says so."""
        few = [slip for slip in self.slips if slip.state == "sealed" and slip.copies < 3]
        slip = few[pick % len(few)]
        job = self.room.do(prints.request_txn, slip.receipt.id, "g", "补打", "王芳")
        slip.copies += 1
        assert slip.copies == job.copy
        attempt = self.room.do(prints.begin_txn, job.id, "p1")
        ended = self.room.do(prints.end_txn, attempt, PrintResult(outcome))
        assert (outcome.value if outcome is not Outcome.NOT_PRINTED else "due") == ended.state
        if outcome is Outcome.UNCERTAIN:
            word = self.room.do(prints.resolve_txn, job.id, "reprint", "卡纸", "王芳")
            slip.copies += 1
            assert slip.copies == word.reprint.copy

    @precondition(lambda self: self.any("sealed"))
    @rule(pick=PICK, booked=st.booleans())
    def the_payer_books(self, pick: int, booked: bool) -> None:
        """What is said of the books holds until the contrary is said."""
        sealed = [slip for slip in self.slips if slip.state == "sealed"]
        if sealed:
            slip = sealed[pick % len(sealed)]
            said = Mark.BOOKED if booked else Mark.UNBOOKED
            args = (slip.code, f"{slip.number:010d}", said, self.room.wall_ms, "回执")
            assert (slip.booked is not booked) == self.room.do(life.mark_txn, *args)
            slip.booked = booked

    @precondition(lambda self: self.any("sealed"))
    @rule(most=st.integers(1, 4))
    def the_platform_answers(self, most: int) -> None:
        """It has applied the oldest of what was sealed."""
        for slip in [s for s in self.slips if s.state == "sealed" and not s.answered][:most]:
            assert 1 == self.room.do(_applied_txn, slip.receipt.id)
            slip.answered = True

    # what must hold
    @invariant()
    def the_books_say_what_the_clerk_knows(self) -> None:
        """Numbers, money, quota, sheets and copies (I1 to I3, I5, I7, I10, I12)."""
        rows = self.room.rows("SELECT code, number, state, amount_fen FROM receipt ORDER BY id")
        assert [(s.code, f"{s.number:010d}", s.state, s.fen) for s in self.slips] == rows
        unseen = [s for s in self.slips if s.state == "frozen" or (s.state == "sealed"
                                                                   and not s.answered)]  # fmt: skip
        used = (len(unseen), sum(max(s.fen, 0) for s in unseen))
        assert used == tuple(self.room.store.read(unanswered_q))
        paper = dict(self.room.rows("SELECT code || '-' || number, receipt_id FROM sheet"
                                    " WHERE state = 'used'"))  # fmt: skip
        assert {s.sheet: s.receipt.id for s in self.slips if s.sheet} == paper
        voided = self.room.rows("SELECT code || '-' || number FROM sheet WHERE state = 'void'")
        assert sorted(self.void) == sorted(name for (name,) in voided)

    @invariant()
    def times_never_go_back(self) -> None:
        """Issue times follow the order in which numbers of a code were given (I13)."""
        for code in CODES.values():
            times = [s.receipt.issued_at for s in self.slips if s.code == code]
            assert sorted(times) == times

    def teardown(self) -> None:
        """The last look; then everything is taken away."""
        try:
            self._last_look()
        finally:
            self.room.leave()

    def _last_look(self) -> None:
        """Each receipt stands where the clerk says; the general checkers look, too."""
        self.seal(len(self.slips) or 1)
        for slip in self.slips:
            found = self.room.store.read(life.named_q, slip.code, f"{slip.number:010d}")
            expected = {"": slip.state, "LIFE_REVERSED": "reversed"}
            standing = self._standing(slip, "LIFE_REVERSED") if slip.state == "sealed" else ""
            assert expected[standing] == found.life
        self.close_the_books()
        assert [] == [str(each) for each in check_all(self.room.site, None, None, None)]


def _composer(fen: int, blue: Slip | None = None) -> Any:
    """Return what writes the signed bytes: as much of a document as the checkers read."""
    sign, fen = "-" if fen < 0 else "", abs(fen)
    related = ("", "") if blue is None else (blue.code, f"{blue.number:010d}")

    def compose(code: str, number: str, check_code: str, issued_ms: int) -> bytes:
        day = datetime.fromtimestamp(issued_ms / 1000, UTC) + timedelta(hours=8)
        return (
            f"<Header><EInvoiceID>{f'{code}-{number}'[::-1]}</EInvoiceID></Header>"
            f"<EInvoiceCode>{code}</EInvoiceCode><EInvoiceNumber>{number}</EInvoiceNumber>"
            f"<RandomNumber>{check_code}</RandomNumber>"
            f"<TotalAmount>{sign}{fen // 100}.{fen % 100:02d}</TotalAmount>"
            f"<IssueDate>{day:%Y%m%d}</IssueDate><PayerPartyName>欧阳䶮</PayerPartyName>"
            f"<RelatedInvoiceCode>{related[0]}</RelatedInvoiceCode>"
            f"<RelatedInvoiceNumber>{related[1]}</RelatedInvoiceNumber>"
        ).encode()

    return compose


def _code(at_ms: int) -> str:
    return KIND.code("420000", local(at_ms).year)


def _ref(answer: Any) -> str:
    """Return the name of what was given, the code of a refusal, or what went wrong."""
    if isinstance(answer, Exception):
        return answer.code if isinstance(answer, Refused) else repr(answer)
    return str(answer.receipt.ref)


def _exchange_txn(tx: Any, slip: Slip, again: bool) -> Any:
    standing = life.named_q(tx.conn, slip.code, f"{slip.number:010d}")
    assert standing is not None
    if again:
        return sheets.reexchange_txn(tx, PLACE, standing, "", "打印不清")
    return sheets.exchange_txn(tx, PLACE, standing, "")


def _applied_txn(tx: Any, receipt_id: int) -> int:
    tx.cursor.execute(
        "UPDATE upload SET state = 'applied' WHERE receipt_id = ? AND op IN ('ISSUE', 'RED')",
        (receipt_id,),
    )
    return int(tx.cursor.rowcount)
