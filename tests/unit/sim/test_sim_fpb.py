"""The batch file: what is written is read, what was touched is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest

from fep.sim import fpb, sm
from fep.sim.dice import Dice
from tests.unit.sim.sim_world import Node, token

Parties = tuple[fpb.Self, fpb.Self]


def _file(parties: Parties, lines: list[bytes], receiver: fpb.Self | None = None) -> bytes:
    node, unit = parties
    to = receiver or unit
    header = fpb.Header(fpb.DATA, node.id, to.id, 3, 1, 9, 123, 41, len(lines),
                        prev_batch_sm3=b"p" * 32, cum_ack=7, ack_head_sm3=b"h" * 32)  # fmt: skip
    return fpb.write(header, lines, node, fpb.Party(to.id, to.certificate), token(Dice(1)))


def _find(parties: Parties) -> Callable[[str], fpb.Party | None]:
    node = parties[0]
    return lambda name: fpb.Party(node.id, node.certificate) if name == node.id else None


@pytest.mark.parametrize("lines", [[b'{"a":1}'], [b'{"a":1}'] * 400, ['{"名":"䶮"}'.encode()]])
def test_a_written_batch_is_read_back_whole(parties: Parties, lines: list[bytes]) -> None:
    content = _file(parties, lines)

    batch = fpb.read(content, parties[1], _find(parties))

    assert batch.plain == b"\n".join(lines)
    assert batch.sm3 == sm.sm3(content)
    head = batch.header
    assert (head.sender, head.receiver, head.epoch, head.channel, head.seq) == (
        "node-0001", "H1", 3, 1, 9,
    )  # fmt: skip
    assert (head.first_rec, head.n_rec, head.cum_ack) == (41, len(lines), 7)
    assert (head.prev_batch_sm3, head.ack_head_sm3) == (b"p" * 32, b"h" * 32)
    assert (head.sender_serial, head.receiver_serial) == (11, 22)


def test_fixed_offsets_are_those_of_the_specification(parties: Parties) -> None:
    content = _file(parties, [b"{}"])

    assert content[:6] == b"FPB1\x01\x00"
    assert content[8:9] == b"\x01"
    assert content[11:27] == b"node-0001".ljust(16, b"\0")
    assert content[46:50] == (9).to_bytes(4, "big")
    assert content[91:123] == b"p" * 32
    assert content[195:215] == (11).to_bytes(20, "big")
    assert content[-8:] == struct.pack(">I4s", len(content), b"1BPF")


def test_every_flipped_byte_is_refused(parties: Parties) -> None:
    content = _file(parties, [b'{"a":1}'])

    for at in range(len(content)):
        touched = bytearray(content)
        touched[at] ^= 1
        with pytest.raises(fpb.Bad):
            fpb.read(bytes(touched), parties[1], _find(parties))


def test_every_beginning_of_a_file_may_still_grow(parties: Parties) -> None:
    content = _file(parties, [b'{"a":1}'])

    for length in range(len(content)):
        with pytest.raises(fpb.Bad) as caught:
            fpb.read(content[:length], parties[1], _find(parties))
        assert (caught.value.reason, caught.value.final) == ("truncated", False)


def test_a_batch_for_another_is_refused(parties: Parties, stranger: fpb.Self) -> None:
    content = _file(parties, [b"{}"], receiver=stranger)

    with pytest.raises(fpb.Bad) as caught:
        fpb.read(content, parties[1], _find(parties))

    assert (caught.value.reason, caught.value.final) == ("receiver", True)


def test_a_sender_nobody_registered_is_refused(parties: Parties) -> None:
    with pytest.raises(fpb.Bad) as caught:
        fpb.read(_file(parties, [b"{}"]), parties[1], lambda _: None)

    assert caught.value.reason == "key-unknown"


def test_a_file_over_the_cap_is_refused_before_it_is_unpacked(parties: Parties) -> None:
    with pytest.raises(fpb.Bad) as caught:
        fpb.read(bytes(fpb.FILE_MAX + 1), parties[1], _find(parties))

    assert caught.value.reason == "too-big"


def test_a_batch_that_inflates_beyond_the_ratio_is_not_compressed(parties: Parties) -> None:
    plain = b'{"a":"' + b"0" * 200_000 + b'"}'

    batch = fpb.read(_file(parties, [plain]), parties[1], _find(parties))

    assert (batch.plain, batch.header.flags & fpb.COMPRESSED) == (plain, 0)


def test_name_carries_the_identity_as_a_hint(parties: Parties) -> None:
    node = Node(*parties, fpb.Party("province", parties[1].certificate))

    name, _ = node.batch(node.body(1))

    node8 = sm.sm3(b"node-0001").hex()[:8]
    assert name == f"f1-{node8}-0001-1-0000000001-01.fpb"


def test_the_digest_and_signature_of_a_record_change_with_its_content() -> None:
    record = {"a": 1, "prev": "0" * 64, "hash": "ignored"}

    changed = {**record, "a": 2}

    assert fpb.record_hash(record) != fpb.record_hash(changed)
    assert fpb.record_hash(record) == fpb.record_hash({**record, "hash": "other"})


def test_canonical_is_what_the_format_says_of_every_letter() -> None:
    letters = {chr(code): chr(code) * 2 for code in (*range(0x80), 0x2028, 0xFFFF, 0x20BB7)}
    said = json.dumps(letters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert fpb.canonical(letters) == said.encode()
    assert fpb.parsed(said.encode()) == letters
    numbers = {"b": [-1, 1 << 70, None, True], "a": {}}
    assert fpb.canonical(numbers) == b'{"a":{},"b":[-1,1180591620717411303424,null,true]}'
    for wrong in (b"", b"{", b"NaN", b"{} {}", b'"\xff"'):
        with pytest.raises(ValueError, match=r"."):
            fpb.parsed(wrong)
