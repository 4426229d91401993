"""Ten thousand forged batches and five hundred honest ones: none of the first gets in.

What a stranger on the way can do to a batch: sign with another key, alter bytes, replay,
cut, send it to somebody else, claim another epoch, pack a bomb, claim an older format. The
receiver is the product's own: `unpack`, then the store's transaction for the channel.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fep.crypto import envelope, sm2, sm3, sm4
from fep.services.relay_ends import NodeEnds, RelayEnds
from fep.services.relay_reading import open_file, read_batch
from fep.settings_relay import RelayPart
from fep.store.link_in import Control, Fate, Outcome, control_txn
from fep.store.numbers import grant_txn
from fep.store.relay import Taken, arrived_txn, open_txn, stream_q
from fep.store.relay_opening import open_relay_store
from fep.wire.fpb import (
    BODY_MAX_BYTES,
    FIXED_BYTES,
    FLAG_ZLIB,
    PLAIN_MAX_BYTES,
    TAIL_BYTES,
    Header,
    Kind,
    Seat,
    Unreadable,
    pack,
    unpack,
)
from fep.wire.fpb_record import JournalHead, idem, record_line
from tests.unit.link.link_world import CODE, NODE, PLATFORM, World, party

EACH = 1300
CONTROLS = 500
CLASSES = ("forged", "altered", "replayed", "truncated", "wrong-receiver", "wrong-epoch", "bomb",
           "downgraded")  # fmt: skip


class Mint:
    """Makes batches of the platform, honest and not, out of few keys."""

    def __init__(self, world: World) -> None:
        self.world, self.dice = world, random.Random(5)
        self.node_cert = party(NODE, 0x10)[1]
        self.platform = party(PLATFORM, 0x20)
        self.stranger = party("stranger", 0x30)
        self.head = (0, 0, bytes(32), bytes(32))

    def honest(self) -> bytes:
        """Return the next batch of channel 2, with one grant."""
        seq, rec_seq, batch_sm3, rec_hash = self.head
        line, digest = self.record(rec_seq + 1, rec_hash)
        header = replace(self.header(seq + 1), first_rec=rec_seq + 1, prev_batch_sm3=batch_sm3)
        content = self.packed(header, line)
        self.head = (seq + 1, rec_seq + 1, sm3.digest(content), digest)
        return content

    def record(self, rec_seq: int, prev: bytes) -> tuple[bytes, bytes]:
        first, last = f"{rec_seq * 10 + 1:010d}", f"{rec_seq * 10 + 10:010d}"
        body = {"code": CODE, "first": first, "last": last, "unit": "u1", "not_after": None,
                "grant_id": f"g{rec_seq}", "quota": None}  # fmt: skip
        identity = idem(CODE, first, "GRANT", last)
        return record_line(rec_seq, "GRANT", identity, 1, body, JournalHead(0, ""), prev)

    def header(self, seq: int, **changes: Any) -> Header:
        plain = Header(
            kind=Kind.CTRL, sender=PLATFORM, receiver=NODE, epoch=1, channel=2, seq=seq,
            created_ms=1, sender_serial=self.platform[1].serial_bytes(),
            receiver_serial=self.node_cert.serial_bytes(),
        )  # fmt: skip
        return replace(plain, **changes)

    def packed(self, header: Header, plain: bytes, key: Any = None, to: Any = None) -> bytes:
        return pack(
            header, plain, key or self.platform[0], to or self.node_cert.public_key,
            self.world.dice,
        )  # fmt: skip

    # the forgeries: each would fit the channel if it were believed
    def next(self, **changes: Any) -> tuple[Header, bytes]:
        seq, rec_seq, batch_sm3, rec_hash = self.head
        line, _ = self.record(rec_seq + 1, rec_hash)
        header = self.header(seq + 1, first_rec=rec_seq + 1, prev_batch_sm3=batch_sm3)
        return replace(header, **changes), line

    def forged(self) -> bytes:
        """Sign with a stranger's key, under the platform's serial or their own."""
        own = self.stranger[1].serial_bytes()
        changes = {"sender_serial": own} if self.dice.random() < 0.5 else {}
        header, line = self.next(**changes)
        return self.packed(header, line, key=self.stranger[0])

    def altered(self, honest: bytes) -> bytes:
        """Change one to four bytes anywhere before the length at the end."""
        content = bytearray(honest)
        for _ in range(self.dice.randrange(1, 5)):
            content[self.dice.randrange(len(content) - 8)] ^= self.dice.randrange(1, 256)
        return bytes(content)

    def truncated(self, honest: bytes) -> bytes:
        """Cut the end off, or a piece out of the middle."""
        at = self.dice.randrange(len(honest) - 1)
        if self.dice.random() < 0.5:
            return honest[:at]
        return honest[:at] + honest[at + 1 + self.dice.randrange(len(honest) - at) :]

    def wrong_receiver(self) -> bytes:
        """Address another party, or seal the key to another certificate."""
        header, line = self.next()
        if self.dice.random() < 0.5:
            return self.packed(replace(header, receiver="node-0002"), line)
        serial = self.stranger[1].serial_bytes()
        return self.packed(
            replace(header, receiver_serial=serial), line, to=self.stranger[1].public_key
        )

    def wrong_epoch(self) -> bytes:
        """Claim an epoch that is over, with what the platform itself had signed then."""
        header, line = self.next(epoch=0)
        return self.packed(header, line)

    def bomb(self) -> bytes:
        """Sign, as a platform gone bad could, what inflates beyond all bounds."""
        how = self.dice.randrange(3)
        size = self.dice.randrange(1 << 20, 1 << 21)
        squeezed = zlib.compress(bytes(size), 9)
        claimed = {0: size, 1: PLAIN_MAX_BYTES + 1, 2: 100}[how]
        header, _ = self.next(plain_sm3=sm3.digest(b""), flags=FLAG_ZLIB)
        return self.raw(replace(header, plain_len=claimed), squeezed)

    def downgraded(self, honest: bytes) -> bytes:
        """Claim an older or unknown format, kind or cipher, signed anew or not."""
        content = bytearray(honest)
        at, value = self.dice.choice(
            [(4, 0), (4, 2), (8, 0), (8, 9), (8, 200), (235, 0), (235, 3), (51, 2), (53, 7)]
        )
        content[at] = value
        if self.dice.random() < 0.5:
            message = bytes(content[:-TAIL_BYTES])
            content[-TAIL_BYTES:-8] = sm2.der_to_raw(self.platform[0].sign(message))
        return bytes(content)

    def raw(self, header: Header, body: bytes) -> bytes:
        """Pack a body as it is, whatever the header says of it."""
        token = self.world.dice.token
        key, iv = token(16), token(16)
        sealed = sm4.cbc_encrypt(key, iv, body)
        assert len(sealed) <= BODY_MAX_BYTES
        head = replace(
            header, body_len=len(sealed), iv=iv,
            wrapped=envelope.wrap(key, self.node_cert.public_key, self.world.dice),
        ).encode()  # fmt: skip
        message = head + sealed
        signature = sm2.der_to_raw(self.platform[0].sign(message))
        return message + signature + struct.pack(">I4s", len(message) + TAIL_BYTES, b"1BPF")


class Receiver:
    """The node's own way in: open, then the channel's transaction."""

    def __init__(self, world: World) -> None:
        self.world = world
        key, cert = party(NODE, 0x10)
        self.seat = Seat(NODE, cert.serial_bytes(), key)
        platform = party(PLATFORM, 0x20)[1]
        self._known = {(PLATFORM, platform.serial_bytes()): platform.public_key}

    def take(self, content: bytes) -> str:
        """Return the fate of a file: a reason, or the fate of its batch."""
        try:
            header, plain = unpack(content, self.seat, lambda *who: self._known.get(who))
        except Unreadable as error:
            return error.reason.value
        batch = Control(header.epoch, header.seq, header.kind, sm3.digest(content),
                        header.prev_batch_sm3, header.first_rec, header.n_rec, plain)  # fmt: skip
        outcome: Outcome = self.world.done(
            self.world.store.do("c", control_txn, PLATFORM, batch, grant_txn)
        )
        return outcome.fate.value


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def test_no_forged_batch_is_taken_and_every_honest_one_is(world: World):
    mint, receiver = Mint(world), Receiver(world)
    honest = [mint.honest() for _ in range(CONTROLS)]

    fates = Counter(receiver.take(content) for content in honest)

    assert {Fate.APPLIED.value: CONTROLS} == fates
    before = world.rows("SELECT count(*), max(last) FROM number_block")
    told: dict[str, Counter[str]] = {}
    for name in CLASSES:
        made = Counter[str]()
        for _ in range(EACH):
            made[receiver.take(_one(mint, name, honest))] += 1
        told[name] = made
    assert before == world.rows("SELECT count(*), max(last) FROM number_block")
    assert 0 == sum(made[Fate.APPLIED.value] + made[Fate.HELD.value] for made in told.values())
    assert EACH * len(CLASSES) == sum(sum(made.values()) for made in told.values()) >= 10_000
    assert {Fate.REPEATED.value: EACH} == told["replayed"]
    assert {Fate.STALE.value: EACH} == told["wrong-epoch"]
    assert {"truncated", "too-big"} >= set(told["bomb"])
    assert Fate.APPLIED.value == receiver.take(mint.honest())


class RelayReceiver:
    """A relay's way in: open, hold, and open the batch whose turn it is."""

    def __init__(self, world: World, root: Path) -> None:
        self.world = world
        key, cert = party(NODE, 0x10)
        self.store = open_relay_store(
            world.reactor, root / "relay.db", now_ms=lambda: 0, on_fatal=world.fatal.append,
            pool=None,
        )  # fmt: skip
        unused: Any = None
        us = RelayEnds(unused, world.watch, world.dice, self.store, RelayPart(id=NODE), key, cert,
                       unused, unused)  # fmt: skip
        platform = party(PLATFORM, 0x20)[1]
        self.ends = NodeEnds(us, PLATFORM, platform, world.ferry, {})

    def take(self, content: bytes) -> str:
        """Return the fate of a file."""
        self.world.ferry.arrivals["file"] = content
        try:
            opened = open_file(self.ends, "file")
        except Unreadable as error:
            return error.reason.value
        assert opened is not None
        if opened.arrived is None:
            return "unexpected"
        batch = opened.arrived
        taken = self.world.done(self.store.do("a", arrived_txn, batch))
        if taken is not Taken.HELD:
            return str(taken.value)
        stream = self.store.read(stream_q, PLATFORM, batch.epoch)
        _records, calls = read_batch(batch, stream)
        self.world.done(self.store.do("o", open_txn, batch, calls))
        return "applied"


def test_a_relay_takes_no_forged_batch_either(world: World, tmp_path: Path):
    mint, receiver = Mint(world), RelayReceiver(world, tmp_path)
    honest = [mint.honest() for _ in range(40)]

    assert {"applied": 40} == Counter(receiver.take(content) for content in honest)
    told = {name: Counter(receiver.take(_one(mint, name, honest)) for _ in range(60))
            for name in CLASSES}  # fmt: skip
    assert 0 == sum(made["applied"] + made["held"] for made in told.values()), told
    assert {"repeated": 60} == told["replayed"]
    assert {"over": 60} == told["wrong-epoch"]
    assert "applied" == receiver.take(mint.honest())
    receiver.store.close()


def _one(mint: Mint, name: str, honest: list[bytes]) -> bytes:
    some = mint.dice.choice(honest)
    if name == "replayed":
        return some
    if name in ("altered", "truncated", "downgraded"):
        return bytes(getattr(mint, name)(some))
    return bytes(getattr(mint, name.replace("-", "_"))())


def test_the_length_of_the_fixed_header_is_that_of_the_specification():
    assert (254, 72) == (FIXED_BYTES, TAIL_BYTES)
