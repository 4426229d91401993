"""SM3 and SM4: known answers, slices, padding, tags."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from gmssl import sm3 as gm_sm3
from gmssl import sm4 as gm_sm4
from hypothesis import given
from hypothesis import strategies as st

from fep.crypto import selftest, sm3, sm4
from fep.crypto.errors import BadCipher

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
IV = bytes(range(16))
NONCE = bytes(range(12))
keys = st.binary(min_size=16, max_size=16)


@pytest.mark.parametrize("size", [0, 1, 55, 64, 2046, 2047, 2048, 4094, 4095, 65536, 65537])
def test_digest_does_not_depend_on_the_slices(size: int) -> None:
    data = bytes(index % 251 for index in range(size))

    whole = hashlib.new("sm3", data).digest()

    assert sm3.digest(data) == whole
    assert sm3.new(data).digest() == whole


def test_digest_of_the_standard() -> None:
    assert sm3.digest(b"abc").hex() == selftest.SM3_ABC
    assert sm3.digest(b"abcd" * 16).hex() == (
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


def test_digest_agrees_with_gmssl() -> None:
    assert sm3.digest(b"fep" * 50).hex() == gm_sm3.sm3_hash(list(b"fep" * 50))


def test_digest_in_pieces() -> None:
    running = sm3.new(b"a")
    running.update(b"b")
    running.update(memoryview(b"c"))

    assert running.hexdigest() == selftest.SM3_ABC


@given(st.binary(max_size=200), st.binary(max_size=5000))
def test_hmac_is_rfc_2104(key: bytes, data: bytes) -> None:
    block = (hashlib.new("sm3", key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.new("sm3", bytes(b ^ 0x36 for b in block) + data).digest()
    outer = hashlib.new("sm3", bytes(b ^ 0x5C for b in block) + inner).digest()

    assert sm3.hmac(key, data) == outer
    assert sm3.hmac(key, data) == hmac.new(key, data, "sm3").digest()


@given(keys, keys, st.binary(max_size=200))
def test_cbc_goes_out_and_comes_back(key: bytes, iv: bytes, plain: bytes) -> None:
    sealed = sm4.cbc_encrypt(key, iv, plain)

    assert len(sealed) == len(plain) // 16 * 16 + 16
    assert sm4.cbc_decrypt(key, iv, sealed) == plain


def test_cbc_agrees_with_gmssl() -> None:
    machine = gm_sm4.CryptSM4()
    machine.set_key(KEY, gm_sm4.SM4_ENCRYPT)

    assert sm4.cbc_encrypt(KEY, IV, b"receipt" * 9) == machine.crypt_cbc(IV, b"receipt" * 9)


@pytest.mark.parametrize("size", [0, 1, 15, 17])
def test_cbc_of_broken_blocks_is_refused(size: int) -> None:
    with pytest.raises(BadCipher):
        sm4.cbc_decrypt(KEY, IV, bytes(size))


@pytest.mark.parametrize("padded", [b"", bytes(16), b"x" * 15 + b"\x11", b"x" * 14 + b"\1\2"])
def test_bad_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(BadCipher):
        sm4.unpad(padded)


def test_bad_cipher_is_a_value_error() -> None:
    assert issubclass(BadCipher, ValueError)


@given(keys, st.binary(min_size=12, max_size=12), st.binary(max_size=200), st.binary(max_size=80))
def test_gcm_goes_out_and_comes_back(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> None:
    sealed = sm4.gcm_encrypt(key, nonce, plain, aad)

    assert len(sealed) == len(plain) + 16
    assert sm4.gcm_decrypt(key, nonce, sealed, aad) == plain


@given(st.data())
def test_gcm_with_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(sm4.gcm_encrypt(KEY, NONCE, b"receipt", b"header"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(BadCipher):
        sm4.gcm_decrypt(KEY, NONCE, bytes(sealed), b"header")


def test_gcm_with_another_header_or_too_short_is_refused() -> None:
    sealed = sm4.gcm_encrypt(KEY, NONCE, b"receipt", b"header")

    with pytest.raises(BadCipher):
        sm4.gcm_decrypt(KEY, NONCE, sealed, b"other")
    with pytest.raises(BadCipher):
        sm4.gcm_decrypt(KEY, NONCE, sealed[:15], b"header")


def test_gcm_nonce_has_12_bytes() -> None:
    with pytest.raises(ValueError):
        sm4.gcm_encrypt(KEY, IV, b"", b"")
