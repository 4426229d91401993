"""The simulated UKEY: its PIN counts, its handles die with it, its knobs strike as told."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from fep.sim import sm
from fep.sim.signer import control
from fep.sim.signer.token import (
    INVALID_HANDLE,
    NOT_LOGGED_IN,
    OK,
    PIN_LOCKED,
    PIN_WRONG,
    REMOVED,
    Token,
    number,
)

CONNECT, OPEN_APPLICATION, VERIFY, OPEN_CONTAINER, SIGN = 2, 9, 11, 14, 19
PIN = "12345678"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[sm.PrivateKey, bytes]:
    """A key and its certificate."""
    place: Path = tmp_path_factory.mktemp("identity")
    sm.create_identity(place / "k", place / "c", "unit", 77)
    return sm.load_private((place / "k").read_bytes()), sm.load_certificate(
        (place / "c").read_bytes()
    ).der


@pytest.fixture
def token(identity: tuple[sm.PrivateKey, bytes]) -> Token:
    """A token nobody has touched."""
    return Token(*identity, PIN)


def opened(token: Token) -> tuple[int, int]:
    """Return the handles of application and container."""
    handle = 0
    found = []
    for call, name in ((CONNECT, "FEP-SIM"), (OPEN_APPLICATION, "FEP"), (OPEN_CONTAINER, "unit")):
        code, told = token.answer(call, handle, name.encode())
        assert OK == code
        handle = int.from_bytes(told, "big")
        found.append(handle)
    return found[1], found[2]


def test_a_signature_needs_a_login_and_is_the_keys(token: Token):
    application, container = opened(token)
    early, _ = token.answer(SIGN, container, bytes(32))
    login, _ = token.answer(VERIFY, application, PIN.encode())
    good, raw = token.answer(SIGN, container, hashlib.new("sm3", b"e").digest())

    assert (NOT_LOGGED_IN, OK, OK) == (early, login, good)
    assert 64 == len(raw)


def test_wrong_pins_count_down_to_a_lock_that_a_right_one_does_not_open(token: Token):
    application, _ = opened(token)
    codes = [token.answer(VERIFY, application, b"1") for _ in range(6)]
    after = token.answer(VERIFY, application, PIN.encode())

    assert [(PIN_WRONG, number(left)) for left in (5, 4, 3, 2, 1)] == codes[:5]
    assert [(PIN_LOCKED, number(0))] * 2 == [codes[5], after]


def test_pulled_out_handles_and_login_die(token: Token):
    application, container = opened(token)
    token.answer(VERIFY, application, PIN.encode())
    token.pull()
    gone, _ = token.answer(SIGN, container, bytes(32))
    token.put_in()
    stale, _ = token.answer(SIGN, container, bytes(32))
    _, again = opened(token)
    without, _ = token.answer(SIGN, again, bytes(32))

    assert (REMOVED, INVALID_HANDLE, NOT_LOGGED_IN) == (gone, stale, without)


def test_orders_turn_knobs_and_move_the_key(token: Token):
    def obey(*words: str) -> dict[str, object]:
        return asyncio.run(control.obey(token, words))

    assert not obey("pull")["present"]
    assert obey("insert")["present"]
    assert {"wrong_signatures": 2}.items() <= dict(
        obey("set", "wrong_signatures=2")["knobs"]  # type: ignore[call-overload]  # a mapping
    ).items()
    token.tries_left = 0
    assert 6 == obey("unlock")["tries_left"]
    for wrong in (["dance"], ["set"], ["set", "nothing=1"], ["set", "fails_with=x"], ["pull", "x"]):
        with pytest.raises(ValueError):
            obey(*wrong)
