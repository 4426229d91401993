"""The traps of gmssl stay shut."""

from __future__ import annotations

import random

import pytest

from fep.crypto import der, gm, selftest
from fep.crypto.curve import N
from fep.crypto.errors import BadCipher, CryptoError


class Script:
    """Entropy that says what a test wrote, and counts."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    def token(self, size: int) -> bytes:
        raise AssertionError(size)

    def below(self, bound: int) -> int:
        self.asked.append(bound)
        return self.answers.pop(0)


def test_nonce_is_ours_and_covers_1_to_n_minus_1() -> None:
    entropy = Script(selftest.NONCE - 1)
    secret = gm.GmSecret(selftest.SCALAR, selftest.POINT, entropy)

    signature = secret.sign_digest(selftest.DIGEST)

    assert der.der_to_raw(signature) == selftest.SIGNATURE
    assert entropy.asked == [N - 1]


def test_python_random_is_never_drawn() -> None:
    secret = gm.GmSecret(selftest.SCALAR, selftest.POINT, Script(4711, 4712))
    public = gm.GmPublic(selftest.POINT)
    before = random.getstate()

    secret.sign_digest(selftest.DIGEST)
    public.encrypt(b"x", Script(99))

    assert random.getstate() == before


def test_nonce_that_gives_no_signature_is_drawn_again() -> None:
    """r = 0 happens for e = -x1 mod n; the next nonce must then be used."""
    kg = gm.multiply_base(selftest.NONCE)
    hostile = (-int.from_bytes(kg[:32], "big")) % N
    entropy = Script(selftest.NONCE - 1, 7)
    secret = gm.GmSecret(selftest.SCALAR, selftest.POINT, entropy)

    signature = secret.sign_digest(hostile.to_bytes(32, "big"))

    assert entropy.answers == []
    assert gm.GmPublic(selftest.POINT).verify_digest(hostile.to_bytes(32, "big"), signature)


def test_entropy_that_never_gives_a_signature_is_an_error() -> None:
    kg = gm.multiply_base(selftest.NONCE)
    hostile = (-int.from_bytes(kg[:32], "big")) % N
    stuck = Script(*[selftest.NONCE - 1] * 4)

    with pytest.raises(CryptoError, match="entropy"):
        gm.GmSecret(selftest.SCALAR, selftest.POINT, stuck).sign_digest(hostile.to_bytes(32, "big"))


def test_point_at_infinity_during_verification_is_false() -> None:
    """s*G + t*P = O trips gmssl over None; the answer is False."""
    # P = d*G, t = r+s: s + (r+s)*d = 0 mod n, solved for r with s = 5.
    s = 5
    r = (-s * pow(selftest.SCALAR, -1, N) - s) % N
    signature = der.write_signature(r, s)

    assert gm.GmPublic(selftest.POINT).verify_digest(selftest.DIGEST, signature) is False


def test_c3_is_compared() -> None:
    broken = bytes((selftest.CIPHER_MAC[0] ^ 1,)) + selftest.CIPHER_MAC[1:]
    sealed = der.write_cipher(selftest.CIPHER_POINT, broken, selftest.CIPHER_MASKED)

    with pytest.raises(BadCipher):
        gm.GmSecret(selftest.SCALAR, selftest.POINT, None).decrypt(sealed)


def test_sm3_of_gmssl_leaves_the_caller_alone() -> None:
    data = bytearray(b"abc")

    assert gm._sm3_of(bytes(data)).hex() == selftest.SM3_ABC
    assert data == b"abc"
