"""What a relay says of itself: HELLO, MANIFEST, a node's new certificate, an epoch that is over."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock as FakeReactor

from fep.crypto import sm3
from fep.services.relay_courier import Courier
from fep.services.relay_ends import NodeEnds, RelayEnds
from fep.services.relay_peer import Peer
from fep.services.relay_platform import Nobody
from fep.services.relay_streams import StoreLedger
from fep.services.uplink_keys import Pair
from fep.settings_relay import RelayPart
from fep.store.relay_opening import open_relay_store
from fep.wire.fpb import Header, Kind, Seat, pack, read_header, unpack
from fep.wire.fpb_ack import Ack, Result
from fep.wire.fpb_greet import Hello, Manifest, Sent, encode
from fep.wire.fpb_name import BatchName, node8
from fep.wire.fpb_record import JournalHead, idem, record_line
from tests.unit.link.link_ferry import MemoryFerry
from tests.unit.link.link_world import NODE, PLATFORM, Dice, Lines, Watch, party

RECEIPTS, CONTROL = 1, 2
NEXT = "node-next"
NEW_RELAY = party("relay-next", 0x21)
ZEROS = "0" * 64


class Far:
    """A relay's peer with a node played by hand; the relay may be stopped and opened again."""

    def __init__(self, root: Path) -> None:
        self.root, self.reactor, self.log = root, FakeReactor(), Lines()
        self.ferry, self.dice = MemoryFerry(), Dice()
        self.following: Pair | None = None
        self.signed_by: list[bytes] = []
        self.key, self.cert = party(NODE, 0x10)
        self.relay_key, self.relay_cert = party(PLATFORM, 0x20)
        self.heads: dict[tuple[int, int], tuple[int, int, bytes, bytes]] = {}
        self._transport = 0
        self.open()

    def open(self) -> None:
        """Start the relay."""
        self._store = open_relay_store(
            self.reactor, self.root / "relay.db", now_ms=lambda: 0, on_fatal=lambda why: None,
            pool=None,
        )  # fmt: skip
        watch = Watch(self.reactor)
        part = RelayPart(poll_s=0.5, ack_s=0.2, gap_s=1.0)
        us = RelayEnds(self.reactor, watch, self.dice, self._store, part, self.relay_key,
                       self.relay_cert, self._work, self.log, self.following)  # fmt: skip
        nobody = Courier(
            self.reactor, watch.mono, Nobody(), StoreLedger(self._store), self.log,
            in_flight_max=4, settle_s=1.0,
            on_done=lambda errand, reply: errand.note[0].answered(*errand.note[1:], reply),
        )  # fmt: skip
        nobody.start()
        _, first = party(NODE, 0x10)
        self.peer = Peer(NodeEnds(us, NODE, first, self.ferry, {}), {"": nobody})
        Deferred.fromCoroutine(self.peer.start([]))
        self.run(0.2)

    def close(self) -> None:
        """Stop it."""
        stopped = Deferred.fromCoroutine(self.peer.stop())
        self.run(2.0)
        assert stopped.called
        self._store.close()

    def _work(self, fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        result = maybeDeferred(fn, *args)
        result.addBoth(lambda value: self.reactor.callLater(0, answer.callback, value))
        return answer

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / 0.1)):
            self.reactor.advance(0.1)
            for _ in range(20):
                self.reactor.advance(0)

    # the node
    def _arrive(self, header: Header, plain: bytes) -> bytes:
        header = replace(header, sender_serial=self.cert.serial_bytes())
        content = pack(header, plain, self.key, self.relay_cert.public_key, self.dice)
        name = BatchName(node8(NODE), header.epoch, header.channel, header.seq, 1).text()
        self.ferry.arrivals[name] = content
        return content

    def _header(self, kind: Kind, epoch: int, channel: int, seq: int) -> Header:
        return Header(
            kind=kind, sender=NODE, receiver=PLATFORM, epoch=epoch, channel=channel, seq=seq,
            created_ms=0, receiver_serial=self.relay_cert.serial_bytes(),
        )  # fmt: skip

    def say(self, kind: Kind, plain: bytes) -> None:
        """Send a transport file."""
        self._transport += 1
        self._arrive(self._header(kind, 1, 0, self._transport), plain)
        self.run(2.0)

    def tell(self, channel: int, op: str, identity: str, body: dict[str, Any], epoch: int = 1,
             *, lost: bool = False) -> None:  # fmt: skip
        """Send a batch of one record, which the gate may lose."""
        seq, rec_seq, batch, head = self.heads.get((channel, epoch), (0, 0, bytes(32), bytes(32)))
        line, tail = record_line(rec_seq + 1, op, identity, 1, body, JournalHead(0, ""), head)
        kind = Kind.CTRL if channel == CONTROL else Kind.DATA
        header = replace(self._header(kind, epoch, channel, seq + 1), first_rec=rec_seq + 1,
                         n_rec=1, prev_batch_sm3=batch)  # fmt: skip
        content = self._arrive(header, line)
        if lost:
            self.ferry.arrivals.clear()
        self.heads[channel, epoch] = (seq + 1, rec_seq + 1, sm3.digest(content), tail)
        self.run(2.0)

    def said(self, kind: Kind) -> list[dict[str, Any]]:
        """Return what the relay has said in files of a kind, sealed to either key; forgets."""
        found = []
        self.signed_by = []
        signers = (self.relay_cert, NEW_RELAY[1])
        relay = {cert.serial_bytes(): cert.public_key for cert in signers}
        both = {cert.serial_bytes(): key for key, cert in (party(NODE, 0x10), party(NEXT, 0x11))}
        for name in sorted(self.ferry.out):
            content = self.ferry.out.pop(name)
            serial = read_header(content).receiver_serial
            seat = Seat(NODE, serial, both[serial])
            header, plain = unpack(content, seat, lambda _who, own: relay[own])
            self.signed_by.append(header.sender_serial)
            if header.kind is kind:
                found.append(json.loads(plain))
        return found


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    far = Far(tmp_path)
    yield far
    far.close()


