"""A comparison end to end on a real store, with the platform's book played by the test."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from twisted.internet.defer import Deferred

from fep.crypto import sm3
from fep.domain.faults import Refused, refuse
from fep.domain.reconcile import Line, Total, totals
from fep.services.reconcile import Reconcile
from fep.store import reconcile
from fep.store.schema import upload
from tests.unit.days.office import FIRST_DAY, UNIT, Office

DEST = "province"


class Book:
    """The platform's book: the test's list of lines."""

    def __init__(self) -> None:
        self.held: dict[str, Line] = {}
        self.listed: list[tuple[str, str]] = []
        self.fault: Refused | None = None
        self.checked: list[str] = []

    async def totals(self, day: str) -> Sequence[Total]:
        if self.fault is not None:
            raise self.fault
        return totals(self.held.values(), lambda data: sm3.digest(data).hex())

    async def lines(self, day: str, code: str, kind: str) -> Sequence[Line]:
        self.listed.append((code, kind))
        return [line for line in self.held.values() if (line.code, line.kind) == (code, kind)]

    async def check(self, lines: Sequence[Line]) -> Sequence[Line]:
        self.checked = [line.number for line in lines]
        return [self.held[line.number] for line in lines if line.number in self.held]

    def stop(self) -> None:
        return None


class Room:
    """An office that compares."""

    def __init__(self, site: Path) -> None:
        self.office = Office(site)
        self.book = Book()
        self.woken = 0
        self.reconcile = Reconcile(
            self.office.room.clock, self.office.room.store, self.office.read, DEST, [UNIT],
            self.book, self.office.log, now_ms=lambda: self.office.room.wall_ms, wake=self._wake,
        )  # fmt: skip
        self.receipts = [self.office.issue(f"K{n}", 1000 + n) for n in range(5)]
        self.delivered()
        self.agree()

    def _wake(self) -> None:
        self.woken += 1

    def delivered(self, state: str = "applied") -> None:
        """Let the platform have answered for everything."""
        self.office.do("applied", lambda tx: tx.conn.execute(update(upload).values(state=state)))

    def agree(self) -> None:
        """Let the platform hold what we hold."""
        lines, _ = self.office.wait(
            Deferred.fromCoroutine(self.office.read(reconcile.lines_q, UNIT, FIRST_DAY, 0))
        )
        self.book.held = {line.number: line for line in lines}

    def change(self, which: int, **values: Any) -> None:
        """Let the platform say something else of a receipt."""
        number = self.receipts[which].number
        self.book.held[number] = replace(self.book.held[number], **values)

    def run(self) -> Any:
        """Compare the day."""
        return self.office.wait(Deferred.fromCoroutine(self.reconcile.run(FIRST_DAY, "tester")))

    def rows(self, *, gone: bool = False) -> list[reconcile.Kept]:
        """Return the stored differences."""
        asked = functools.partial(reconcile.differences_q, gone=gone)
        return list(self.office.room.store.read(asked, DEST))

    def repair(self, id_: int) -> str:
        """Repair a difference; returns how."""
        done = self.reconcile.repair(id_, "查实", "tester")
        return str(self.office.wait(Deferred.fromCoroutine(done))[1].value)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Five receipts of a day, delivered, and a platform that agrees."""
    room = Room(tmp_path / "site")
    yield room
    room.office.room.close()


def test_books_that_agree_are_never_listed(room: Room):
    assert () == room.run().differences

    assert [] == room.book.listed
    found = room.office.room.store.read(reconcile.run_q, DEST, FIRST_DAY)
    there = [{**row, "apart": 0, "apart_fen": 0} for row in found.there]
    assert ("done", 0, found.here) == (found.state, found.differences, there)


def test_each_difference_is_named_repaired_and_gone_when_the_books_agree(room: Room):
    lost = room.book.held.pop(room.receipts[0].number)
    room.change(1, fen=5)
    room.change(2, written_off=True)
    room.book.held["0000000099"] = replace(lost, number="0000000099")

    room.run()

    rows = {row.gap: row for row in room.rows()}
    assert {"only_here": room.receipts[0].number, "amount": room.receipts[1].number,
            "state": room.receipts[2].number, "only_there": "0000000099"} == {
        gap: row.number for gap, row in rows.items()}  # fmt: skip
    done = {gap: room.repair(row.id) for gap, row in rows.items()}
    assert {"only_here": "resend", "amount": "decide", "state": "mark",
            "only_there": "report"} == done  # fmt: skip
    due = [row for row in _uploads(room) if row.state == "due"]
    assert [(room.receipts[0].id, 1)] == [(row.receipt_id, row.revision) for row in due]
    assert room.woken == 4
    room.delivered()
    room.agree()
    room.run()
    assert [] == room.rows()
    assert {"gone"} == {row.state for row in room.rows(gone=True)}


