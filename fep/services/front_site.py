"""The HTTP side of the doors for business systems: connections with bounds on everything.

Rules: a body is refused by its length before it is read; a request must have come within
`request_s` and be answered within ANSWER_S; headers, connections and the bytes of unfinished
requests are bounded; one request at a time is read from a connection. When all places are taken
the connection that has been silent longest makes room. Knows no path.
"""

# The classes of twisted.web carry no types.
# mypy: disable-error-code="no-untyped-call,misc"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from twisted.internet.protocol import Factory, connectionDone
from twisted.web import http
from twisted.web.http_headers import Headers

from fep.services.quick_write import write_now

ANSWER_S = 60.0
HEADERS_MAX = 64
HEADER_BYTES_MAX = 8192
HEADS_KEPT = 64
_TOO_LARGE = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class FrontBounds:
    """Limits of all connections together, and of one request."""

    connections: int
    body_bytes: int
    held_bytes: int
    request_s: float
    idle_s: float


class FrontRequest(http.Request):
    """A request whose body is kept in memory up to the bound, and parsed by nobody here."""

    channel: Any

    def gotLength(self, length: int | None) -> None:
        """Start with nothing."""
        self.parts: list[bytes] = []
        self.size = 0
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body while there is room."""
        if self.channel.room(self.size + len(data), len(data)):
            self.parts.append(data)
            self.size += len(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Hand the whole request over, unless the channel has refused it."""
        self.method, self.uri, self.clientproto = command, path, version
        if not self.channel.refused:
            self.channel.asked()
            self.channel.factory.answer(self)

    @property
    def peer(self) -> str:
        """Return the address of the connection's other end."""
        return str(getattr(self.getClientAddress(), "host", "unix"))

    @property
    def secure(self) -> bool:
        """Say whether the connection itself is encrypted."""
        return bool(self.isSecure())

    @property
    def body(self) -> bytes:
        """Return the body as it came."""
        return b"".join(self.parts)

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer, unless the caller has gone."""
        if self.finished or self._disconnected or self.channel is None:
            return
        line, lines = _head(status, tuple(headers))
        last = b"Connection: close\r\n" if self.responseHeaders.hasHeader("Connection") else b""
        data = b"%b %b%b%b" % (self.clientproto, line, last, lines)
        data += b"Content-Length: %d\r\n\r\n" % len(body)
        self.startedWriting = 1
        bare = self.method == b"HEAD" or status in http.NO_BODY_CODES
        write_now(self.channel.transport, data if bare else data + body)
        self.finish()


@lru_cache(HEADS_KEPT)
def _head(status: int, headers: tuple[tuple[str, str], ...]) -> tuple[bytes, bytes]:
    """Return status and headers as they are sent: most answers differ in their length alone."""
    clean = Headers()  # names spelt as usual, no line end in a value
    for name, value in headers:
        clean.addRawHeader(name, value)
    lines = (b"%b: %b\r\n" % (name, value)
             for name, values in clean.getAllRawHeaders() for value in values)  # fmt: skip
    line = b"%d %b\r\n" % (status, http.RESPONSES.get(status, b"Unknown Status"))
    return line, b"".join(lines)


class FrontChannel(http.HTTPChannel):
    """One connection of a business system."""

    maxHeaders = HEADERS_MAX
    totalHeadersSize = HEADER_BYTES_MAX
    timeOut = None  # the one clock below bounds every phase
    requestFactory = FrontRequest
    factory: Any
    transport: Any
    refused = False

    def connectionMade(self) -> None:
        """Start the clock."""
        super().connectionMade()
        self._held = 0
        self._reading = True
        self._clock = self.factory.call_later(self.factory.bounds.request_s, self._late)
        if not self.factory.took(self):
            self.refuse(_BUSY)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Stop the clock and leave."""
        if self._clock.active():
            self._clock.cancel()
        self._release()
        self.factory.lost(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Take data until the connection is refused; the first byte of a request is timed."""
        if self.refused:
            return
        if not self._reading:
            self._reading = True
            self._time(self.factory.bounds.request_s)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Refuse a body that is too long before it comes."""
        if self.length is not None and self.length > self.factory.bounds.body_bytes:
            self.requests[-1].gotLength(0)
            self.refuse(_TOO_LARGE)
            return
        super().allHeadersReceived()

    def requestDone(self, request: Any) -> None:
        """Wait for the next request."""
        self._release()
        self._reading = False
        self._time(self.factory.bounds.idle_s)
        self.factory.quiet(self)
        super().requestDone(request)

    # from the request
    def room(self, size: int, more: int) -> bool:
        """Count bytes of a body in; False when they are too many and the caller is cut."""
        if self.refused:
            return False
        self._held += more
        if size > self.factory.bounds.body_bytes:
            self.refuse(_TOO_LARGE)
        elif not self.factory.hold(more):
            self.refuse(_BUSY)
        return not self.refused

    def asked(self) -> None:
        """The request is whole: from now on it is our time that runs."""
        self._time(ANSWER_S)
        self.factory.busy(self)

    def refuse(self, answer: bytes) -> None:
        """Write an answer that needs no request, and close."""
        if not self.refused:
            self.refused = True
            self._release()
            for request in self.requests:
                request.parts = []
            self.transport.write(answer)
            self.transport.loseConnection()

    def _release(self) -> None:
        self.factory.hold(-self._held)
        self._held = 0

    def _time(self, seconds: float) -> None:
        if self._clock.active():
            self._clock.reset(seconds)

    def _late(self) -> None:
        self.transport.abortConnection()


class FrontSite(Factory):
    """All connections of the front."""

    protocol: Any = FrontChannel
    noisy = False

    def __init__(
        self, reactor: Any, bounds: FrontBounds, answer: Callable[[FrontRequest], None]
    ) -> None:
        self.bounds = bounds
        self.answer = answer
        self.call_later: Callable[..., Any] = reactor.callLater
        self._open: set[FrontChannel] = set()
        self._quiet: dict[FrontChannel, None] = {}  # those that wait for nothing, longest first
        self._held = 0

    def log(self, request: Any) -> None:
        """Write no access log: what a caller did is in the journal."""

    # from channels
    def took(self, channel: FrontChannel) -> bool:
        """Count a connection in; False when it is one too many.

        Who has asked nothing for longest makes room: silent connections keep nobody out.
        """
        if len(self._open) >= self.bounds.connections and self._quiet:
            longest = next(iter(self._quiet))
            self.lost(longest)  # now: its transport tells of the end in a turn of its own
            longest.transport.abortConnection()
        self._open.add(channel)
        self._quiet[channel] = None
        return len(self._open) <= self.bounds.connections

    def busy(self, channel: FrontChannel) -> None:
        """A connection has asked; it stays until it is answered."""
        self._quiet.pop(channel, None)

    def quiet(self, channel: FrontChannel) -> None:
        """A connection has its answer."""
        self._quiet[channel] = None

    def lost(self, channel: FrontChannel) -> None:
        """Count a connection out."""
        self._open.discard(channel)
        self._quiet.pop(channel, None)

    def hold(self, more: int) -> bool:
        """Count bytes of requests under way; False when all together hold too many."""
        self._held += more
        return more <= 0 or self._held <= self.bounds.held_bytes

    # from front
    def let_go(self) -> None:
        """Close what is open once what was answered has left."""
        for channel in list(self._open):
            channel.transport.loseConnection()

    def cut(self) -> None:
        """Abort what is still open."""
        for channel in list(self._open):
            channel.transport.abortConnection()

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)
