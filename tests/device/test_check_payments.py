"""The checkers of payments are checked: they find nothing where all is well, and what is not."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest

from tests.device.till_town import UNIT, TillTown
from tests.harness.books import read
from tests.harness.check_payments import check_captured, check_payments, check_ways
from tests.harness.world import World

CHECKS = (check_payments, check_captured, check_ways)


@pytest.fixture
def town(tmp_path):
    town = TillTown(tmp_path)
    town.start()
    town.sold("k1", receipt_key="e1")
    town.sold("k2", "9.00")
    town.ask("payment.refund", unit=UNIT, key="r1", of="k2", amount="4.00")
    town.knobs.crash = "after_ack"
    town.sold("k3")
    town.store.close()
    return town


def found(town, **changes):
    books = read(town.place / "fep.db")
    for table, rows in changes.items():
        books.tables[table] = rows
    world = World(books=books, money=town.host.lines)
    return [violation.detail for check in CHECKS for violation in check(world)]


def change(town, sql):
    with sqlite3.connect(town.place / "fep.db") as db:
        db.execute(sql)
    db.close()


def test_a_sound_till_has_no_violation(town):
    assert [] == found(town)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE payment SET state = 'declined' WHERE key = 'k1'", "k1 is declined"),
        ("UPDATE payment SET state = 'acked' WHERE key = 'k3'", "k3 is still acked"),
        ("UPDATE payment SET state = 'approved' WHERE key = 'k3'", "journal does not say"),
        ("UPDATE payment SET amount_fen = 1000 WHERE key = 'r1'", "given back of 900"),
        ("DELETE FROM payment WHERE key = 'k1'", "no payment of ours"),
    ],
)
def test_books_that_say_something_else_are_found(town, sql, told):
    change(town, sql)

    assert any(told in one for one in found(town))


def test_a_second_debit_and_a_receipt_of_another_amount_are_found(town):
    event = SimpleNamespace(id=1, unit=UNIT, key="e1")
    receipt = SimpleNamespace(id=1, event_id=1, amount_fen=1235, state="sealed")
    town.host.lines.append(dict(town.host.lines[0]))

    told = found(town, event=[event], receipt=[receipt])

    assert "k1 was charged 2 times" in told
    assert "e1: captured 1234, receipts 1235" in told