def test_a_difference_that_comes_back_is_the_same_row_and_open_again(room: Room):
    room.book.held.pop(room.receipts[0].number)
    room.run()
    (row,) = room.rows()
    room.repair(row.id)
    room.delivered()

    room.run()

    assert [(row.id, "differs")] == [(again.id, again.state) for again in room.rows()]


def test_a_repair_is_not_repeated_while_it_is_under_way(room: Room):
    room.book.held.pop(room.receipts[0].number)
    room.run()
    (row,) = room.rows()
    room.repair(row.id)

    with pytest.raises(Refused, match="REC_STATE"):
        room.repair(row.id)
    with pytest.raises(Refused, match="REC_NONE"):
        room.repair(4711)

    assert 1 == len([row for row in _uploads(room) if row.revision])


def test_what_is_still_on_its_way_is_told_and_is_no_difference(room: Room):
    room.delivered("due")
    room.book.held.clear()

    found = room.run()

    assert ((), 5) == (found.differences, found.in_transit)
    (ours,) = room.office.room.store.read(reconcile.run_q, DEST, FIRST_DAY).here
    assert (ours["blue"], ours["blue_fen"]) == (ours["apart"], ours["apart_fen"])


def test_a_reversal_that_is_lost_there_is_delivered_again(room: Room):
    red = room.office.reverse(room.receipts[0])
    room.delivered()
    room.agree()
    room.book.held.pop(red.number)
    room.change(0, reversed=False)
    room.run()

    done = sorted(room.repair(row.id) for row in room.rows())

    assert ["resend", "resend_red"] == done
    again = [(row.op, row.receipt_id) for row in _uploads(room) if row.state == "due"]
    assert [("RED", red.id)] == again


def test_a_platform_that_does_not_answer_is_a_stored_failure_and_may_be_asked_again(room: Room):
    room.book.fault = refuse("REC_SILENT", minutes=1)

    assert room.run() is None

    found = room.office.room.store.read(reconcile.run_q, DEST, FIRST_DAY)
    assert ("failed", True) == (found.state, "REC_SILENT" in found.detail)
    room.book.fault = None
    assert () == room.run().differences


def test_a_platform_without_totals_is_asked_for_each_receipt_and_for_numbers_nobody_has(
    room: Room,
):
    room.book.fault = refuse("REC_UNABLE", why="unsupported")
    spare = replace(room.book.held[room.receipts[0].number], number="0000000006")
    assert () == room.run().differences
    assert [*(row.number for row in room.receipts), "0000000006", "0000000007", "0000000008"] == (
        room.book.checked)  # fmt: skip
    room.book.held.pop(room.receipts[0].number)
    room.change(1, fen=5)
    room.book.held[spare.number] = spare

    found = room.run()

    assert {("only_here", room.receipts[0].number), ("amount", room.receipts[1].number),
            ("only_there", "0000000006")} == {
        (row.gap.value, row.number) for row in found.differences}  # fmt: skip


def test_the_schedule_looks_at_yesterday_and_at_days_that_still_differ(room: Room):
    room.book.held.pop(room.receipts[0].number)
    room.run()
    room.office.pass_days(3)
    room.agree()

    room.reconcile.scheduled()
    for _turn in range(200):
        room.office.room.clock.advance(0.01)

    runs = room.office.room.store.read(reconcile.runs_q, 10)
    assert ["2026-11-23", FIRST_DAY, FIRST_DAY] == [run.day for run in runs]


def test_the_desk_runs_shows_and_repairs(room: Room):
    room.book.held.pop(room.receipts[0].number)
    office = room.office
    office.context = replace(
        office.context, accounts=SimpleNamespace(reconcile=room.reconcile),
        settings=SimpleNamespace(units={}, kinds={}, link=SimpleNamespace(dest=DEST)),
    )  # fmt: skip

    office.ask("reconcile.run", day=FIRST_DAY)
    for _turn in range(200):
        office.room.clock.advance(0.01)
    told = office.ask("reconcile.show")

    (row,) = told["differences"]
    assert ("only_here", "", [FIRST_DAY]) == (row["gap"], told["running"], told["open_days"])
    assert "resend" == office.ask("reconcile.repair", id=row["id"], reason="查实")["repair"]
    assert 1 == office.ask("reconcile.list")["runs"][0]["differences"]
    with pytest.raises(Refused, match="DAY_NAME"):
        office.ask("reconcile.run", day="2026-11")


def _uploads(room: Room) -> list[Any]:
    read: Callable[..., Any] = room.office.room.store.read
    return list(read(lambda conn: conn.execute(upload.select().order_by(upload.c.id)).all()))
