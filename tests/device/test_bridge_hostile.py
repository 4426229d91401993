"""What strangers and broken bridges send is bounded; a wrong key is told nothing."""

from __future__ import annotations

import json
import random
import socket
import struct
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from fep.services import bridges_peer
from fep.services.bridges_peer import GREET_S
from fep.wire.bridge import FRAME_MAX, PLAIN_MAX, Broken, Frame, Greeted, Talk, packed, plain, proof
from tests.device.bridge_rig import KEY, Rig, make, rig

SECRET = bytes.fromhex(KEY)
OURS = "ab" * 32


def _talk() -> Talk:
    return Talk("cd" * 32, {"pc": SECRET}.get)


def _hello(key: bytes = SECRET, id_: str = "pc") -> bytes:
    mac = proof(key, "bridge", id_, "cd" * 32, OURS).hex()
    return plain({"id": id_, "challenge": OURS, "mac": mac, "version": "1"})


def _session() -> bytes:
    return proof(SECRET, "session", "pc", "cd" * 32, OURS)


def _greeted() -> Talk:
    talk = _talk()
    (found,) = talk.feed(_hello())
    assert isinstance(found, Greeted)
    return talk


def test_any_split_of_the_stream_gives_the_same_frames():
    frames = [packed(_session(), b"B", n, {"op": "data", "ch": n}, b"x" * n) for n in (1, 2, 3)]
    stream = _hello() + b"".join(frames)
    dice = random.Random(1)

    whole = list(_talk().feed(stream))
    for _ in range(200):
        talk, found, rest = _talk(), [], stream
        while rest:
            size = dice.randint(1, 60)
            found += list(talk.feed(rest[:size]))
            rest = rest[size:]
        assert whole == found

    assert [b"x", b"xx", b"xxx"] == [one.body for one in whole if isinstance(one, Frame)]


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">I", PLAIN_MAX + 1), plain({}), plain({"id": "pc"}), _hello(b"0" * 32),
        _hello(id_="nobody"), struct.pack(">I", 2) + b"[]", struct.pack(">I", 4) + b"\xff" * 4,
        struct.pack(">I", 3000) + b"[" * 3000, _hello(id_="../../pc"), b"GET / HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_whoever_does_not_prove_a_key_is_cut(sent: bytes):
    with pytest.raises(Broken):
        list(_talk().feed(sent))


def _changed(at: int) -> bytes:
    frame = bytearray(packed(_session(), b"B", 1, {"op": "data"}, b"body"))
    frame[at] ^= 1
    return bytes(frame)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">I", FRAME_MAX + 1), _changed(6), _changed(20), _changed(-1),
        packed(_session(), b"B", 2, {"op": "pong"}, b""),
        packed(_session(), b"D", 1, {"op": "pong"}, b""),
        packed(b"1" * 32, b"B", 1, {"op": "pong"}, b""),
        packed(_session(), b"B", 1, {"op": "pong"}, b"") * 2,
        packed(_session(), b"B", 1, {"op": "a" * 70_000}, b""),
        struct.pack(">I", 10) + b"0" * 10,
    ],
)  # fmt: skip
def test_a_frame_that_breaks_the_rules_ends_the_connection(sent: bytes):
    with pytest.raises(Broken):
        list(_greeted().feed(sent))


def test_a_megabyte_of_noise_costs_no_more_than_a_frame():
    noise = random.Random(2).randbytes(1_000_000)
    talk = _talk()

    pieces = (noise[start : start + 1000] for start in range(0, len(noise), 1000))
    with pytest.raises(Broken):
        _ = [found for piece in pieces for found in talk.feed(piece)]

    assert len(talk._buffer) <= PLAIN_MAX + 1004


class _Wire(StringTransport):
    """A transport of memory that takes a producer and can be aborted."""

    connected = True

    def abortConnection(self) -> None:
        self.connected = False

    def loseConnection(self) -> None:
        self.connected = False


def test_who_says_nothing_is_cut_and_who_does_not_read_is_too(tmp_path, monkeypatch):
    clock, log = Clock(), _Quiet()
    bridges = make(clock, tmp_path, log)
    silent = bridges.peer("10.0.0.1")
    wire = _Wire()
    silent.makeConnection(wire)
    clock.advance(GREET_S + 0.1)
    deaf = bridges.peer("10.0.0.2")
    other = _Wire()
    deaf.makeConnection(other)
    challenge = json.loads(other.value()[4:])["challenge"]
    mac = proof(SECRET, "bridge", "pc", challenge, OURS).hex()
    deaf.dataReceived(plain({"id": "pc", "challenge": OURS, "mac": mac, "version": "1"}))
    monkeypatch.setattr(bridges_peer, "UNSENT_MAX", 10_000)
    deaf.pauseProducing()
    for _ in range(30):
        deaf.send({"op": "data", "ch": 1}, b"x" * 1000)

    assert (False, False) == (wire.connected, other.connected)


def test_strangers_are_few_at_a_time(tmp_path):
    bridges = make(Clock(), tmp_path, _Quiet())

    peers = [bridges.peer("10.0.0.1") for _ in range(100)]

    assert 32 == len([peer for peer in peers if peer is not None])


class _Quiet:
    """A log that keeps nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **facts: None


@pytest_twisted.ensureDeferred
async def test_a_front_end_that_is_none_gets_nothing_and_the_bridge_lives(tmp_path):
    """The bridge's own side: it talks to nobody who cannot prove the key, and tries again."""
    fake = socket.create_server(("127.0.0.1", 0))
    fake.setblocking(False)
    async with rig(tmp_path) as found:
        right, found.port = found.port, fake.getsockname()[1]
        found.write("")
        found.run()
        answers = [
            plain({"challenge": "zz"}), struct.pack(">I", 2**31), b"\x00\x00\x00\x02[]",
            plain({"challenge": "ab" * 32}) + plain({"ok": True, "mac": "00" * 32}),
            random.Random(3).randbytes(5000),
        ]  # fmt: skip
        heard = [await _met(found, fake, answer) for answer in answers]
        alive = found.process.poll()
        found.kill()
        found.port = right
        found.write("")
        found.run()
        await found.connected()

        assert alive is None
        assert all(len(one) < 400 for one in heard)
        assert not any(KEY.encode() in one for one in heard)
    fake.close()


async def _met(found: Rig, fake: socket.socket, answer: bytes) -> bytes:
    """Take one visit of the bridge, say something wrong, return what it said."""
    visits: list[socket.socket] = []

    def came() -> bool:
        try:
            visits.append(fake.accept()[0])
        except BlockingIOError:
            return False
        return True

    await found.until(came)
    visit = visits[0]
    visit.sendall(answer)
    visit.settimeout(1.0)
    heard = bytearray()
    try:
        while more := visit.recv(4096):
            heard += more
    except OSError:  # it may hang up with our words unread
        pass
    visit.close()
    return bytes(heard)
