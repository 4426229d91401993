"""The HTTP door holds: headers, bodies, connections, time. In memory, on a fake clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fep.services.web_site import HEADER_BYTES_MAX, HEADERS_MAX, LIFE_S, BoundedSite

PROXY = "10.0.0.5"
GET = b"GET /r/x HTTP/1.1\r\nHost: p\r\n"
REQUEST_S = 15.0


class Root(Resource):
    """Answers at once, or when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.slow = False

    def render(self, request: Any) -> Any:
        self.seen.append(request)
        if self.slow:
            request.notifyFinish().addErrback(lambda _: None)
        return NOT_DONE_YET if self.slow else b"fine"


class Wire(StringTransport):
    """A transport that is gone when it is told to go."""

    def __init__(self, channel: Any, host: str) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 1))
        self.channel = channel
        channel.makeConnection(self)

    def send(self, data: bytes) -> bytes:
        self.channel.dataReceived(data)
        return self.value()

    @property
    def closed(self) -> bool:
        return self.disconnecting or self.disconnected

    def abortConnection(self) -> None:
        self.disconnected = True
        self.channel.connectionLost(Failure(ConnectionAborted()))


class Bench:
    """A site on a fake clock."""

    def __init__(self) -> None:
        self.clock, self.root = Clock(), Root()
        self.site = BoundedSite(
            self.clock, self.root, connections_max=8, request_s=REQUEST_S,
            proxies=frozenset({PROXY}),
        )  # fmt: skip
        self.site.startFactory()
        self.wires: list[Wire] = []

    def connect(self, host: str = "9.9.9.9") -> Wire:
        channel = self.site.buildProtocol(IPv4Address("TCP", host, 1))
        self.wires.append(Wire(channel, host))
        return self.wires[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A site, put away afterwards."""
    built = Bench()
    yield built
    built.site.stopFactory()


def test_one_request_one_answer_and_the_connection_ends(bench: Bench) -> None:
    wire = bench.connect()

    answer = wire.send(GET + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"onnection: close" in answer
    assert answer.endswith(b"fine")
    assert wire.closed


def test_a_second_request_on_the_line_is_not_read(bench: Bench) -> None:
    bench.connect().send((GET + b"\r\n") * 3)

    assert len(bench.root.seen) == 1


@pytest.mark.parametrize("size", [b"Content-Length: 5", b"Content-Length: 999999999999",
                                  b"Transfer-Encoding: chunked"])  # fmt: skip
def test_a_body_is_refused_before_it_comes(bench: Bench, size: bytes) -> None:
    wire = bench.connect()

    answer = wire.send(b"POST /r/x HTTP/1.1\r\nHost: p\r\n" + size + b"\r\n\r\n5\r\nhello\r\n")
    wire.send(b"x" * 100_000)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert wire.closed
    assert bench.root.seen == []


@pytest.mark.parametrize("lines", [
    b"".join(b"X-%d: y\r\n" % n for n in range(HEADERS_MAX + 1)),
    b"X: " + b"y" * HEADER_BYTES_MAX + b"\r\n",
])  # fmt: skip
def test_too_many_headers_are_refused(bench: Bench, lines: bytes) -> None:
    wire = bench.connect()

    answer = wire.send(GET + lines + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert bench.root.seen == []


def test_a_request_that_drips_is_cut_off(bench: Bench) -> None:
    wire = bench.connect()

    for _ in range(int(REQUEST_S) + 1):
        if not wire.closed:
            wire.send(b"G")
        bench.clock.advance(1)

    assert wire.disconnected


def test_an_answer_may_take_longer_than_its_request_but_not_for_ever(bench: Bench) -> None:
    bench.root.slow = True
    wire = bench.connect()
    wire.send(GET + b"\r\n")

    bench.clock.advance(REQUEST_S + 1)
    assert not wire.closed
    bench.clock.advance(LIFE_S)

    assert wire.disconnected
    assert bench.site.connections == 0


def test_one_source_has_its_share_of_the_connections(bench: Bench) -> None:
    wires = [bench.connect() for _ in range(3)]

    assert [wire.closed for wire in wires] == [False, False, True]
    assert wires[2].value().startswith(b"HTTP/1.1 503 ")
    assert not bench.connect("8.8.8.8").closed


def test_a_proxy_speaks_for_many_but_not_for_more_than_all(bench: Bench) -> None:
    wires = [bench.connect(PROXY) for _ in range(9)]

    assert [wire.closed for wire in wires] == [False] * 8 + [True]


def test_who_leaves_makes_room(bench: Bench) -> None:
    first, _second = bench.connect(), bench.connect()

    first.abortConnection()

    assert not bench.connect().closed


def test_a_refused_connection_is_not_listened_to(bench: Bench) -> None:
    third = [bench.connect() for _ in range(3)][2]

    third.send(GET + b"\r\n")

    assert bench.root.seen == []


def test_closing_the_door_cuts_what_is_open(bench: Bench) -> None:
    wires = [bench.connect(f"9.9.9.{n}") for n in range(3)]

    bench.site.cut()

    assert [True] * 3 == [wire.disconnected for wire in wires]
    assert bench.site.connections == 0
