"""A red receipt says the whole blue one again, turned round, and names it."""

from __future__ import annotations

import pytest

from fep.domain.kind import Kind, Mapped
from fep.domain.life_red import Ask, minus, red_event
from fep.wire import issue_params
from tests.unit.wire.events import event

KIND = Kind(
    "outpatient", "票据", "06", "{area2}0601{yy}", "{code}01",
    (Mapped("FundPayAmount", "ext.fund_pay", money=True), Mapped("Gender", "ext.gender")),
)  # fmt: skip
ASK = Ask("H001", "R1", "42060126", "0000000007", "退费", "李", "002", "20270104093000000")


def test_every_amount_is_turned_round_and_the_rest_stays():
    blue = issue_params.parse(event(ext={"gender": "男", "fund_pay": "100.00"}))

    red = red_event(blue, ASK, KIND, negative=True)

    assert (-12650, [-10650, -2000]) == (red.total_fen, [item.amount_fen for item in red.items])
    assert [-10000, -2650] == [channel.amount_fen for channel in red.channels]
    assert [("-35.5000", "35.5", "-1.00")] == [(d.amount, d.std, d.number) for d in red.details]
    assert {"gender": "男", "fund_pay": "-100.00"} == red.ext
    assert blue.payer == red.payer
    assert ("R1", "002", "李", ("42060126", "0000000007")) == (
        red.key, red.point, red.cashier, red.related,
    )  # fmt: skip
    assert "42060126" in red.remark
    assert "退费" in red.remark


def test_a_province_may_want_positive_amounts_in_the_document():
    blue = issue_params.parse(event())

    red = red_event(blue, ASK, KIND, negative=False)

    assert (blue.total_fen, blue.items) == (red.total_fen, red.items)
    assert ("42060126", "0000000007") == red.related


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("0.00", "0.00"), ("1.5", "-1.5"), ("-1.5", "1.5"), ("无", "无")],
)
def test_only_amounts_change_their_sign(text: str, expected: str):
    assert expected == minus(text)
