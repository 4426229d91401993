"""receipt.reverse, paper.* and print.again as a business system calls them: real configuration,
real documents, the store and a fake clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from fep.domain.faults import Refused
from fep.domain.life import Policy
from fep.domain.receipt import Receipt
from fep.services.callers import Caller
from fep.services.drafting import Draw
from fep.services.paper import Paper
from fep.services.queue import Queue
from fep.services.reversal import Reversals, any_event_q
from fep.services.window import Window
from fep.services.window_find import Finding
from fep.store import printing, receipts
from fep.store.sheets import SheetGrant, import_txn
from tests.harness.storeroom import UNIT
from tests.unit.services.counter import Counter, HandClock
from tests.unit.services.line import EVERY
from tests.unit.wire.events import event

HIS = Caller("his", frozenset({"issue", "reverse", "print", "query"}), EVERY, EVERY)
OTHER = replace(HIS, appid="other", units=frozenset({"H777"}))


class Entropy:
    """Bytes of a test."""

    def token(self, count: int) -> bytes:
        return bytes(count)


class Spool:
    """A spool with one group; jobs go into the store."""

    def __init__(self, room: Any, groups: frozenset[str]) -> None:
        self._room, self._groups = room, groups

    def groups(self) -> frozenset[str]:
        return self._groups

    async def request(self, receipt_id: int, group: str, reason: str, who: str) -> printing.Job:
        do = self._room.store.do
        return await do("p", printing.request_txn, receipt_id, group, reason, who)  # type: ignore[no-any-return]  # untyped room


class Desk:
    """The windows over one counter."""

    def __init__(self, site: Path, groups: frozenset[str] = frozenset({"window-1"})) -> None:
        from tests.unit.life import site_of

        self.counter = Counter(site)
        room = self.counter.room
        units, kinds, provinces = site_of.parts()
        clock = HandClock(room.clock)
        draw = Draw(Entropy(), units, kinds, provinces, details_max=100)  # type: ignore[arg-type]  # half an entropy
        self.draw, self.kinds, self.provinces = draw, kinds, provinces
        queue = Queue(room.clock, room.store, self.counter.issue, draw, self.counter.notes)
        store, issue = room.store, self.counter.issue
        self.methods = {
            **Window(store, issue, queue, draw, clock, "0", page_of).methods(),
            **Finding(store, page_of).methods(),
            **Reversals(store, issue, draw, clock, Policy(), page_of).methods(),
            **Paper(store, Spool(room, groups), units).methods(),  # type: ignore[arg-type]  # a spool of the test
        }

    def call(self, method: str, caller: Caller = HIS, **params: Any) -> Any:
        """Call a method; a refusal is its code."""
        answers: list[Any] = []
        done: Deferred[Any] = maybeDeferred(self.methods[method].call, caller, params)
        done.addBoth(answers.append)
        self.counter.turn()
        (answer,) = answers
        if not isinstance(answer, Failure):
            return answer
        if not isinstance(answer.value, Refused):
            answer.raiseException()
        return answer.value.code

    def issued(self, **changes: Any) -> dict[str, Any]:
        """Issue a receipt."""
        return dict(self.call("receipt.issue", **event(unit=UNIT, **changes))["receipt"])


def page_of(receipt: Receipt) -> str:
    """Return the address of a receipt's page."""
    return f"https://fp.example/r/{receipt.number}"


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    desk = Desk(tmp_path / "site")
    yield desk
    assert [] == desk.counter.violations()


def _wish(blue: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"unit": UNIT, "key": "R1", "code": blue["code"], "number": blue["number"],
            "reason": "退费", "operator": "李", **changes}  # fmt: skip


def test_a_reversal_answers_with_the_red_receipt_and_again_with_the_same(desk: Desk):
    blue = desk.issued()

    told = desk.call("receipt.reverse", **_wish(blue))
    again = desk.call("receipt.reverse", **_wish(blue, reason="另一句话"))

    assert ("-126.50", False) == (told["receipt"]["amount"], told["repeated"])
    assert (told["receipt"], True) == (again["receipt"], again["repeated"])
    assert {"code": blue["code"], "number": blue["number"]} == told["blue"]
    life = desk.call("receipt.life", code=blue["code"], number=blue["number"])["life"]
    assert ("reversed", told["receipt"]["number"]) == (life["state"], life["red"]["number"])


def test_every_answer_about_a_receipt_tells_its_life_and_its_page(desk: Desk):
    room = desk.counter.room
    grant = SheetGrant(UNIT, "001", "042126", "0001", "0009", "批准")
    room.done(room.store.do("import", import_txn, grant))
    blue, other = desk.issued(), desk.issued(key="OP2")
    assert ("sealed", "sealed", None) == (blue["state"], blue["life"], blue["sheet"])
    name = {"code": other["code"], "number": other["number"]}
    desk.call("paper.exchange", unit=UNIT, point="001", **name)

    red = desk.call("receipt.reverse", **_wish(blue))["receipt"]

    told = {
        "issue": desk.issued(),
        "get": desk.call("receipt.get", code=blue["code"], number=blue["number"])["receipt"],
        "event": desk.call("event.get", unit=UNIT, key=blue["key"])["receipt"],
        "life": desk.call("receipt.life", code=blue["code"], number=blue["number"])["receipt"],
        "find": desk.call("receipt.find")["receipts"][2],
    }
    page = f"https://fp.example/r/{blue['number']}"
    assert told == {key: {**blue, "life": "reversed", "url": page} for key in told}
    found = desk.call("receipt.find")["receipts"]
    assert [(red["number"], "sealed"), (other["number"], "sealed"), (blue["number"], "reversed")] \
        == [(row["number"], row["life"]) for row in found]  # fmt: skip
    assert "042126-0001" == found[1]["sheet"]
    assert f"https://fp.example/r/{red['number']}" == red["url"] == found[0]["url"]


