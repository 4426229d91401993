"""Greetings, letters, certificates and one-way operation of the uplink."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fep.crypto import sm3
from fep.services.uplink import Uplink
from fep.store.link_letters import letter_q, letter_txn
from fep.store.numbers import grant_txn
from fep.wire.fpb import NO_HASH, Kind
from fep.wire.fpb_ack import Ack, Result
from fep.wire.fpb_greet import Hello, Holding, Manifest, Sent, Sync, encode
from fep.wire.fpb_record import JournalHead, idem, read_records, record_line
from tests.unit.link.link_ferry import MemoryFerry
from tests.unit.link.link_world import PLATFORM, World, begun, party

QUICK = {"records_max": 10, "rto_first_s": 500.0, "gap_s": 3.0, "heartbeat_s": 10.0}
IDEM = sm3.digest(b"one").hex()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, **QUICK)
    made.grant()
    yield made
    made.store.close()


def said(world: World, kind: Kind, shape: type[Any]) -> list[Any]:
    return [
        msgspec.json.decode(plain, type=shape)
        for was, plain in world.platform.greetings
        if was is kind
    ]


def write(world: World, channel: int, number: int = 1, op: str = "NOTE") -> str:
    """Write a letter; returns its idem."""
    identity = sm3.digest(b"letter %d" % number).hex()
    assert world.done(
        world.store.do("l", letter_txn, PLATFORM, channel, op, identity, {"n": number})
    )
    world.uplink.wake()
    return identity


def letters(world: World, channel: int) -> list[tuple[str, int]]:
    """Return (op, n) of letters that reached the platform on a channel, proving the chain."""
    found, prev = [], NO_HASH
    for header, plain, _ in world.platform.letters[channel]:
        for record in read_records(plain, header.first_rec, header.n_rec, prev):
            found.append((record.op, record.body["n"]))
            prev = record.hash
    return found


def answer(world: World, channel: int, count: int, *results: Result) -> None:
    header, plain, _ = world.platform.letters[channel][-1]
    last = read_records(plain, header.first_rec, header.n_rec, _prev(plain))[-1]
    ack = Ack(count, channel, 1, last.hash.hex(), "APPLIED", world.now_ms(), ((1, 1),), results)
    world.platform.transport_file(Kind.ACK, ack.encode())


def _prev(plain: bytes) -> bytes:
    return bytes.fromhex(msgspec.json.decode(plain.split(b"\n")[0])["prev"])


def test_a_node_says_hello_and_where_its_channels_stand(world: World):
    world.uplink.start()
    world.issue(3)
    world.run(3)
    world.stop()
    world.restart()
    world.run(3)

    hello = said(world, Kind.HELLO, Hello)[-1]
    assert {1: 3, 2: 0, 3: 0} == {sent.channel: sent.rec_seq for sent in hello.channels}
    assert world.platform.head[3].hex() == hello.channels[0].head


def test_what_a_sync_says_is_missing_is_written_again_at_once(world: World):
    world.outbound = lambda name: int("-1-0000000001-" not in name)
    world.uplink.start()
    world.issue(5)
    world.run(5)
    assert {"sent": 5} == world.states()
    world.outbound = lambda name: 1
    nothing = Holding(1, 1, 0, NO_HASH.hex())

    world.platform.transport_file(Kind.SYNC, encode(Sync((nothing,), world.now_ms())))
    world.run(5)

    assert {"applied": 5} == world.states()


def test_a_sync_that_knows_more_than_we_sent_stops_the_channel(world: World):
    world.uplink.start()
    world.issue(2)
    world.run(3)
    more = Holding(1, 1, 99, IDEM, ((1, 9),))

    world.platform.transport_file(Kind.SYNC, encode(Sync((more,), world.now_ms())))
    world.run(3)

    assert ("stalled", "head") == (world.uplink.status().state, world.uplink.status().reason)


def test_a_hello_of_the_platform_is_answered_with_what_we_hold(world: World):
    world.uplink.start()
    world.platform.grant(200_001, 200_010)
    world.run(2)
    hello = Hello((Sent(2, 1, 1, 1, IDEM),), world.now_ms())

    world.platform.transport_file(Kind.HELLO, encode(hello))
    world.run(2)

    held = {told.channel: told for told in said(world, Kind.SYNC, Sync)[-1].channels}
    assert (1, ((1, 1),)) == (held[2].applied_upto, held[2].received)
    assert world.platform.control[3].hex() == held[2].head


def test_a_manifest_tells_of_a_last_batch_that_never_came(world: World):
    world.uplink.start()
    world.platform.grant(200_001, 200_010, send=False)
    at, rec_seq, _, head = world.platform.control

    manifest = Manifest(2, 1, at, rec_seq, head.hex(), world.now_ms())
    world.platform.transport_file(Kind.MANIFEST, encode(manifest))
    world.run(8)

    assert [((1, 1),)] == [nack.missing for nack in world.platform.nacks][:1]


@pytest.mark.parametrize("channel", [2, 3])
def test_letters_go_up_in_order_once_and_their_answers_are_kept(world: World, channel: int):
    world.uplink.start()
    first = [write(world, channel, number) for number in (1, 2)]
    world.run(3)
    assert [("NOTE", 1), ("NOTE", 2)] == letters(world, channel)

    answer(world, channel, 2, Result(1, "OK", "", "seen"), Result(2, "REJECT", "op", "what"))
    world.run(2)

    fates = [world.store.read(letter_q, PLATFORM, channel, one) for one in first]
    assert [("applied", "seen"), ("rejected", "op what")] == [(f.state, f.detail) for f in fates]
    assert [] == world.rows("SELECT id FROM link_batch WHERE bytes IS NOT NULL")


def test_a_letter_is_written_once_for_ever(world: World):
    identity = write(world, 3)

    again = world.done(world.store.do("l", letter_txn, PLATFORM, 3, "NOTE", identity, {"n": 9}))

    assert not again
    assert [(1,)] == [tuple(row) for row in world.rows("SELECT count(*) FROM link_letter")]


def test_letters_leave_before_receipts_that_have_piled_up(world: World):
    world.issue(30)
    write(world, 2)

    world.uplink.start()
    world.run(3, gate=False)

    channels = [name.split("-")[3] for name in world.ferry.puts if name.split("-")[3] != "0"]
    assert "2" == channels[0]


def test_letters_survive_a_crash_byte_for_byte(world: World):
    world.uplink.start()
    write(world, 3)
    world.run(2, gate=False)
    (before,) = [content for name, content in world.ferry.out.items() if name[17] == "3"]
    world.ferry.out.clear()
    world.crash()
    world.restart()

    world.run(600, gate=False, step=5.0)

    assert before in world.ferry.out.values()


def test_an_unknown_record_of_channel_3_is_rejected_and_blocks_nothing(world: World):
    world.uplink.start()
    line, digest = record_line(1, "WHAT", IDEM, 1, {}, JournalHead(0, ""), NO_HASH)
    header = replace(world.platform.header(Kind.DATA, 3, 1), first_rec=1)
    world.platform.send(header, line)

    world.run(3)

    (ack,) = [ack for ack in world.platform.acks if ack.channel == 3]
    assert (1, digest.hex(), "REJECT") == (ack.applied_upto, ack.head, ack.results[0].result)


# certificates
def rotate(world: World, name: str, serial: int) -> Any:
    """Have the platform announce a new certificate; returns (key, certificate)."""
    key, cert = party(name, serial)
    text = cert.serial_hex.lower().lstrip("0")
    body = {"serial": text, "cert": base64.b64encode(cert.der).decode()}
    world.platform.other = (key, cert)
    _control(world, "ROTATE", idem(PLATFORM, text, "ROTATE"), body)
    return key, cert


def _control(world: World, op: str, identity: str, body: dict[str, Any]) -> None:
    at, rec_seq, batch_sm3, rec_hash = world.platform.control
    line, digest = record_line(
        rec_seq + 1, op, identity, world.now_ms(), body, JournalHead(0, ""), rec_hash
    )
    header = replace(
        world.platform.header(Kind.CTRL, 2, at + 1), first_rec=rec_seq + 1,
        prev_batch_sm3=batch_sm3,
    )  # fmt: skip
    content = world.platform.send(header, line)
    world.platform.control = (at + 1, rec_seq + 1, sm3.digest(content), digest)


def test_a_rotated_certificate_is_believed_and_sealed_to_also_after_a_restart(world: World):
    world.uplink.start()
    key, cert = rotate(world, "province-2", 0x21)
    world.run(3)
    world.platform.key, world.platform.cert = key, cert

    numbers = world.issue(3)
    world.run(3)
    world.stop()
    world.open()
    world.uplink.start()
    world.platform.grant(200_001, 200_010)
    world.run(3)

    assert numbers == [number for number, _ in world.platform.applied]
    assert {"applied": 3} == world.states()
    assert [(200_001,)] == [
        tuple(r) for r in world.rows("SELECT first FROM number_block WHERE source='platform'")
    ]


def test_a_revoked_certificate_is_not_believed_any_more(world: World):
    world.uplink.start()
    old = world.platform.cert
    key, cert = rotate(world, "province-2", 0x21)
    world.run(3)
    serial = old.serial_hex.lower().lstrip("0")
    world.platform.key, world.platform.cert = key, cert
    body = {"serial": serial, "reason": "lost"}
    _control(world, "REVOKE_CERT", idem(PLATFORM, serial, "REVOKE_CERT"), body)
    world.run(3)
    world.platform.key, world.platform.cert = party(PLATFORM, 0x20)

    world.platform.grant(200_001, 200_010)
    world.run(3)

    assert [] == world.rows("SELECT first FROM number_block WHERE source='platform'")
    assert ["key-unknown"] == [name.rpartition(".")[2] for name in world.ferry.quarantine]


def test_nobody_but_the_platform_brings_a_certificate(world: World):
    world.uplink.start()
    _, cert = party("stranger", 0x30)
    text = base64.b64encode(cert.der).decode()

    _control(world, "ROTATE", idem(PLATFORM, "30", "ROTATE"), {"serial": "31", "cert": text})
    _control(world, "ROTATE", idem("other", "30", "ROTATE"), {"serial": "30", "cert": text})
    _control(world, "ROTATE", idem(PLATFORM, "30", "ROTATE"), {"serial": "30", "cert": "AAAA"})
    _control(world, "REVOKE_CERT", idem(PLATFORM, "", "REVOKE_CERT"), {"serial": "", "reason": ""})
    world.run(3)

    results = [ack.results[0].result for ack in world.platform.acks if ack.results]
    assert ["REJECT"] * 4 == results
    assert [] == world.rows("SELECT serial FROM link_cert")


# one way
@pytest.fixture
def one_way(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, **{**QUICK, "one_way": True})
    made.grant()
    made.inbound = lambda name: 0
    yield made
    made.store.close()


def test_one_way_a_batch_is_written_three_times_and_stays_unconfirmed(one_way: World):
    world = one_way
    world.uplink.start()
    world.issue(5)

    world.run(30_000, step=20.0)

    tries = [name[-6:-4] for name in world.ferry.puts if "-1-0000000001-" in name]
    assert (["01", "02", "03"], {"sent": 5}) == (tries, world.states())
    assert 7 <= len(said(world, Kind.MANIFEST, Manifest)) <= 9
    assert ("offline", "one-way") == (world.uplink.status().state, world.uplink.status().reason)


def test_one_way_more_than_a_window_leaves_and_an_imported_ack_confirms(one_way: World):
    world = one_way
    world.uplink.start()
    world.issue(700)
    world.run(120, step=1.0)
    assert {"sent": 700} == world.states()

    world.inbound = lambda name: 1  # an operator carries the platform's answer
    results = tuple(Result(seq, "OK") for seq in range(1, 701))
    world.platform.ack(results)
    world.run(5)

    assert {"applied": 700} == world.states()


# several destinations
def test_a_dead_destination_slows_neither_another_nor_issuing(world: World):
    dead = MemoryFerry(fault="no such directory")
    settings = msgspec.structs.replace(world.settings, dest="elsewhere")
    other = Uplink(
        world.reactor, world.watch, world.dice, world.store, settings, *party("node-0001", 0x10),
        world.platform.cert, node_id="node-0001", carrier=dead, work=world._work,
        on_grant=grant_txn, on_quota=world.quotas.append, on_answered=lambda count, fen: None,
        signature_xml=lambda row: "", log=world.log,
    )  # fmt: skip
    other.start()
    world.uplink.start()
    assert world.done(world.store.do("l", letter_txn, "elsewhere", 2, "NOTE", IDEM, {"n": 1}))

    numbers = world.issue(25)
    world.run(6)

    assert numbers == [number for number, _ in world.platform.applied]
    assert ({"applied": 25}, "online") == (world.states(), world.uplink.status().state)
    assert "offline" == other.status().state
    world.done(begun(other.stop()))
