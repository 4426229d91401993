"""Tokens: short, bound to one receipt, telling nothing, and gone with the secret."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.domain.faults import Refused
from fep.domain.receipt import CHECK_ALPHABET, Receipt, ReceiptState
from fep.env import RealEntropy
from fep.services.web_token import ID_MAX, SECRET_FILE, Tokens, secret_of, stored_secret, url_of

TOKENS = Tokens(bytes(range(32)))
RECEIPT = Receipt(
    id=7, event_id=7, unit="H001", kind="outpatient", point="001", code="42060126",
    number="0000000007", state=ReceiptState.SEALED, amount_fen=1, check_code="a1B2c3",
    payer="欧阳䶮", issued_at=1_795_219_200_000, issued_on="2026-11-21",
)  # fmt: skip


@given(id_=st.integers(1, ID_MAX), secret=st.binary(min_size=32, max_size=32))
def test_a_token_finds_its_receipt(id_: int, secret: bytes) -> None:
    tokens, receipt = Tokens(secret), replace(RECEIPT, id=id_)

    token = tokens.of(receipt)

    assert re.fullmatch("[0-9A-Za-z]{16}", token)
    assert tokens.id_of(token) == id_
    assert tokens.fits(token, receipt)


def test_neighbours_have_nothing_in_common() -> None:
    tokens = [TOKENS.of(replace(RECEIPT, id=id_)) for id_ in range(1, 1001)]

    assert len({token[:6] for token in tokens}) > 990
    assert len({token[-6:] for token in tokens}) > 990


@pytest.mark.parametrize("change", [
    {"id": 8}, {"code": "42060127"}, {"number": "0000000008"}, {"check_code": "a1B2c4"},
])  # fmt: skip
def test_a_token_is_bound_to_all_that_identifies_a_receipt(change: dict[str, object]) -> None:
    other = replace(RECEIPT, **change)

    assert not TOKENS.fits(TOKENS.of(RECEIPT), other)


def test_a_changed_character_leads_to_no_receipt_with_that_token() -> None:
    token = TOKENS.of(RECEIPT)

    for place in range(16):
        for char in CHECK_ALPHABET:
            changed = token[:place] + char + token[place + 1 :]
            if changed == token:
                continue
            assert not TOKENS.fits(changed, RECEIPT)
            assert TOKENS.id_of(changed) != RECEIPT.id


@pytest.mark.parametrize("text", ["", "short", "Z" * 16, "一" * 16, "a" * 15 + "-", "a" * 17])
def test_what_is_no_token_has_no_id(text: str) -> None:
    assert TOKENS.id_of(text) is None


def test_another_secret_knows_none_of_the_tokens() -> None:
    assert not Tokens(b"x" * 32).fits(TOKENS.of(RECEIPT), RECEIPT)


def test_an_address_has_60_characters_at_most() -> None:
    base = "https://" + "a" * 29 + ".org"
    assert len(base) == 41

    assert len(url_of(base, TOKENS)(RECEIPT)) == 60


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = secret_of(tmp_path, RealEntropy())

    assert secret_of(tmp_path, RealEntropy()) == first
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600


def test_before_the_first_start_there_is_no_secret(tmp_path: Path) -> None:
    assert stored_secret(tmp_path) is None


@pytest.mark.parametrize(("text", "mode"), [
    ("zz", 0o600), ("00" * 31, 0o600), ("", 0o600), ("00" * 32, 0o644)
])  # fmt: skip
def test_a_secret_that_is_spoilt_is_not_used(tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / SECRET_FILE
    path.write_text(text)
    path.chmod(mode)

    with pytest.raises(Refused) as refused:
        secret_of(tmp_path, RealEntropy())

    assert refused.value.code == "WEB_SECRET"
    assert path.read_text() == text
