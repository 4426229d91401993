"""The simulators' SM2 says the same with a table of a key's multiples as without."""

from __future__ import annotations

from pathlib import Path

import pytest

from fep.sim import sm, sm_points
from fep.sim.dice import Dice

D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
X = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
Y = "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[sm.PrivateKey, sm.Certificate]:
    """A key and its certificate, not used yet."""
    place: Path = tmp_path_factory.mktemp("key")
    sm.create_identity(place / "k", place / "c", "unit", 77)
    return sm.load_private((place / "k").read_bytes()), sm.load_certificate(
        (place / "c").read_bytes()
    )


def often(key: sm.PublicKey) -> None:
    """Let a key count as used often."""
    key._uses = sm.OFTEN


def seldom(key: sm.PublicKey) -> None:
    """Let a key count as new: libcrypto's own way answers."""
    key._uses, key._table = 0, None


def test_the_published_key_signs_and_verifies_as_the_standard_prints_it() -> None:
    # GB/T 32918.5, A.2: key, "message digest", r and s.
    table = sm_points.table_of(bytes.fromhex(X + Y))
    assert sm_points.total((D, sm_points.generator())).hex() == X + Y
    identity = b"1234567812345678"
    start = (8 * len(identity)).to_bytes(2, "big") + identity
    z = sm.sm3(start + sm_points.DOMAIN + bytes.fromhex(X + Y))
    assert z.hex() == "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    e = sm.sm3(z + b"message digest")
    raw = bytes.fromhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
        "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    )
    assert sm_points.holds(e, raw, table)
    assert not sm_points.holds(sm.sm3(e), raw, table)


def test_both_ways_take_the_same_signatures(
    pair: tuple[sm.PrivateKey, sm.Certificate],
) -> None:
    key, certificate = pair
    public = certificate.public_key
    for round_ in range(8):
        message = bytes([round_]) * (round_ * 50)
        seldom(key)
        slow = key.sign(message)
        often(key)
        quick = key.sign(message)
        for use in (seldom, often):
            for der in (slow, quick):
                use(public)
                assert public.verify(message, der)
                use(public)
                assert not public.verify(message + b".", der)
                use(public)
                assert not public.verify(message, der, b"somebody else")


def test_both_ways_refuse_the_same_damage(
    pair: tuple[sm.PrivateKey, sm.Certificate],
) -> None:
    key, certificate = pair
    public, message = certificate.public_key, b"receipt"
    der = key.sign(message)
    raw = sm.raw_of_der(der)
    n = sm_points.N
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    def der_of(one: int, two: int) -> bytes:
        return sm.der_of_raw(one.to_bytes(32, "big") + two.to_bytes(32, "big"))

    wrong = [
        b"", b"\x30\x00", der[:-1], der + b"\0", b"\x31" + der[1:],
        der_of(0, s), der_of(r, 0), der_of(r, n), der_of(n, s), der_of(r, n - r),
        der_of(s, r), der_of(r, s ^ 1),
        # the same numbers with a zero in front of them
        b"\x30" + bytes([der[1] + 1]) + b"\x02" + bytes([der[3] + 1]) + b"\0" + der[4:],
    ]  # fmt: skip
    dice = Dice("damage")
    for _ in range(60):
        flipped = bytearray(der)
        flipped[dice.between(0, len(der) - 1)] ^= 1 << dice.between(0, 7)
        wrong.append(bytes(flipped))
    for use in (seldom, often):
        for one in wrong:
            use(public)
            assert not public.verify(message, one), (use.__name__, one.hex())


def test_a_secret_closed_by_either_way_opens(
    pair: tuple[sm.PrivateKey, sm.Certificate],
) -> None:
    key, certificate = pair
    for size in (1, 16, 32, 33):
        for use in (seldom, often):
            use(certificate.public_key)
            plain = bytes(range(size))
            assert key.decrypt(certificate.public_key.encrypt(plain)) == plain


def test_a_multiple_is_right_at_the_edges_of_the_group() -> None:
    base = sm_points.generator()
    point = sm_points.total((1, base))
    assert point == sm_points.DOMAIN[64:]
    assert sm_points.total((sm_points.N + 1, base)) == point
    assert sm_points.total((sm_points.N, base)) == b"" == sm_points.total((0, base))
    opposite = sm_points.total((sm_points.N - 1, base))
    assert opposite[:32] == point[:32]
    assert opposite[32:] != point[32:]
    own = sm_points.table_of(opposite)
    assert sm_points.total((5, base), (5, own)) == b""
    assert sm_points.total((5, base), (3, own)) == sm_points.total((2, base))
    assert not sm_points.has_x(0, (5, base), (5, own))
    with pytest.raises(ValueError, match="no point"):
        sm_points.table_of(point[:32] + bytes(32))
