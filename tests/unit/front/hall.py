"""An HTTP front in memory: real site, real doors of the test's, a fake clock."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from fep.services.front import Front, Route
from fep.services.http_values import HttpAnswer, HttpDoor, HttpRequest
from fep.settings_http import HttpSettings, TlsSettings

SETTINGS = HttpSettings(
    listen=("tcp:0",), proxies=("10.0.0.5",), max_connections=4, max_calls=2,
    max_body_bytes=65_536, max_held_bytes=100_000, request_s=10, idle_s=20,
)  # fmt: skip


class Heard:
    """A log that keeps what was said, facts included."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, _level: str) -> Any:
        return lambda name, **facts: self.said.append((name, facts))


class Wire(StringTransport):
    """A transport that is gone when it is told to go."""

    def __init__(self, channel: Any, host: str) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 1))
        self.channel = channel
        channel.makeConnection(self)

    def send(self, data: bytes) -> bytes:
        """Deliver bytes; return what was answered to all so far."""
        for start in range(0, len(data), 16_384):
            self.channel.dataReceived(data[start : start + 16_384])
        return self.value()

    @property
    def closed(self) -> bool:
        return self.disconnecting or self.disconnected

    def abortConnection(self) -> None:
        if not self.disconnected:
            self.disconnected = True
            self.channel.connectionLost(Failure(ConnectionAborted()))


class FrontHall:
    """A front whose doors are the test's."""

    def __init__(self, settings: HttpSettings = SETTINGS, **doors: HttpDoor) -> None:
        self.clock, self.log = Clock(), Heard()
        self.seen: list[HttpRequest] = []
        routes = [
            Route("/rpc", doors.get("rpc", self.echo), ("POST",)),
            Route("/his/api/", doors.get("his", self.echo), cors=True),
            Route("/his/api/deep/", doors.get("deep", self.echo), cors=True),
        ]
        self.front = Front(self.clock, settings, TlsSettings(), routes, self.log, lambda: "ref")

    async def echo(self, request: HttpRequest) -> HttpAnswer:
        """Answer what came."""
        self.seen.append(request)
        return HttpAnswer(200, "text/plain", b"heard " + request.body)

    def connect(self, host: str = "10.1.1.1") -> Wire:
        """Return a new connection."""
        channel = self.front.site.buildProtocol(IPv4Address("TCP", host, 1))
        return Wire(channel, host)

    def ask(self, method: str, path: str, body: bytes = b"", host: str = "10.1.1.1",
            **headers: str) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
        """Make one request on a connection of its own; return status, headers, body."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in names.items())
        head = f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        wire = self.connect(host)
        said = parsed(wire.send(head.encode("latin-1") + body))
        wire.abortConnection()
        return said


def parsed(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers in lower case, body of one answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}, body


def code(said: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    """Return status and fault code of a refusal that no door made."""
    return said[0], json.loads(said[2])["fault"]
