"""Identifiers, numbers and texts of a receipt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.domain import numbers
from fep.domain.numbers import Block
from fep.domain.receipt import check_code, einvoice_id
from fep.domain.text import ForbiddenText, clean, mask


def test_einvoice_id_is_code_and_number_in_reverse():
    assert "7654321000-12101023" == einvoice_id("32010121", "0001234567")


@given(st.binary(min_size=8, max_size=8))
def test_a_check_code_is_six_letters_or_digits(draw: bytes):
    code = check_code(draw)

    assert 6 == len(code)
    assert code.isascii()
    assert code.isalnum()


def test_a_block_gives_every_number_once_and_then_the_next_block_follows():
    blocks = (Block(1, "U", "C", 5, 6, 5), Block(2, "U", "C", 90, 90, 90))
    given = []
    while (taken := numbers.take(blocks)) is not None:
        number, block_id, blocks = taken
        given.append((number, block_id))

    assert [(5, 1), (6, 1), (90, 2)] == given
    assert () == blocks


def test_a_number_is_text_with_its_zeros():
    assert "0022739009" == numbers.number_text(22739009)
    assert 22739009 == numbers.parse_number("0022739009")
    assert numbers.parse_number("22739009") is None
    assert numbers.parse_number("0000000000") is None
    assert numbers.parse_number("００２２７３９００９") is None


def test_tab_and_line_ends_become_blanks_and_nothing_else_changes():
    assert "a b  c䶮𬭎㛃" == clean("a\tb\r\nc䶮𬭎㛃")


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x1d", "\x7f", "\x85", "\ufffe", "\u202e"])
def test_a_control_character_is_refused_by_name(char: str):
    with pytest.raises(ForbiddenText, match=f"U\\+{ord(char):04X}"):
        clean(f"王{char}V")


def test_identity_numbers_are_masked_as_on_the_official_samples():
    assert "420982********0059" == mask("420982198803120059")
    assert "K****9" == mask("K00199")
    assert "**" == mask("12")