def test_the_red_event_is_read_back_as_its_document_says(desk: Desk):
    blue = desk.issued()
    told = desk.call("receipt.reverse", **_wish(blue))["receipt"]
    store = desk.counter.room.store
    red = store.read(receipts.by_number_q, told["code"], told["number"])

    def bound(receipt: Any) -> Any:
        return desk.kinds[receipt.kind], next(iter(desk.provinces.values()))

    found = store.read(any_event_q, red, bound)
    document = store.read(receipts.original_q, red.id).decode()

    assert -12650 == found.total_fen
    assert "<TotalAmount>-126.50</TotalAmount>" in document
    assert f"<RelatedInvoiceNumber>{blue['number']}</RelatedInvoiceNumber>" in document
    assert f"<HandlingPerson>{found.author}</HandlingPerson>" in document


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"number": "0000009999"}, "RCP_UNKNOWN"),
        ({"unit": "H777"}, "RCP_UNKNOWN"),
        ({"reason": ""}, "REQ_FIELD_MISSING"),
        ({"point": "999"}, "CFG_POINT"),
        ({"amount": "1.00"}, "REQ_FIELD_UNKNOWN"),
    ],
)
def test_a_wrong_wish_is_refused(desk: Desk, changes: dict[str, Any], expected: str):
    blue = desk.issued()

    assert expected == desk.call("receipt.reverse", **_wish(blue, **changes))


def test_a_unit_that_is_not_the_callers_is_not_known_to_him(desk: Desk):
    blue = desk.issued()

    assert "RCP_UNKNOWN" == desk.call("receipt.reverse", OTHER, **_wish(blue))
    name = {"code": blue["code"], "number": blue["number"]}
    assert "RCP_UNKNOWN" == desk.call("receipt.life", OTHER, **name)
    assert "RCP_UNKNOWN" == desk.call("print.get", OTHER, **name)
    assert "AUTH_SCOPE" == desk.call("paper.get", OTHER, unit=UNIT, sheet="042126-0001")


def test_a_signer_that_is_late_burns_the_red_number_and_the_blue_receipt_lives(desk: Desk):
    blue = desk.issued()
    desk.counter.signer.at_once = False
    answers: list[Any] = []
    wish = _wish(blue)
    desk.methods["receipt.reverse"].call(HIS, wish).addErrback(lambda f: answers.append(f.value))
    desk.counter.wait(4)

    assert ["SIG_TIMEOUT"] == [answer.code for answer in answers]
    desk.counter.signer.at_once = True
    assert not desk.call("receipt.reverse", **wish)["repeated"]


def test_paper_at_the_window(desk: Desk):
    room = desk.counter.room
    grant = SheetGrant(UNIT, "001", "042126", "0001", "0009", "批准")
    room.done(room.store.do("import", import_txn, grant))
    blue = desk.issued()
    at = {"unit": UNIT, "point": "001"}
    name = {"code": blue["code"], "number": blue["number"]}

    assert {"sheet": "042126-0001", "left": 9} == desk.call("paper.next", **at)
    assert "PAPER_NEXT" == desk.call("paper.exchange", **at, **name, sheet="042126-0002")
    assert "042126-0001" == desk.call("paper.exchange", **at, **name)["sheet"]
    done = desk.call("paper.reexchange", **at, **name, reason="打坏", operator="李")
    assert ("042126-0002", "042126-0001") == (done["sheet"], done["replaced"])
    again = desk.call("paper.reexchange", **at, **name, reason="打坏", replaces="042126-0001")
    assert ("042126-0002", "042126-0001", True) == tuple(again.values())
    assert "PAPER_EXCHANGED" == desk.call(
        "paper.reexchange", **at, **name, reason="打坏", replaces="042126-0005"
    )
    assert "LIFE_PAPER" == desk.call("receipt.reverse", **_wish(blue))
    voided = desk.call("paper.void", **at, first="042126-0002", last="042126-0003", reason="收回")
    assert ["042126-0002", "042126-0003"] == voided["voided"]
    assert 3 == len(desk.call("paper.list", unit=UNIT)["sheets"])
    assert 2 == len(desk.call("paper.get", unit=UNIT, **name)["sheets"])
    assert "void" == desk.call("paper.get", unit=UNIT, sheet="042126-0003")["sheet"]["state"]
    assert "CFG_POINT" == desk.call("paper.next", unit=UNIT, point="999")
    assert "CFG_UNIT" == desk.call("paper.next", unit="nobody", point="001")
    assert "RCP_UNKNOWN" == desk.call("paper.exchange", **at, code="1", number="2")


def test_printing_again_makes_a_marked_copy(desk: Desk):
    blue = desk.issued()
    name = {"code": blue["code"], "number": blue["number"]}

    first = desk.call("print.again", **name, reason="票据遗失")
    second = desk.call("print.again", **name, reason="票据遗失")

    assert [1, 2] == [first["job"]["copy"], second["job"]["copy"]]
    assert 2 == len(desk.call("print.get", **name)["jobs"])
    assert "REQ_FIELD_MISSING" == desk.call("print.again", **name)


def test_a_point_without_a_printer_says_so(tmp_path: Path):
    desk = Desk(tmp_path / "site", frozenset())
    blue = desk.issued()

    refused = desk.call("print.again", code=blue["code"], number=blue["number"], reason="x")

    assert "PRN_GROUP" == refused
    assert [] == desk.counter.violations()