def _act(number: int) -> tuple[str, str, dict[str, Any]]:
    body = {"unit": "H1", "code": "42060126", "number": f"{number:010d}"}
    return "PAPER", idem("42060126", f"{number:010d}", "PAPER", "1"), body


def test_a_hello_is_answered_with_what_is_held_of_the_channels_it_names(far: Far):
    far.tell(RECEIPTS, *_act(1))
    far.tell(RECEIPTS, *_act(2))
    far.said(Kind.ACK)
    sent = [Sent(1, 1, 3, 3, ZEROS), Sent(3, 1, 0, 0, ZEROS), Sent(9, 1, 1, 1, ZEROS)]

    far.say(Kind.HELLO, encode(Hello(tuple(sent), 0)))

    (sync,) = far.said(Kind.SYNC)
    first, third = sync["channels"]
    head = far.heads[RECEIPTS, 1][3].hex()
    names = ("channel", "epoch", "applied_upto", "head", "received")
    assert (1, 1, 2, head, [[1, 2]]) == tuple(first[name] for name in names)
    assert (3, 1, 0, ZEROS, []) == tuple(third[name] for name in names)


def test_a_manifest_shows_the_loss_of_the_last_batch(far: Far):
    far.tell(RECEIPTS, *_act(1))
    far.tell(RECEIPTS, *_act(2), lost=True)

    far.say(Kind.MANIFEST, encode(Manifest(1, 1, 2, 2, ZEROS, 0)))
    far.run(5.0)

    asked = {tuple(hole) for nack in far.said(Kind.NACK) for hole in nack["missing"]}
    assert {(2, 2)} == asked


def _rotated(far: Far) -> tuple[Any, Any]:
    key, cert = party(NEXT, 0x11)
    text = cert.serial_hex.lower().lstrip("0")
    body = {"cert": base64.b64encode(cert.der).decode(), "serial": text}
    far.tell(CONTROL, "ROTATE", idem(NODE, text, "ROTATE"), body)
    return key, cert


