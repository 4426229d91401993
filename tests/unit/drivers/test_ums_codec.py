"""The record of `bankall`: widths by bytes, Chinese text, the year of a day without one."""

from __future__ import annotations

from datetime import date

import pytest

from drivers.ums import codec, load, parse_options
from drivers.ums.codec import BadRecord, Request
from fep.domain.payment import Op, Totals, Way
from fep.sim.ums.record import Answer, parse

SALE = Request("00000001", "01", "00", 1234, 7)


def test_a_sale_is_the_record_of_the_facts():
    assert b"0000000101      00000000001234" + b" " * 26 + b"007" == codec.request(SALE)


def test_every_field_of_a_request_is_read_back_by_the_simulators_own_code():
    asked = Request("12345678", "0001", "02", 99, 998, "20261121", "000000000042", "000007", "28")

    read = parse(codec.request(asked))

    assert ("12345678", "0001", "02", "000000000099", "20261121", "000000000042", "000007", "998",
            "28") == (read.terminal, read.operator, read.type, read.amount, read.day, read.ref,
                      read.trace, read.nonce, read.info)  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        Request("123456789", "01", "00", 1, 1), Request("1", "李收费", "00", 1, 1),
        Request("1", "01", "00", -1, 1), Request("1", "01", "00", 10**12, 1),
        Request("1", "0\n", "00", 1, 1),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_instead_of_shifted(wrong: Request):
    with pytest.raises(BadRecord):
        codec.request(wrong)


def test_an_answer_is_cut_by_bytes_and_decoded_after():
    raw = Answer("51", "007", 1234, "621700*********1234", "000042", "余额不足", "000003",
                 "1231235959", "000000000042", "A1", "签购单").build()  # fmt: skip

    told = codec.reply(raw)
    record = codec.record(told, "26", date(2027, 1, 1))

    assert ("51", "余额不足", 1234, "007", "签购单", "000003") == (
        told.code, told.text, told.amount_fen, told.nonce, told.slip, told.batch)  # fmt: skip
    assert ("621700*********1234", "20261231235959") == (record.pan, record.at)


@pytest.mark.parametrize("size", [0, 1, 147])
def test_a_short_answer_is_no_record(size: int):
    with pytest.raises(BadRecord):
        codec.reply(b"0" * size)


def test_an_amount_that_is_no_number_is_no_record():
    raw = bytearray(Answer("00", "007", 5).build())
    raw[40:42] = b"-1"

    with pytest.raises(BadRecord):
        codec.reply(bytes(raw))


@pytest.mark.parametrize(
    ("at", "today", "known"),
    [
        ("1231235959", date(2027, 1, 1), "20261231235959"),
        ("0101000001", date(2026, 12, 31), "20270101000001"),
        ("0229120000", date(2028, 3, 1), "20280229120000"),
        ("0229120000", date(2026, 3, 1), ""),
        ("1399120000", date(2026, 3, 1), ""),
        ("", date(2026, 3, 1), ""),
        ("１231235959", date(2026, 3, 1), ""),
    ],
)
def test_the_year_is_the_one_in_which_the_day_is_nearest(at: str, today: date, known: str):
    assert known == codec.moment(at, today)


def test_a_site_corrects_codes_without_touching_the_program():
    options = parse_options(
        {"transport": {"type": "bridge", "bridge": "pc", "name": "pos"},
         "options": {"terminal": "1", "code_unsure": "Z1 Z2", "code_pay_scan": "72",
                     "code_sales": r"S (\d+) (\d+\.\d\d)", "reprint_proves": False}}
    )  # fmt: skip

    profile = load("umspay").with_codes(options.codes)

    assert ({"Z1", "Z2"}, "72", "00") == (profile.unsure, profile.types[Op.PAY, Way.SCAN],
                                          profile.types[Op.PAY, Way.CARD])  # fmt: skip
    assert (r"S (\d+) (\d+\.\d\d)", False) == (profile.sales, options.reprint_proves)


@pytest.mark.parametrize(
    "options",
    [{"code_nothing": "1"}, {"code_sales": "("}, {"code_sales": "x"}, {"unknown": 1}],
)
def test_an_option_that_is_none_is_refused(options: dict[str, object]):
    where = {"type": "bridge", "bridge": "pc", "name": "pos"}
    with pytest.raises(ValueError):
        parse_options({"transport": where, "options": options})


def test_the_library_is_behind_a_port_of_a_bridge():
    for where in ({"type": "tcp", "host": "h"}, {"type": "bridge", "bridge": "pc", "queue": "q"}):
        with pytest.raises(ValueError):
            parse_options({"transport": where})


def test_the_totals_stand_on_the_slip_of_a_settlement():
    profile = load("umspay")
    slip = "结算单\n消费 3 300.05\n退货 1 0.50\n"
    told = codec.reply(Answer("00", "007", batch="000003", slip=slip).build())
    bare = codec.reply(Answer("00", "007", batch="000003").build())

    assert Totals("000003", 3, 30005, 1, 50) == codec.totals(told, profile.sales, profile.refunds)
    assert codec.totals(bare, profile.sales, profile.refunds) is None
