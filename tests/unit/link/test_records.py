"""Records, names and the bodies of channel 0."""

from __future__ import annotations

import json

import pytest

from fep.crypto import sm3
from fep.wire.fpb import NO_HASH, Reason, Unreadable
from fep.wire.fpb_ack import Ack, Nack, Result, Supervision, read_ack, read_nack
from fep.wire.fpb_name import BatchName, node8, parse_name
from fep.wire.fpb_record import JournalHead, canonical, idem, read_records, record_line

JOURNAL = JournalHead(12, "ab" * 32)


def chain(count: int, first: int = 1, prev: bytes = NO_HASH) -> tuple[list[bytes], list[bytes]]:
    lines, hashes = [], []
    for rec_seq in range(first, first + count):
        line, prev = record_line(
            rec_seq, "ISSUE", idem("42060126", f"{rec_seq:010d}", "ISSUE"), 5,
            {"b": "中\n\"\\\u0001", "a": [1, None, True]}, JOURNAL, prev,
        )  # fmt: skip
        lines.append(line)
        hashes.append(prev)
    return lines, hashes


def test_a_record_is_canonical_and_its_hash_covers_all_but_itself():
    (line,), (digest,) = chain(1)
    read = json.loads(line)
    bare = {name: value for name, value in read.items() if name != "hash"}

    def text(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()

    assert text(read) == line
    assert sm3.digest(NO_HASH + text(bare)) == digest
    assert digest.hex() == read["hash"]


def test_canonical_bytes_are_those_of_the_other_common_encoder():
    value = {"z": "".join(map(chr, range(0x250))) + "\u2028😀", "a": {"y": -1, "x": 2**53}}

    expected = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    assert expected.encode() == canonical(value)


def test_records_follow_each_other_over_batches():
    lines, hashes = chain(5)

    first = read_records(b"\n".join(lines[:2]), 1, 2, NO_HASH)
    second = read_records(b"\n".join(lines[2:]), 3, 3, first[-1].hash)

    assert hashes == [record.hash for record in (*first, *second)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [*lines, lines[2]],
        lambda lines: [lines[0], lines[1].replace(b'"at":5', b'"at":6'), lines[2]],
        lambda lines: [lines[0], b"{}", lines[2]],
        lambda lines: [lines[0], b"\xff", lines[2]],
        lambda lines: [lines[0], lines[1].replace(b'"prev":"', b'"prev":"zz'), lines[2]],
        lambda lines: [b""],
    ],
)
def test_a_chain_that_does_not_fit_is_refused(spoil):
    lines, _ = chain(3)

    with pytest.raises(Unreadable) as caught:
        read_records(b"\n".join(spoil(lines)), 1, 3, NO_HASH)

    assert Reason.CHAIN == caught.value.reason


def test_a_chain_from_another_head_is_refused():
    lines, _ = chain(1)

    with pytest.raises(Unreadable):
        read_records(lines[0], 1, 1, bytes(31) + b"\1")


def test_more_records_than_a_batch_may_hold_are_not_split():
    with pytest.raises(Unreadable) as caught:
        read_records(b"", 1, 10**9, NO_HASH)

    assert Reason.TOO_BIG == caught.value.reason


def test_ack_and_nack_come_back():
    ack = Ack(
        7, 1, 1, "0" * 64, "APPLIED", 9, ((1, 3), (5, 5)),
        (
            Result(7, "REJECT", "E1", "why"),
            Result(6, "OK", supervision=Supervision("0a", 1, "MA==")),
        ),
    )  # fmt: skip
    nack = Nack(1, 1, "missing", 9, ((2, 4),), ("a.fpb",))

    assert (ack, nack) == (read_ack(ack.encode()), read_nack(nack.encode()))


def test_an_ack_of_a_newer_peer_is_read_without_what_we_do_not_know():
    body = json.loads(Ack(0, 1, 1, "0" * 64, "APPLIED", 9).encode())

    assert Ack(0, 1, 1, "0" * 64, "APPLIED", 9) == read_ack(json.dumps({**body, "new": 1}).encode())


@pytest.mark.parametrize(
    "change",
    [{"applied_upto": -1}, {"applied_upto": "1"}, {"applied_upto": 2**63}, {"head": "x"},
     {"level": "?"}, {"received": [[1]]}, {"results": [{"rec_seq": 1, "result": "MAYBE"}]}],
)  # fmt: skip
def test_an_ack_of_another_shape_is_refused(change: dict[str, object]):
    body = json.loads(Ack(0, 1, 1, "0" * 64, "APPLIED", 9).encode())

    with pytest.raises(Unreadable):
        read_ack(json.dumps({**body, **change}).encode())


def test_names_come_back_and_stay_at_99():
    name = BatchName(node8("node-0001"), 1, 1, 42, 3)

    assert f"f1-{sm3.digest(b'node-0001').hex()[:8]}-0001-1-0000000042-03.fpb" == name.text()
    assert name == parse_name(name.text().upper())
    assert "-99.fpb" == BatchName("0" * 8, 1, 1, 42, 512).text()[-7:]


@pytest.mark.parametrize("text", ["", "a.fpb", "f1-0-1-1-1-1.fpb", "copy0-f1", "../etc/passwd"])
def test_a_name_beyond_use_is_no_name(text: str):
    assert parse_name(text) is None
