"""Numbers and times of the dialect, however they are written, are written one way."""

from __future__ import annotations

import random
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.wire.dialects.medical_values import amount, count, dashed, day, decimal, moment, text


def test_decimals_are_those_of_an_independent_reckoning():
    dice = random.Random(7)
    for _ in range(3000):
        whole, part = dice.randrange(10 ** dice.randint(1, 9)), dice.randrange(10**6)
        sign, zeros = dice.choice(["", "-", "+"]), "0" * dice.randint(0, 3)
        given = f"{sign}{zeros}{whole}.{part:06d}"[: dice.randint(3, 20)]
        if given.strip("+-0.") == "" or given.endswith("."):
            continue
        wanted = Decimal(given).quantize(Decimal("0.0001"), ROUND_DOWN).normalize()
        assert f"{wanted + 0:f}" == decimal(given, "x", 4), given


def test_amounts_and_counts():
    assert ["12.30", "-5.00", "0.50", "0.00", "120.00", "", ""] == [
        amount(value, "x") for value in ("12.3", -5, ".5", "-0.00", "1.2E2", None, " ")
    ]
    assert [3, 3, 7, 7] == [count(value, "x", 7) for value in (3, "3.0", None, "")]


@pytest.mark.parametrize(
    ("read", "value"),
    [(amount, "12.345"), (amount, "x"), (amount, "1e99"), (amount, "9" * 30), (amount, "."),
     (amount, "１２"), (amount, 1.5), (decimal, "1e-999"), (decimal, "9" * 12), (count, "-1"),
     (count, "1.5"), (count, 2**31), (day, "20261301"), (day, "x"), (moment, "2026"),
     (moment, "20261132000000000"), (moment, "20260231080000000"), (moment, "20261121250000000"),
     (moment, "20261121096000000"), (moment, "20261121093060"), (day, "2026-02-29"),
     (day, "20260431"), (moment, "2026-11-31"), (text, "x" * 51), (text, [1]), (text, 10**50),
     (text, "a\x00b")],
)  # fmt: skip
def test_what_is_none_is_refused_by_the_name_of_its_field(read: Any, value: Any):
    more = {amount: (), decimal: (4,), count: (0,), day: (), moment: (), text: (50,)}[read]

    with pytest.raises(Refused) as refused:
        read(value, "the.field", *more)

    assert "the.field" == refused.value.details["field"]


def test_times_of_any_length_are_of_seventeen_digits():
    assert "20261121093011123" == moment("20261121093011123", "x")
    assert "20261121093011000" == moment("2026-11-21 09:30:11", "x")
    assert "20261121000000000" == moment("2026-11-21", "x")
    assert "20261121235959999" == moment("20261121", "x", fill="235959999")
    assert "20261121093059999" == moment("202611210930", "x", fill="235959999")
    assert "20261101080000000" == moment("2026-11-1 8:00:00.000", "x")
    assert "20260105080500000" == moment("2026/1/5 8:5", "x")
    assert "20280229235959123" == moment("2028-02-29T23:59:59.123", "x")
    assert ("2026-11-21", "2026", "") == (dashed("20261121"), dashed("2026"), dashed(""))
