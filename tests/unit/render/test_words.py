"""Amounts in words: the zero rules, and that the words say the amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.render.words import amount_in_words

DIGITS = {word: value for value, word in enumerate("零壹贰叁肆伍陆柒捌玖")}
PLACES = {"拾": 10, "佰": 100, "仟": 1000}
GROUPS = {"万": 10**4, "亿": 10**8, "兆": 10**12}


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (100, "壹元整"),
        (101, "壹元零壹分"),
        (110, "壹元壹角整"),
        (1000, "壹拾元整"),
        (1050, "壹拾元零伍角整"),
        (3405, "叁拾肆元零伍分"),
        (60000, "陆佰元整"),
        (99354, "玖佰玖拾叁元伍角肆分"),
        (45334, "肆佰伍拾叁元叁角肆分"),
        (168032, "壹仟陆佰捌拾元零叁角贰分"),
        (10500, "壹佰零伍元整"),
        (100100, "壹仟零壹元整"),
        (1000000, "壹万元整"),
        (1000100, "壹万零壹元整"),
        (1010000, "壹万零壹佰元整"),
        (10700053, "壹拾万柒仟元零伍角叁分"),
        (1000000000, "壹仟万元整"),
        (10000000100, "壹亿零壹元整"),
        (10010000000, "壹亿零壹拾万元整"),
        (1234567890123, "壹佰贰拾叁亿肆仟伍佰陆拾柒万捌仟玖佰零壹元贰角叁分"),
        (-3405, "负叁拾肆元零伍分"),
    ],
)
def test_known_amounts(fen, words):
    assert words == amount_in_words(fen)


def _said(words: str) -> int:
    """Read the words back, by place and group."""
    sign = -1 if words.startswith("负") else 1
    fen = total = group = digit = 0
    for char in words.lstrip("负"):
        if char in DIGITS:
            digit = DIGITS[char]
        elif char in PLACES:
            group, digit = group + digit * PLACES[char], 0
        elif char in GROUPS:
            total, group, digit = total + (group + digit) * GROUPS[char], 0, 0
        elif char == "元":
            fen, digit = (total + group + digit) * 100, 0
        elif char == "角":
            fen, digit = fen + digit * 10, 0
        elif char == "分":
            fen, digit = fen + digit, 0
    return sign * fen


@given(st.integers(-(10**15), 10**15))
def test_the_words_say_the_amount(fen):
    assert fen == _said(amount_in_words(fen))


@given(st.integers(0, 10**15))
def test_no_double_zero_and_one_proper_end(fen):
    words = amount_in_words(fen)

    assert "零零" not in words
    assert words.endswith(("整", "分"))
    assert "零元" not in words or words == "零元整"
    for bad in ("零拾", "零佰", "零仟", "零万", "零亿", "零角", "零分", "零整"):
        assert bad not in words


def test_amount_beyond_words_is_an_error():
    with pytest.raises(ValueError):
        amount_in_words(10**18)
