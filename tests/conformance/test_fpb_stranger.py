"""The specification suffices: a stranger's reader opens the vectors and what the daemon makes."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.wire.fpb import Seat, Unreadable, unpack
from fep.wire.fpb_text import undress
from tests.conformance import fpb_stranger as stranger
from tests.unit.link.link_world import NODE, PLATFORM, World, party

VECTORS = Path(__file__).parents[1] / "golden" / "fpb" / "vectors"
INDEX: dict[str, Any] = json.loads((VECTORS / "index.json").read_text())


def key_of(name: str) -> stranger.Key:
    told = INDEX["keys"][name]
    return stranger.Key(name, int(told["serial"], 16), int(told["x"], 16), int(told["y"], 16),
                        int(told["d"], 16))  # fmt: skip


def test_the_stranger_shares_no_code_with_the_product():
    tree = ast.parse(Path(stranger.__file__).read_text())

    found = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not found & {"fep", "drivers", "tests"}, found


@pytest.mark.parametrize("told", INDEX["files"], ids=lambda told: told["file"])
def test_a_stranger_reads_every_vector_as_the_page_says(told: dict[str, Any]):
    content = (VECTORS / told["file"]).read_bytes()
    senders = [key_of(name) for name in ("node-0001", "province")]

    if "refused" in told:
        with pytest.raises(stranger.Refused, match=told["refused"]):
            stranger.read(content, key_of(told["reader"]), senders)
        return
    opened = stranger.read(content, key_of(told["reader"]), senders)

    names = ("kind", "sender", "epoch", "channel", "seq", "first_rec", "n_rec", "file_sm3")
    assert {name: told[name] for name in names} == {name: getattr(opened, name) for name in names}
    assert told["plain"] == opened.plain.decode()


@pytest.mark.parametrize("told", INDEX["files"], ids=lambda told: told["file"])
def test_the_product_reads_every_vector_the_same_way(told: dict[str, Any]):
    from fep.crypto.sm2 import PrivateKey

    content = undress((VECTORS / told["file"]).read_bytes())
    reader = key_of(told["reader"])
    seat = Seat(told["reader"], reader.serial.to_bytes(20, "big"), PrivateKey(reader.scalar))
    known = {
        (name, key_of(name).serial.to_bytes(20, "big")): PrivateKey(key_of(name).scalar).public
        for name in ("node-0001", "province")
    }

    if "refused" in told:
        with pytest.raises(Unreadable, match=told["refused"]):
            unpack(content, seat, lambda *who: known.get(who))
        return
    header, plain = unpack(content, seat, lambda *who: known.get(who))

    assert (told["seq"], told["plain"]) == (header.seq, plain.decode())


def test_the_vectors_of_channel_1_follow_each_other_and_the_ack_agrees():
    stream = stranger.Stream()
    senders = [key_of("node-0001"), key_of("province")]
    for name in ("01-data-cbc.fpb", "02-data-gcm.fpb"):
        stream.take(stranger.read((VECTORS / name).read_bytes(), key_of("province"), senders))

    ack = stranger.read((VECTORS / "03-ack.fpb").read_bytes(), key_of("node-0001"), senders)

    assert stream.agrees(json.loads(ack.plain))
    assert [stranger.idem(record) for record in stream.records] == [
        record["idem"] for record in stream.records
    ]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, records_max=10)
    made.grant()
    yield made
    made.store.close()


def test_a_stranger_opens_what_the_daemon_and_the_platform_say_to_each_other(world: World):
    platform: Any = world.platform
    crossed: list[bytes] = []
    answers: list[bytes] = []
    receive, deliver = platform.receive, platform.deliver
    platform.receive = lambda content: (crossed.append(content), receive(content))[1]
    platform.deliver = lambda content, *more: (answers.append(content), deliver(content, *more))[1]
    world.uplink.start()
    world.issue(23)
    world.platform.grant(200_001, 200_100)
    world.run(6)

    keys = {name: _stranger_key(name, serial) for name, serial in ((NODE, 16), (PLATFORM, 32))}
    senders = list(keys.values())
    up = [stranger.read(content, keys[PLATFORM], senders) for content in crossed]
    down = [stranger.read(content, keys[NODE], senders) for content in answers]
    receipts, grants = stranger.Stream(), stranger.Stream()
    for batch in sorted((b for b in up if b.channel == 1), key=lambda batch: batch.seq):
        receipts.take(batch)
    for batch in (b for b in down if b.channel == 2):
        grants.take(batch)

    assert 23 == len(receipts.records) == len({stranger.idem(r) for r in receipts.records})
    acks = [json.loads(batch.plain) for batch in (*up, *down) if batch.kind == "ACK"]
    assert {1, 2} == {ack["channel"] for ack in acks if ack["applied_upto"]}
    assert all((receipts if ack["channel"] == 1 else grants).agrees(ack) for ack in acks)
    assert {"HELLO", "ACK", "DATA"} == {batch.kind for batch in up}


def _stranger_key(name: str, serial: int) -> stranger.Key:
    key, cert = party(name, serial)
    point = cert.public_key.point
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    return stranger.Key(name, serial, x, y, key.scalar)
