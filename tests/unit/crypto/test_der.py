"""One value has one encoding; every other is refused."""

from __future__ import annotations

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from fep.crypto import der
from fep.crypto.curve import N
from fep.crypto.errors import BadDer

numbers = st.integers(1, N - 1)


@given(numbers, numbers)
def test_signature_goes_out_and_comes_back(r: int, s: int) -> None:
    encoded = der.write_signature(r, s)

    assert der.read_signature(encoded) == (r, s)
    assert der.raw_to_der(der.der_to_raw(encoded)) == encoded


@given(numbers, numbers)
def test_signature_is_what_asn1crypto_writes(r: int, s: int) -> None:
    theirs = core.SequenceOf([r, s], spec=core.Integer).dump()

    assert der.write_signature(r, s) == theirs


@given(st.binary(max_size=80))
def test_bytes_are_either_refused_or_the_only_encoding(data: bytes) -> None:
    try:
        r, s = der.read_signature(data)
    except BadDer:
        return
    assert der.write_signature(r, s) == data


@given(numbers, numbers, st.data())
def test_any_changed_byte_is_refused_or_another_signature(
    r: int, s: int, data: st.DataObject
) -> None:
    encoded = bytearray(der.write_signature(r, s))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))

    try:
        read = der.read_signature(bytes(encoded))
    except BadDer:
        return
    assert read != (r, s)
    assert der.write_signature(*read) == bytes(encoded)


@given(numbers, numbers, st.binary(min_size=1, max_size=4))
def test_trailing_bytes_are_refused(r: int, s: int, tail: bytes) -> None:
    with pytest.raises(BadDer):
        der.read_signature(der.write_signature(r, s) + tail)


@given(numbers, numbers)
def test_every_truncation_is_refused(r: int, s: int) -> None:
    encoded = der.write_signature(r, s)

    for size in range(len(encoded)):
        with pytest.raises(BadDer):
            der.read_signature(encoded[:size])


@pytest.mark.parametrize(
    "hexed",
    [
        "3080020105020105" + "0000",  # indefinite length
        "30810602010502010a",  # length in the long form though short
        "3006" + "028101050201",  # the same inside
        "300702020005020105",  # leading zero
        "3006020180020105",  # negative
        "30050200020105",  # empty integer
        "3106020105020105",  # a set
        "3009020105020105020105",  # three numbers
        "3085000000000a020105020105",  # five length bytes
    ],
)
def test_other_spellings_are_refused(hexed: str) -> None:
    with pytest.raises(BadDer):
        der.read_signature(bytes.fromhex(hexed))


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (N, 1), (1, N), (2**256 - 1, 1)])
def test_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    with pytest.raises(BadDer):
        der.read_signature(der.write_signature(r, s))
    with pytest.raises(BadDer):
        der.raw_to_der(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_raw_signature_has_64_bytes() -> None:
    with pytest.raises(BadDer):
        der.raw_to_der(bytes(63))


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=32, max_size=32),
       st.binary(min_size=1, max_size=300))  # fmt: skip
def test_ciphertext_goes_out_and_comes_back(point: bytes, mac: bytes, masked: bytes) -> None:
    assert der.read_cipher(der.write_cipher(point, mac, masked)) == (point, mac, masked)


@given(st.binary(max_size=160))
def test_ciphertext_bytes_are_refused_or_the_only_encoding(data: bytes) -> None:
    try:
        parts = der.read_cipher(data)
    except BadDer:
        return
    assert der.write_cipher(*parts) == data


@pytest.mark.parametrize("mac_bytes", [31, 33])
def test_ciphertext_with_c3_of_another_length_is_refused(mac_bytes: int) -> None:
    with pytest.raises(BadDer):
        der.read_cipher(der.write_cipher(bytes(64), bytes(mac_bytes), b"x"))


def test_ciphertext_of_nothing_is_refused() -> None:
    with pytest.raises(BadDer):
        der.read_cipher(der.write_cipher(bytes(64), bytes(32), b""))
