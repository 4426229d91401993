"""A ward for tests of a receipt's life: a real store, receipts issued and reversed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fep.crypto import sm3
from fep.domain.calendar import local
from fep.domain.faults import Refused
from fep.domain.life import Policy
from fep.domain.life_red import Ask
from fep.domain.receipt import Receipt
from fep.store import issuing, life, receipts, sheets
from fep.store.reversal import Reversing
from tests.harness import storeroom
from tests.harness.books import read
from tests.harness.checkers import check_all
from tests.harness.storeroom import CODE, UNIT, Storeroom

POINT = "001"
SHEETS = "042126"


class Ward:
    """One site with numbers and paper in hand."""

    def __init__(self, site: Path, *, numbers: int = 50, paper: int = 20) -> None:
        self.room = Storeroom(site)
        self.site = site
        self.room.open()
        if numbers:
            self.room.grant(1, numbers)
        if paper:
            self.paper(1, paper)
        self._keys = 0

    # receipts
    def issue(self, amount_fen: int = 1234) -> Receipt:
        """Issue one receipt."""
        self._keys += 1
        (frozen,) = self.room.freeze(self.room.draft(f"K{self._keys}", amount_fen))
        self.room.seal(frozen.receipt)
        return self.found(frozen.receipt.number)

    def red_draft(self, blue: Receipt, key: str, *, policy: Policy | None = None,
                  force: bool = False) -> issuing.Draft:  # fmt: skip
        """Return the draft of a reversal."""
        ask = Ask(UNIT, key, blue.code, blue.number, "退费", "王芳", POINT, force=force)
        rider = Reversing(ask, blue.id, policy or Policy(), "his")
        return self.room.draft(
            key, -blue.amount_fen, rider=rider, digest=_digest(ask),
            compose=_red_composer(blue),
        )  # fmt: skip

    def freeze_red(self, blue: Receipt, key: str = "R1", **how: Any) -> Receipt:
        """Give the red receipt its number only. Raises Refused."""
        (answer,) = self.room.freeze(self.red_draft(blue, key, **how))
        if isinstance(answer, Refused):
            raise answer
        frozen: Receipt = answer.receipt
        return frozen

    def reverse(self, blue: Receipt, key: str = "R1", **how: Any) -> Receipt:
        """Reverse a receipt to the end. Raises Refused."""
        red = self.freeze_red(blue, key, **how)
        if red.state is not red.state.SEALED:
            self.room.seal(red)
        return self.found(red.number)

    def burn(self, receipt: Receipt) -> None:
        """Let the deadline of a frozen receipt pass."""
        self.do("refuse", issuing.refuse_txn, receipt, "SIG_TIMEOUT")

    def found(self, number: str) -> Receipt:
        """Return a receipt as stored."""
        receipt = self.room.store.read(receipts.by_number_q, CODE, number)
        assert receipt is not None, number
        return receipt  # type: ignore[no-any-return]  # the storeroom's store is untyped

    def standing(self, receipt: Receipt) -> life.Standing:
        """Return where a receipt stands."""
        return self.room.store.read(life.standing_q, receipt)  # type: ignore[no-any-return]  # same

    # paper
    def paper(self, first: int, last: int, code: str = SHEETS) -> bool:
        """Bring a block of sheets."""
        grant = sheets.SheetGrant(UNIT, POINT, code, f"{first:08d}", f"{last:08d}", "批准 1")
        return bool(self.do("paper", sheets.import_txn, grant))

    def exchange(self, receipt: Receipt, wanted: str = "") -> sheets.Exchanged:
        """Exchange a receipt for the next sheet."""
        return self._at_window(sheets.exchange_txn, receipt, wanted)

    def reexchange(self, receipt: Receipt, wanted: str = "") -> sheets.Exchanged:
        """Void its sheet and take the next."""
        return self._at_window(sheets.reexchange_txn, receipt, wanted, "打坏")

    def void(self, first: int, last: int | None = None, reason: str = "卡纸") -> list[str]:
        """Void sheets; returns their names."""
        names = (sheet(first), sheet(first if last is None else last))
        rows = self.do("void", sheets.void_txn, PLACE, *names, reason)
        return [row.ref for row in rows]

    def next_sheet(self) -> str:
        """Return the next sheet."""
        return str(self.room.store.read(sheets.next_q, UNIT, POINT))

    def _at_window(self, txn: Any, receipt: Receipt, *args: Any) -> sheets.Exchanged:
        def run(tx: Any) -> Any:
            return txn(tx, PLACE, life.standing_q(tx.conn, receipt), *args)

        return self.do("window", run)  # type: ignore[no-any-return]  # same

    # looking
    def do(self, name: str, fn: Any, *args: Any) -> Any:
        """Run a transaction and return what it came to."""
        return self.room.done(self.room.store.do(name, fn, *args))

    def rows(self, table: str) -> list[Any]:
        """Return the rows of a table."""
        return read(self.site / "data" / "fep.db")[table]

    def violations(self) -> list[str]:
        """Close, and return what the general checkers find."""
        self.room.close()
        return [str(found) for found in check_all(self.site, None, None, None)]


PLACE = sheets.Place(UNIT, POINT, "province", "his/王芳")


def sheet(number: int) -> str:
    """Return the name of a sheet."""
    return f"{SHEETS}-{number:08d}"


def code_of(call: Any, *args: Any, **kwargs: Any) -> str:
    """Return the code a call is refused with, empty when it is not."""
    try:
        call(*args, **kwargs)
    except Refused as refused:
        return refused.code
    return ""


def _digest(ask: Ask) -> bytes:
    return sm3.digest(ask.content())


def _red_composer(blue: Receipt) -> Any:
    plain = storeroom._composer(-blue.amount_fen)

    def compose(code: str, number: str, check_code: str, issued_ms: int) -> bytes:
        amount = f"-{blue.amount_fen // 100}.{blue.amount_fen % 100:02d}"
        related = (
            f"<RelatedInvoiceCode>{blue.code}</RelatedInvoiceCode>"
            f"<RelatedInvoiceNumber>{blue.number}</RelatedInvoiceNumber>"
        )
        today = f"<IssueDate>{local(issued_ms):%Y%m%d}<"
        text = plain(code, number, check_code, issued_ms).decode()
        text = text.replace(f"<IssueDate>{storeroom.ISSUED_ON}<", today)
        head, rest = text.split("<TotalAmount>")
        return f"{head}<TotalAmount>{amount}{rest[rest.index('<') :]}{related}".encode()

    return compose
