"""The audit of numbers: sound stores add up, and every kind of damage is named."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from fep.domain.audit import FINDINGS_MAX, Audit, AuditBlock
from fep.domain.stock import Totals, added, forecast, phase
from fep.store import audit as slices
from fep.store import issuing, numbers, stock
from fep.store.audit import AuditWalk
from fep.store.queries_stock import stock_q
from tests.harness.storeroom import CODE, UNIT
from tests.unit.fence.guarded import Room

STRANGE = "INSERT INTO number_block VALUES (9, 'H001', '42060126',"


def _walked(room: Room) -> AuditWalk:
    walk = AuditWalk()
    while not walk.done:
        room.store.read(walk.step)
    return walk


def _found(room: Room) -> tuple[dict[Any, Totals], list[str]]:
    walk = _walked(room)
    totals = walk.audit.verdict()
    return totals, [str(each) for each in walk.audit.findings]


def _day(room: Room) -> None:
    """Live a day in which a number is burned and one is not yet signed."""
    room.issue("A", "B", "C")
    (frozen,) = room.freeze(room.draft("D"))
    room.done(room.store.do("refuse", issuing.refuse_txn, frozen.receipt, "SIG_TIMEOUT"))
    room.freeze(room.draft("E"))


def _damage(room: Room, *statements: str) -> None:
    room.close()
    connection = sqlite3.connect(room.site / "data" / "fep.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    room.open()


def test_a_sound_store_adds_up_number_by_number(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slices, "SLICE_ROWS", 2)
    _day(room)

    totals, findings = _found(room)

    assert [] == findings
    expected = Totals(granted=100, used=3, unsigned=1, burned=1, left=95)
    assert {(UNIT, CODE): expected} == totals
    assert 100 == expected.accounted


def test_burns_are_told_with_their_evidence(room: Room):
    _day(room)

    (told,) = _walked(room).told

    assert (f"{CODE}-0000000004", "SIG_TIMEOUT") == (told.ref, told.reason)
    assert told.evidence.startswith("journal ")


@pytest.mark.parametrize(
    ("statement", "ref", "finding"),
    [
        ("DELETE FROM receipt WHERE number = '0000000002'", 2, "in the journal and no document"),
        ("UPDATE receipt SET state = 'frozen' WHERE number = '0000000002'", 2,
         "not what the journal says"),
        ("UPDATE receipt SET state = 'sealed' WHERE number = '0000000004'", 4,
         "is burned and a receipt"),
        ("DELETE FROM burn", 4, "was given up without evidence"),
        ("UPDATE burn SET evidence = ''", 4, "is burned without evidence"),
        ("UPDATE number_block SET next = 8", 6, "was given and is nowhere"),
        ("UPDATE number_block SET unit = 'X'", 1, "was granted to another unit"),
        ("INSERT INTO burn VALUES ('42060126', '0000000900', 1, 'x', 'y')", 900,
         "is burned and was never granted"),
        ("UPDATE number_block SET first = 2", 1, "was never granted"),
        (f"{STRANGE} 50, 60, 50, 'reserve', 'person', 'e', 1, 0)", 50, "blocks overlap"),
        (f"{STRANGE} 500, 600, 500, 'reserve', 'person', 'e', 1, 0)", 500,
         "block is not in the journal"),
    ],
)  # fmt: skip
def test_damage_is_named(room: Room, statement: str, ref: int, finding: str):
    _day(room)
    _damage(room, statement)

    _totals, findings = _found(room)

    assert any(f"{CODE}-{ref:010d}" in each and finding in each for each in findings), findings


def test_a_receipt_sealed_or_burned_while_the_audit_walks_is_sound(room: Room):
    frozen = room.freeze(room.draft("A"), room.draft("B"))
    walk = AuditWalk()
    while walk.part is not slices.Part.JOURNAL:
        room.store.read(walk.step)
    room.seal(frozen[0].receipt)
    room.done(room.store.do("refuse", issuing.refuse_txn, frozen[1].receipt, "SIG_TIMEOUT"))
    room.grant(201, 210)
    while not walk.done:
        room.store.read(walk.step)

    totals = walk.audit.verdict()

    assert [] == walk.audit.findings
    assert Totals(granted=100, used=1, burned=1, left=98) == totals[UNIT, CODE]


def test_numbers_of_a_block_that_comes_while_the_audit_walks_are_no_strangers(room: Room):
    walk = AuditWalk()
    room.store.read(walk.step)
    room.issue(*(f"K{number}" for number in range(100)))
    room.grant(201, 210)
    room.issue("A")
    (late,) = room.freeze(room.draft("B"))
    room.done(room.store.do("refuse", issuing.refuse_txn, late.receipt, "SIG_TIMEOUT"))
    while not walk.done:
        room.store.read(walk.step)
    walk.audit.verdict()

    assert [] == walk.audit.findings


def test_doubles_among_rows_are_named():
    audit = Audit()
    audit.blocks([AuditBlock("U", "A", 1, 10, 3, "active")])
    for _time in range(2):
        audit.receipt("U", "A", "0000000001", "sealed")
        audit.burn("A", "0000000002", "x", "y")
        audit.record("receipt.frozen", "A-0000000001")
        audit.record("node.started", "")
    audit.record("receipt.frozen", "B-0000000001")
    audit.receipt("U", "A", "0000000009", "sealed")  # given since the audit began
    audit.verdict()

    whats = [finding.what for finding in audit.findings]
    assert {
        "stands twice among the documents", "is burned twice",
        "is in the journal twice (receipt.frozen)", "is in the journal and was never granted",
    } <= set(whats)  # fmt: skip


def test_findings_and_strangers_are_bounded():
    audit = Audit()
    audit.blocks([AuditBlock("U", "A", 1, 2 * FINDINGS_MAX, 2 * FINDINGS_MAX + 1, "exhausted")])
    for number in range(FINDINGS_MAX + 5):
        audit.receipt("U", "B", f"{number + 1:010d}", "sealed")
    audit.verdict()

    assert FINDINGS_MAX == len(audit.findings)
    assert audit.found > 2 * FINDINGS_MAX


# blocks that end
def test_the_rest_of_a_block_goes_back_and_is_accounted(room: Room):
    room.issue("A")
    ended = room.done(
        room.store.do("return", stock.return_txn, CODE, "0000000001", "换代码", "admin")
    )
    (refused,) = room.freeze(room.draft("B"))

    assert ("0000000002", "0000000100", 99) == (ended.first, ended.last, ended.count)
    assert "NUM_NONE" == refused.code
    totals, findings = _found(room)
    assert ([], 99) == (findings, totals[UNIT, CODE].returned)


def test_an_expired_block_gives_nothing_and_ends_with_a_record(room: Room):
    room.done(room.store.do("return", stock.return_txn, CODE, "0000000001", "换代码", "admin"))
    block = numbers.Grant(
        UNIT, CODE, "0000000201", "0000000210", "platform", "G", not_after=room.wall_ms + 10
    )
    room.done(room.store.do("grant", numbers.grant_txn, block))
    room.issue("A")
    room.wall_ms += 11
    (refused,) = room.freeze(room.draft("B"))
    (ended,) = room.done(room.store.do("expire", stock.expire_txn, room.wall_ms))

    assert ("NUM_NONE", "0000000202", 9) == (refused.code, ended.first, ended.count)
    totals, findings = _found(room)
    assert ([], 9) == (findings, totals[UNIT, CODE].expired)


def test_a_reserve_gives_numbers_only_when_opened(room: Room):
    room.done(room.store.do("return", stock.return_txn, CODE, "0000000001", "换代码", "admin"))
    block = numbers.Grant(UNIT, CODE, "0000000201", "0000000210", "person", "G", sealed=True)
    room.done(room.store.do("grant", numbers.grant_txn, block))
    (refused,) = room.freeze(room.draft("A"))
    room.done(room.store.do("open", stock.open_reserve_txn, CODE, "0000000201", "用完了", "admin"))
    (receipt,) = room.issue("A")

    assert ("NUM_NONE", "0000000201") == (refused.code, receipt.number)
    assert ["numbers.granted", "numbers.returned", "numbers.granted", "numbers.opened"] == room.ops(
        "numbers."
    )


def test_a_block_that_is_not_there_cannot_be_returned(room: Room):
    from fep.domain.faults import Refused

    for first in ("0000000007", "x"):
        with pytest.raises(Refused, match="NUM_BLOCK"):
            room.done(room.store.do("return", stock.return_txn, CODE, first, "x", "admin"))


# how they are told
@pytest.mark.parametrize(
    ("state", "next_", "not_after", "told"),
    [
        ("active", 1, 0, "granted"), ("active", 5, 0, "active"), ("active", 5, 99, "expired"),
        ("active", 5, 101, "active"), ("burned", 5, 1, "burned"),
    ],
)  # fmt: skip
def test_a_block_is_told_finer_than_it_is_kept(state: str, next_: int, not_after: int, told: str):
    assert told == phase(state, 1, next_, not_after, 100)


def test_a_stock_is_measured_by_its_busiest_day():
    assert (4, 100, True) == (
        forecast(400, [10, 100, 3]).days, forecast(400, [10, 100, 3]).busiest,
        forecast(400, [10, 100, 3]).low,
    )  # fmt: skip
    assert not forecast(700, [100]).low
    assert (None, False) == (forecast(5, []).days, forecast(5, []).low)
    assert Totals(3, used=1, left=2) == added(Totals(1), {"granted": 2, "used": 1, "left": 2})


def test_a_block_is_over_for_a_receipt_that_is_dated_after_its_end(room: Room):
    room.done(room.store.do("return", stock.return_txn, CODE, "0000000001", "换代码", "admin"))
    for first, end in ((201, room.wall_ms + 1000), (301, 0)):
        block = numbers.Grant(
            UNIT, CODE, f"{first:010d}", f"{first + 9:010d}", "platform", "G", not_after=end
        )
        room.done(room.store.do("grant", numbers.grant_txn, block))
    room.wall_ms += 2000
    (late,) = room.issue("A")
    room.wall_ms -= 1500  # set right: issue times do not decrease, and the block is over for them

    (after,) = room.issue("B")

    assert (late.number, late.issued_at) == ("0000000301", after.issued_at)
    assert "0000000302" == after.number


def test_numbers_past_their_last_moment_are_not_in_hand(room: Room):
    block = numbers.Grant(
        UNIT, CODE, "0000000201", "0000000210", "platform", "G", not_after=room.wall_ms
    )
    room.done(room.store.do("grant", numbers.grant_txn, block))

    (now,) = room.store.read(stock_q, room.wall_ms)
    (later,) = room.store.read(stock_q, room.wall_ms + 1)

    assert (110, 100) == (now.left, later.left)
