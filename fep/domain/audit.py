"""The audit of numbers: every granted number is in exactly one state, and two sources agree.

One byte a number gathers what documents, burns and journal say of it; the verdict compares
them. Rules: a number that was given is a receipt or burned with evidence; what the journal
says the documents say too. Pure; rows are fed in, in any order (I1, I2, I3, I8).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fep.domain.numbers import number_text
from fep.domain.stock import REST, Totals, added

FROZEN, SEALED, GIVEN_UP, BURN = 1, 2, 4, 8  # what documents and burns say
J_FROZEN, J_SEALED, J_BURNED = 16, 32, 64  # what the journal says
_DOC = FROZEN | SEALED | GIVEN_UP
_STATE = {"frozen": FROZEN, "sealed": SEALED, "burned": GIVEN_UP}
_OPS = {
    "receipt.frozen": J_FROZEN, "receipt.sealed": J_SEALED, "receipt.burned": J_BURNED,
}  # fmt: skip
FINDINGS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: what of which number."""

    what: str
    ref: str

    def __str__(self) -> str:
        return f"{self.ref} {self.what}"


@dataclass(frozen=True, slots=True)
class AuditBlock:
    """A block as it stood when the audit began; `given` numbers from `first` on."""

    unit: str
    code: str
    first: int
    last: int
    next: int
    state: str

    @property
    def given(self) -> int:
        """Return how many numbers were given of it."""
        return self.next - self.first


@dataclass(slots=True)
class _Page:
    block: AuditBlock
    flags: bytearray


@dataclass(slots=True)
class Audit:
    """Gathers rows, then gives the verdict."""

    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    _pages: dict[str, list[_Page]] = field(default_factory=lambda: defaultdict(list))
    _firsts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _upto: int = 0
    _known: set[tuple[str, int]] = field(default_factory=set)  # (code, first) in hand
    _granted: set[tuple[str, int]] = field(default_factory=set)  # (code, first) in the journal
    _later: list[tuple[str, int, int]] = field(default_factory=list)  # since the audit began
    _strays: list[tuple[str, str, int]] = field(default_factory=list)

    # what is fed
    def blocks(self, blocks: Iterable[AuditBlock], upto: int = 0) -> None:
        """Take the blocks as they stood at journal record `upto`; overlapping is a finding."""
        self._upto = upto
        for block in sorted(blocks, key=lambda each: (each.code, each.first)):
            pages = self._pages[block.code]
            if pages and pages[-1].block.last >= block.first:
                self._find("blocks overlap", block.code, block.first)
            pages.append(_Page(block, bytearray(block.given)))
            self._firsts[block.code].append(block.first)
            self._known.add((block.code, block.first))

    def receipt(self, unit: str, code: str, number: str, state: str) -> None:
        """Take a document."""
        page = self._page(code, int(number))
        if page is None:
            self._stray("was never granted", code, int(number))
            return
        if page.block.unit != unit:
            self._find("was granted to another unit", code, int(number))
        self._mark(page, int(number), _STATE[state], "stands twice among the documents", _DOC)

    def burn(self, code: str, number: str, reason: str, evidence: str) -> None:
        """Take a burned number."""
        page = self._page(code, int(number))
        if page is None:
            self._stray("is burned and was never granted", code, int(number))
            return
        if not reason or not evidence:
            self._find("is burned without evidence", code, int(number))
        self._mark(page, int(number), BURN, "is burned twice", BURN)

    def record(self, op: str, ref: str, last: str = "", seq: int = 0) -> None:
        """Take a journal record; `last` is that of a granted block. Others move no number."""
        code, _, number = ref.partition("-")
        if op == "numbers.granted":
            self._granted.add((code, int(number)))
            if seq > self._upto:
                self._later.append((code, int(number), int(last)))
            elif (code, int(number)) not in self._known:
                self._find("block is in the journal and not in hand", code, int(number))
            return
        flag = _OPS.get(op)
        if flag is None:
            return
        page = self._page(code, int(number))
        if page is None:
            self._stray("is in the journal and was never granted", code, int(number))
            return
        self._mark(page, int(number), flag, f"is in the journal twice ({op})", flag)

    def settled(self, code: str, number: str, state: str, burned: bool) -> None:
        """Take a document anew that was frozen when it was read first."""
        page = self._page(code, int(number))
        assert page is not None, (code, number)
        at = int(number) - page.block.first
        kept = page.flags[at] & ~(_DOC | BURN)
        page.flags[at] = kept | _STATE[state] | (BURN if burned else 0)

    # the verdict
    def unsettled(self) -> Iterator[tuple[str, str]]:
        """Return (code, number) of documents that were frozen when they were read."""
        for code, pages in self._pages.items():
            for page in pages:
                for at, flags in enumerate(page.flags):
                    if flags & FROZEN:
                        yield code, number_text(page.block.first + at)

    def verdict(self) -> dict[tuple[str, str], Totals]:
        """Compare what was fed; returns totals by (unit, code), findings stand in `findings`."""
        totals: dict[tuple[str, str], Totals] = {}
        for what, code, number in self._strays:
            if not self._granted_since(code, number):
                self._find(what, code, number)
        for code, pages in self._pages.items():
            for page in pages:
                block = page.block
                if (code, block.first) not in self._granted:
                    self._find("block is not in the journal", code, block.first)
                counts = {"granted": block.last - block.first + 1}
                counts[REST[block.state]] = block.last - block.next + 1
                self._judge(page, counts)
                key = (block.unit, code)
                totals[key] = added(totals.get(key, Totals(0)), counts)
        return totals

    def _judge(self, page: _Page, counts: dict[str, int]) -> None:
        sound = 0
        for flags, name in _SOUND.items():
            count = page.flags.count(flags)
            counts[name] = counts.get(name, 0) + count
            sound += count
        if sound < len(page.flags):
            for at, flags in enumerate(page.flags):
                if flags not in _SOUND:
                    self._find(_wrong(flags), page.block.code, page.block.first + at)

    # inside
    def _page(self, code: str, number: int) -> _Page | None:
        place = bisect_right(self._firsts.get(code, ()), number) - 1
        if place < 0:
            return None
        page = self._pages[code][place]
        return page if number <= page.block.last else None

    def _stray(self, what: str, code: str, number: int) -> None:
        """Keep what belongs to no block: it may have been granted since the audit began."""
        if len(self._strays) < FINDINGS_MAX:
            self._strays.append((what, code, number))

    def _granted_since(self, code: str, number: int) -> bool:
        return any(code == known and first <= number <= last for known, first, last in self._later)

    def _mark(self, page: _Page, number: int, flag: int, twice: str, within: int) -> None:
        at = number - page.block.first
        if at >= len(page.flags):
            return  # given since the audit began
        if page.flags[at] & within:
            self._find(twice, page.block.code, number)
        page.flags[at] |= flag

    def _find(self, what: str, code: str, number: int) -> None:
        self.found += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(what, f"{code}-{number_text(number)}"))


_SOUND = {
    SEALED | J_FROZEN | J_SEALED: "used",
    FROZEN | J_FROZEN: "unsigned",
    GIVEN_UP | BURN | J_FROZEN | J_BURNED: "burned",
}


def _wrong(flags: int) -> str:
    """Return what is wrong with what is known of a number."""
    if not flags:
        return "was given and is nowhere"
    if flags & BURN and flags & (SEALED | FROZEN):
        return "is burned and a receipt"
    if flags & GIVEN_UP and not flags & BURN:
        return "was given up without evidence"
    if not flags & (_DOC | BURN):
        return "is in the journal and no document"
    return "is not what the journal says"