def test_a_nodes_new_certificate_is_believed_and_sealed_to_also_after_a_restart(far: Far):
    new = _rotated(far)
    (ack,) = [one for one in far.said(Kind.ACK) if one["results"]]
    far.close()
    far.open()
    far.key, far.cert = new
    far.ferry.out.clear()

    far.tell(RECEIPTS, *_act(1))

    answered = [one for one in far.said(Kind.ACK) if one["channel"] == 1 and one["results"]]
    assert ("OK", 2) == (ack["results"][0]["result"], ack["channel"])
    assert [1] == [one["applied_upto"] for one in answered]
    assert far.peer.ends.peers.newest.serial_bytes() == new[1].serial_bytes()
    assert {} == far.ferry.quarantine


def test_what_a_revoked_certificate_signs_is_refused_and_the_new_one_goes_on(far: Far):
    old, new = (far.key, far.cert), _rotated(far)
    far.key, far.cert = new
    serial = old[1].serial_hex.lower().lstrip("0")
    identity = idem(NODE, serial, "REVOKE_CERT")
    far.tell(CONTROL, "REVOKE_CERT", identity, {"reason": "lost", "serial": serial})

    far.key, far.cert = old
    far.tell(RECEIPTS, *_act(1))
    far.heads.clear()
    refused = [name.rpartition(".")[2] for name in far.ferry.quarantine]
    far.key, far.cert = new
    far.said(Kind.ACK)
    far.tell(RECEIPTS, *_act(1))

    assert ["key-unknown"] == refused
    assert 1 == max(one["applied_upto"] for one in far.said(Kind.ACK) if one["channel"] == 1)


def test_a_certificate_that_is_not_what_it_says_changes_nothing(far: Far):
    _, cert = party(NEXT, 0x11)
    body = {"cert": base64.b64encode(cert.der).decode(), "serial": "ff"}

    far.tell(CONTROL, "ROTATE", idem(NODE, "ff", "ROTATE"), body)
    far.tell(RECEIPTS, "ROTATE", idem(NODE, "11", "ROTATE"), {**body, "serial": "11"})

    told = [one["results"][0]["result"] for one in far.said(Kind.ACK) if one["results"]]
    assert ["REJECT", "REJECT"] == told
    assert far.peer.ends.peers.newest.serial_bytes() == far.cert.serial_bytes()


def test_a_machine_whose_epoch_is_over_has_no_say_any_more(far: Far):
    far.tell(RECEIPTS, *_act(1))
    far.tell(RECEIPTS, *_act(2), epoch=2)
    far.said(Kind.ACK)

    far.tell(RECEIPTS, *_act(3))

    assert ["over"] == [name.rpartition(".")[2] for name in far.ferry.quarantine]
    assert [] == [one for one in far.said(Kind.ACK) if one["epoch"] == 1 and one["results"]]


@pytest.mark.parametrize("word", ["OK", "REJECT"])
def test_the_relays_next_key_signs_once_the_node_believes_it(far: Far, word: Any):
    far.close()
    far.following = Pair(*NEW_RELAY)
    far.open()
    far.run(2.0)
    (announced,) = far.said(Kind.CTRL)
    far.tell(RECEIPTS, *_act(1))
    far.said(Kind.ACK)
    before = set(far.signed_by)

    ack = Ack(1, CONTROL, 1, announced["hash"], "APPLIED", 0, ((1, 1),), (Result(1, word),))
    far.say(Kind.ACK, ack.encode())
    far.tell(RECEIPTS, *_act(2))
    far.said(Kind.ACK)
    after = set(far.signed_by)
    far.close()
    far.open()
    far.tell(RECEIPTS, *_act(3))
    far.said(Kind.ACK)

    old, new = far.relay_cert.serial_bytes(), NEW_RELAY[1].serial_bytes()
    assert ("ROTATE", idem(PLATFORM, "21", "ROTATE")) == (announced["op"], announced["idem"])
    assert base64.b64decode(announced["body"]["cert"]) == NEW_RELAY[1].der
    assert {old} == before
    assert {new if word == "OK" else old} == after == set(far.signed_by)


def test_files_sealed_to_the_relays_next_certificate_are_opened(far: Far):
    far.close()
    far.following = Pair(*NEW_RELAY)
    far.open()
    far.relay_cert = NEW_RELAY[1]  # the node seals to it now

    far.tell(RECEIPTS, *_act(1))

    assert {} == far.ferry.quarantine
    assert {} == far.ferry.arrivals
