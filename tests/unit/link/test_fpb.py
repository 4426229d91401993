"""The container: what is packed comes back, what is touched is refused, caps hold first."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from fep.crypto import certs, keyfile, sm2, sm3
from fep.wire import fpb
from fep.wire.fpb import ALG_CBC, ALG_GCM, Header, Kind, Reason, Seat, Unreadable, pack, unpack
from tests.unit.link.link_world import NODE, PLATFORM, Dice, party

GOLDEN = Path(__file__).parents[2] / "golden" / "fpb"
NODE_KEY, NODE_CERT = party(NODE, 0x10)
PLATFORM_KEY, PLATFORM_CERT = party(PLATFORM, 0x20)
SEAT = Seat(PLATFORM, PLATFORM_CERT.serial_bytes(), PLATFORM_KEY)


def draft(**changes: object) -> Header:
    base = Header(
        kind=Kind.DATA, sender=NODE, receiver=PLATFORM, epoch=1, channel=1, seq=7,
        created_ms=1_772_438_400_000, first_rec=3, n_rec=2, age_ms=5, cum_ack=9,
        prev_batch_sm3=bytes(range(32)), ack_head_sm3=bytes(range(1, 33)),
        sender_serial=NODE_CERT.serial_bytes(), receiver_serial=PLATFORM_CERT.serial_bytes(),
    )  # fmt: skip
    return replace(base, **changes)


def packed(plain: bytes, **changes: object) -> bytes:
    return pack(draft(**changes), plain, NODE_KEY, PLATFORM_CERT.public_key, Dice())


def key_of(sender: str, serial: bytes) -> sm2.PublicKey | None:
    known = (sender, serial) == (NODE, NODE_CERT.serial_bytes())
    return NODE_CERT.public_key if known else None


def reason(content: bytes, seat: Seat = SEAT) -> Reason | None:
    try:
        unpack(content, seat, key_of)
    except Unreadable as error:
        return error.reason
    return None


@pytest.mark.parametrize("alg", [ALG_CBC, ALG_GCM])
@pytest.mark.parametrize("plain", [b"x", b"{}" * 5000, bytes(range(256)), b""])
def test_what_is_packed_comes_back(alg: int, plain: bytes):
    header, found = unpack(packed(plain, sym_alg=alg), SEAT, key_of)

    assert plain == found
    assert draft(sym_alg=alg) == replace(
        header, flags=0, plain_len=0, body_len=0, plain_sm3=bytes(32), iv=bytes(16), wrapped=b""
    )


@pytest.mark.parametrize("alg", [ALG_CBC, ALG_GCM])
def test_every_flipped_bit_is_refused(alg: int):
    content = packed(b'{"a":1}', sym_alg=alg)
    taken = [
        (place, bit)
        for place in range(len(content))
        for bit in range(8)
        if reason(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        is None
    ]

    assert [] == taken


def test_every_shortened_file_is_partial():
    content = packed(b'{"a":1}')
    final = []
    for size in range(len(content)):
        with pytest.raises(Unreadable) as caught:
            unpack(content[:size], SEAT, key_of)
        if not (caught.value.partial and caught.value.reason is Reason.TRUNCATED):
            final.append(size)

    assert [] == final


def test_zeroed_tail_of_a_file_made_large_ahead_is_partial():
    content = packed(b'{"a":1}' * 200)
    half = content[: len(content) // 2].ljust(len(content), b"\0")

    with pytest.raises(Unreadable) as caught:
        unpack(half, SEAT, key_of)

    assert (Reason.TRUNCATED, True) == (caught.value.reason, caught.value.partial)


def test_a_batch_for_another_receiver_is_refused_after_its_signature():
    content = packed(b"x", receiver="province-2")

    assert Reason.RECEIVER == reason(content)


def test_a_batch_sealed_to_another_serial_of_ours_is_refused():
    assert Reason.KEY_UNKNOWN == reason(packed(b"x", receiver_serial=bytes(20)))


def test_a_stranger_is_unknown_and_a_forger_has_no_good_signature():
    stranger = packed(b"x", sender="node-0002")
    forged = pack(draft(), b"x", PLATFORM_KEY, PLATFORM_CERT.public_key, Dice())

    assert [Reason.KEY_UNKNOWN, Reason.BAD_SIGNATURE] == [reason(stranger), reason(forged)]


def patched(content: bytes, offset: int, value: bytes) -> bytes:
    return content[:offset] + value + content[offset + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (4, b"\x02", Reason.VERSION),
        (8, b"\x09", Reason.VERSION),
        (50, struct.pack(">HH", 1, 2), Reason.VERSION),
        (83, struct.pack(">I", fpb.PLAIN_MAX_BYTES + 1), Reason.TOO_BIG),
        (87, struct.pack(">I", fpb.BODY_MAX_BYTES + 1), Reason.TOO_BIG),
        (83, struct.pack(">I", 16 * fpb.RATIO_MAX + 1), Reason.TOO_BIG),
        (6, struct.pack(">H", 9000), Reason.TRUNCATED),
        (252, struct.pack(">H", 60000), Reason.TOO_BIG),
    ],
)
def test_caps_and_versions_are_refused_before_the_key_is_asked(
    offset: int, value: bytes, expected: Reason
):
    content = patched(packed(b"x"), offset, value)
    asked: list[str] = []

    with pytest.raises(Unreadable) as caught:
        unpack(content, SEAT, lambda sender, serial: asked.append(sender))

    assert (expected, []) == (caught.value.reason, asked)


def test_a_file_larger_than_any_batch_is_refused_by_its_length():
    assert Reason.TOO_BIG == reason(bytes(fpb.FILE_MAX_BYTES + 1))


def test_a_bomb_is_stopped_at_the_declared_length():
    bomb = zlib.compress(bytes(10_000_000), 9)

    with pytest.raises(Unreadable) as caught:
        fpb.inflate(bomb, 1000)

    assert Reason.TOO_BIG == caught.value.reason


@pytest.mark.parametrize("content", [b"", b"junk", zlib.compress(b"abc")[:-1],
                                     zlib.compress(b"abc") + b"x"])  # fmt: skip
def test_a_broken_or_padded_stream_is_refused(content: bytes):
    with pytest.raises(Unreadable) as caught:
        fpb.inflate(content, 3)

    assert Reason.TRUNCATED == caught.value.reason


def test_what_squeezes_too_well_travels_unsqueezed_and_is_taken():
    content = packed(bytes(2_000_000))
    header, plain = unpack(content, SEAT, key_of)

    assert (0, 2_000_000) == (header.flags & fpb.FLAG_ZLIB, len(plain))


def test_content_over_the_caps_is_not_packed():
    with pytest.raises(Unreadable) as plain:
        packed(bytes(fpb.PLAIN_MAX_BYTES + 1))
    with pytest.raises(Unreadable) as body:
        packed(Dice().token(fpb.BODY_MAX_BYTES))

    assert [Reason.TOO_BIG] * 2 == [plain.value.reason, body.value.reason]


@pytest.mark.parametrize("name", ["", "a" * 17, "nöde", "a b", "a\0"])
def test_a_party_is_short_printable_ascii(name: str):
    with pytest.raises(ValueError):
        fpb.party_bytes(name)


def test_the_golden_batch_of_a_node_reads_as_its_page_says():
    """The keys beside it are test keys; the file never changes."""
    platform = keyfile.load_private((GOLDEN / "platform.key").read_bytes(), None)
    node_cert = certs.parse((GOLDEN / "node.crt").read_bytes())
    platform_cert = certs.parse((GOLDEN / "platform.crt").read_bytes())
    content = (GOLDEN / "data-1.fpb").read_bytes()

    header, plain = unpack(
        content,
        Seat("province", platform_cert.serial_bytes(), platform),
        lambda sender, serial: node_cert.public_key,
    )

    expected = json.loads((GOLDEN / "data-1.json").read_text())
    told = {"sender": header.sender, "receiver": header.receiver, "epoch": header.epoch,
            "channel": header.channel, "seq": header.seq, "first_rec": header.first_rec,
            "n_rec": header.n_rec, "kind": int(header.kind), "created_ms": header.created_ms,
            "sm3": sm3.digest(content).hex(), "plain": plain.decode()}  # fmt: skip
    assert expected == told
