"""Paper sheets: used in order, void with a reason, one a receipt, and the platform is told."""

from __future__ import annotations

import json

from fep.store import queries_sheets
from tests.harness.storeroom import UNIT
from tests.unit.life.ward import POINT, SHEETS, Ward, code_of, sheet


def test_receipts_take_the_sheets_of_a_point_in_order(ward: Ward):
    first, second = ward.issue(), ward.issue()

    assert [sheet(1), sheet(2)] == [ward.exchange(first).sheet, ward.exchange(second).sheet]
    assert sheet(1) == ward.standing(first).sheet
    assert sheet(3) == ward.next_sheet()


def test_the_sheet_in_the_printer_must_be_the_next_one(ward: Ward):
    receipt = ward.issue()

    assert "PAPER_NEXT" == code_of(ward.exchange, receipt, sheet(3))
    ward.void(1, 2)
    assert sheet(3) == ward.exchange(receipt, sheet(3)).sheet


def test_sheets_voided_ahead_are_passed_over_with_evidence(ward: Ward):
    ward.void(2, 4)
    receipts = [ward.issue() for _ in range(2)]

    assert [sheet(1), sheet(5)] == [ward.exchange(receipt).sheet for receipt in receipts]


def test_an_exchange_repeated_with_its_sheet_is_answered_again(ward: Ward):
    receipt = ward.issue()
    ward.exchange(receipt)

    assert ward.exchange(receipt, sheet(1)).repeated
    assert "PAPER_EXCHANGED" == code_of(ward.exchange, receipt)
    assert "PAPER_EXCHANGED" == code_of(ward.exchange, receipt, sheet(2))


def test_exchanging_again_voids_the_old_sheet(ward: Ward):
    receipt = ward.issue()
    assert "PAPER_NOT_EXCHANGED" == code_of(ward.reexchange, receipt)
    ward.exchange(receipt)

    done = ward.reexchange(receipt)

    assert (sheet(2), sheet(1)) == (done.sheet, done.replaced)
    assert ward.reexchange(receipt, sheet(2)).repeated
    assert ["void", "used"] == [row.state for row in ward.rows("sheet")]


def test_a_used_sheet_is_not_given_twice(ward: Ward):
    ward.exchange(ward.issue())

    assert "PAPER_USED" == code_of(ward.exchange, ward.issue(), sheet(1))
    ward.void(1)
    assert "PAPER_VOID" == code_of(ward.exchange, ward.issue(), sheet(1))


def test_voiding_is_all_or_nothing_and_repeatable(ward: Ward):
    ward.void(2)
    assert "PAPER_VOID" == code_of(ward.void, 1, 3)
    assert [sheet(2)] == ward.void(2)
    assert "PAPER_VOID" == code_of(ward.void, 2, 2, "另一个原因")
    assert "PAPER_UNKNOWN" == code_of(ward.void, 21)
    assert "PAPER_RANGE" == code_of(ward.void, 3, 1)

    assert [sheet(2)] == [f"{row.code}-{row.number}" for row in ward.rows("sheet")]


def test_the_last_sheet_ends_a_block_and_the_next_block_goes_on(ward: Ward):
    ward.void(1, 20)
    receipt = ward.issue()
    assert "PAPER_NONE" == code_of(ward.exchange, receipt)

    ward.paper(41, 50)

    assert sheet(41) == ward.exchange(receipt).sheet
    assert ["exhausted", "active"] == [row.state for row in ward.rows("sheet_block")]


def test_a_block_is_imported_once_and_never_overlaps(ward: Ward):
    assert not ward.paper(1, 20)
    assert "PAPER_OVERLAP" == code_of(ward.paper, 20, 30)
    assert ward.paper(20, 30, "042127")


def test_a_reversed_receipt_takes_no_paper_and_its_red_one_may(ward: Ward):
    blue = ward.issue()
    red = ward.reverse(blue)

    assert "LIFE_REVERSED_PAPER" == code_of(ward.exchange, blue)
    assert sheet(1) == ward.exchange(red).sheet


def test_the_platform_is_told_of_every_sheet_in_order(ward: Ward):
    receipt = ward.issue()
    ward.exchange(receipt)
    ward.reexchange(receipt)
    ward.void(2)
    ward.void(3, 4)

    acts = [(row.op, json.loads(row.body)) for row in ward.rows("sheet_act")]

    assert ["PAPER", "PAPER", "VOID_PAPER", "VOID_BLANK"] == [op for op, _ in acts]
    assert sheet(1) == acts[1][1]["replaces"]
    assert ("00000003", "00000004") == (acts[3][1]["number"], acts[3][1]["last"])


def test_stock_and_lists_tell_blank_used_and_void(ward: Ward):
    receipt = ward.issue()
    ward.void(1)
    ward.exchange(receipt)
    ward.void(5)
    read = ward.room.store.read

    (block,) = read(queries_sheets.blocks_q)
    assert (17, 1, 2, "00000003") == (block.left, block.used, block.void, block.next)
    assert 17 == read(queries_sheets.left_q, UNIT, POINT, SHEETS)
    told = read(queries_sheets.list_q, UNIT, POINT, "", "", 2)
    assert [sheet(1), sheet(2)] == [row["sheet"] for row in told["sheets"]]
    rest = read(queries_sheets.list_q, UNIT, "", "void", told["next"], 2)
    assert [sheet(5)] == [row["sheet"] for row in rest["sheets"]]
    assert "blank" == read(queries_sheets.told_q, UNIT, sheet(9))["state"]
    assert receipt.ref == read(queries_sheets.told_q, UNIT, sheet(2))["receipt"]
    of_one = read(queries_sheets.of_receipt_q, UNIT, receipt.code, receipt.number)
    assert [sheet(2)] == [row["sheet"] for row in of_one]
    assert "PAPER_UNKNOWN" == code_of(read, queries_sheets.told_q, UNIT, sheet(99))
