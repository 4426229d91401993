"""Answers written past the reactor: in order and whole, also when the socket is full."""

from __future__ import annotations

import socket
from typing import Any

import pytest_twisted
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from fep.services.quick_write import write_now

reactor: Any = _reactor
LINES = 20_000


class _Answering(Protocol):
    """Answers a connection with more than any socket takes at once."""

    def connectionMade(self) -> None:
        for number in range(LINES):
            write_now(self.transport, b"%08d %s\n" % (number, b"x" * 500))
        self.transport.loseConnection()


def _read(port: int) -> bytes:
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        while part := line.recv(65536):
            received += part
    return bytes(received)


@pytest_twisted.ensureDeferred
async def test_ten_megabytes_of_answers_arrive_whole_and_in_order_at_a_slow_reader():
    factory: Any = Factory.forProtocol(_Answering)
    door = reactor.listenTCP(0, factory, interface="127.0.0.1")
    received = await deferToThread(_read, door.getHost().port)
    await door.stopListening()

    assert list(range(LINES)) == [int(line[:8]) for line in received.splitlines()]
    assert LINES * 510 == len(received)


@pytest_twisted.ensureDeferred
async def test_an_answer_to_a_connection_that_is_gone_raises_nothing():
    gone: Deferred[None] = Deferred()

    class Late(Protocol):
        def connectionLost(self, reason: Any = None) -> None:
            write_now(self.transport, b"too late\n")
            gone.callback(None)

    factory: Any = Factory.forProtocol(Late)
    door = reactor.listenTCP(0, factory, interface="127.0.0.1")
    await deferToThread(
        lambda: socket.create_connection(("127.0.0.1", door.getHost().port)).close()
    )
    await gone
    await door.stopListening()
