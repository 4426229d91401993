"""Money is read strictly and written back the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.domain.money import NotMoney, format_fen, parse_fen, parse_scaled


@pytest.mark.parametrize(
    ("text", "fen"),
    [("12.30", 1230), ("0.5", 50), ("-5", -500), ("0", 0), ("99999999999.99", 9999999999999)],
)
def test_a_decimal_of_at_most_two_places_is_fen(text: str, fen: int):
    assert fen == parse_fen(text)


@pytest.mark.parametrize(
    "text",
    ["", "1e30", "NaN", "Infinity", "1.234", " 1", "1 ", "+1", "1,000", "１２", ".5", "1.",
     "0x10", "1\n", "--1", "999999999999"],
)  # fmt: skip
def test_anything_else_is_refused(text: str):
    with pytest.raises(NotMoney):
        parse_fen(text)


@given(st.integers(-(10**13) + 1, 10**13 - 1))
def test_what_is_written_is_read_back(fen: int):
    assert fen == parse_fen(format_fen(fen))


def test_scaled_numbers_keep_every_place():
    assert 35_500_000 == parse_scaled("35.5", 6)
    assert -1 == parse_scaled("-0.0001", 4)
    with pytest.raises(NotMoney):
        parse_scaled("0.00001", 4)


@given(st.text(alphabet="0123456789.-+ ٣e", max_size=16))
def test_an_amount_is_what_the_grammar_says_however_it_is_read(text: str):
    grammar = re.fullmatch(r"(-?)([0-9]{1,11})(?:\.([0-9]{1,2}))?", text)
    if grammar is None:
        with pytest.raises(NotMoney):
            parse_fen(text)
        return
    sign, whole, part = grammar.groups()
    assert int(f"{sign}{whole}{(part or '').ljust(2, '0')}") == parse_fen(text)
