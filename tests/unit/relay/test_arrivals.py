"""What a relay does with the files of a node, one of which may be poison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock as FakeReactor

from fep.services.relay_ends import NodeEnds, RelayEnds
from fep.services.relay_peer import Peer
from fep.settings_relay import RelayPart
from fep.store.relay_opening import open_relay_store
from fep.wire.fpb import Header, Kind, pack
from fep.wire.fpb_ack import Nack
from fep.wire.fpb_name import BatchName, node8
from tests.unit.link.link_ferry import MemoryFerry
from tests.unit.link.link_world import NODE, PLATFORM, Dice, Lines, Watch, party


class Gate:
    """A relay's peer with its node's files in memory, and a clock that is turned by hand."""

    def __init__(self, root: Path) -> None:
        self.reactor = FakeReactor()
        self.ferry = MemoryFerry()
        self.log = Lines()
        self._dice = Dice()
        watch = Watch(self.reactor)
        self._key, self._cert = party(PLATFORM, 0x20)
        self._node_key, self._node_cert = party(NODE, 0x10)
        self._store = open_relay_store(
            self.reactor, root / "relay.db", now_ms=lambda: 0, on_fatal=lambda why: None, pool=None
        )
        us = RelayEnds(
            self.reactor, watch, self._dice, self._store, RelayPart(), self._key, self._cert,
            self._work, self.log,
        )  # fmt: skip
        self.peer = Peer(NodeEnds(us, NODE, self._node_cert, self.ferry, {}), {})
        self._loops = Deferred.fromCoroutine(self.peer.start([]))
        self.run(0.1)

    def _work(self, fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Run at once but answer a turn later, as a thread would."""
        answer: Deferred[Any] = Deferred()
        result = maybeDeferred(fn, *args)
        result.addBoth(lambda value: self.reactor.callLater(0, answer.callback, value))
        return answer

    def nack_of_node(self, seq: int) -> str:
        """Let a genuine file of the node arrive; returns its name."""
        header = Header(
            kind=Kind.NACK, sender=NODE, receiver=PLATFORM, epoch=1, channel=0, seq=seq,
            created_ms=0, sender_serial=self._node_cert.serial_bytes(),
            receiver_serial=self._cert.serial_bytes(),
        )  # fmt: skip
        plain = Nack(2, 1, "MISSING", 0).encode()
        name = BatchName(node8(NODE), 1, 0, seq, 1).text()
        self.ferry.arrivals[name] = pack(
            header, plain, self._node_key, self._cert.public_key, self._dice
        )
        return name

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / 0.1)):
            self.reactor.advance(0.1)
            for _ in range(20):
                self.reactor.advance(0)

    def close(self) -> None:
        """Stop the peer and its store."""
        stopped = Deferred.fromCoroutine(self.peer.stop())
        self.run(2.0)
        assert stopped.called
        self._store.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path)
    yield gate
    gate.close()


def test_an_arrival_the_relay_stumbles_over_stands_in_nobodys_way(gate: Gate):
    read = gate.ferry.read

    def stumble(name: str) -> bytes | None:
        if name.startswith("a-poison"):
            raise RuntimeError("a bug of ours")
        return read(name)

    gate.ferry.read = stumble  # type: ignore[method-assign]  # one file is read badly
    gate.ferry.arrivals["a-poison"] = b"x"
    gate.nack_of_node(1)
    gate.run(10)

    assert ["a-poison"] == list(gate.ferry.arrivals), "it stays for a better build"
    assert gate.peer.heard_at > 0
    assert "a bug of ours" in gate.peer.fault, "the operator sees it while it lasts"
    assert 1 <= len(gate.log.named("link.arrival_failed")) <= 5

    del gate.ferry.arrivals["a-poison"]
    gate.run(2)
    assert "" == gate.peer.fault


def test_a_file_that_cannot_be_read_now_is_named_until_it_is_read(gate: Gate):
    read = gate.ferry.read
    bad = {"on": True}

    def refuse(name: str) -> bytes | None:
        if bad["on"]:
            raise OSError("disk")
        return read(name)

    gate.ferry.read = refuse  # type: ignore[method-assign]  # the disk fails for a while
    gate.nack_of_node(1)
    gate.run(3)

    assert "disk" == gate.peer.fault
    assert 0 == gate.peer.heard_at

    bad["on"] = False
    gate.run(5)
    assert ("", True, {}) == (gate.peer.fault, gate.peer.heard_at > 0, gate.ferry.arrivals)
