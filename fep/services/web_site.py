"""The HTTP side of the web door: a twisted.web site with bounds on everything.

Rules: GET and HEAD only, no request has a body; one request a connection; a request must be
complete within `request_s`, and no connection lives longer than LIFE_S; headers, connections
and connections of one source are bounded. There is no access log: an address is a key to a
receipt. Owns no page.
"""

# The classes of twisted.web carry no types.
# mypy: disable-error-code="no-untyped-call,misc"

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.web import http, server
from twisted.web.resource import IResource

LIFE_S = 60.0
HEADERS_MAX = 64
HEADER_BYTES_MAX = 8192
# One source may take this share of all connections; a proxy speaks for many.
SHARE = 4
_TOO_LARGE = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n\r\n"


class BareRequest(server.Request):
    """A request without a body."""

    def gotLength(self, length: int | None) -> None:
        """Keep nothing: the channel refuses bodies."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Drop what comes all the same."""

    def process(self) -> None:
        """Answer, unless the channel has answered already."""
        channel: Any = self.channel
        if not channel.refused:
            super().process()


class Channel(http.HTTPChannel):
    """One connection: one request, one answer, a bound on its life."""

    maxHeaders = HEADERS_MAX
    totalHeadersSize = HEADER_BYTES_MAX
    timeOut = None  # the two calls below bound the whole, not the silence
    refused = False
    site: Any
    transport: Any
    source = ""

    def connectionMade(self) -> None:
        """Start the clocks."""
        super().connectionMade()
        call_later = self.site.call_later
        self._clocks = [
            call_later(self.site.request_s, self._unless_asked),
            call_later(LIFE_S, self.transport.abortConnection),
        ]
        if not self.site.took(self):
            self._refuse(_BUSY)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Stop the clocks and leave."""
        for call in self._clocks:
            if call.active():
                call.cancel()
        self.site.lost(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Take data until the connection is refused."""
        if not self.refused:
            super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Refuse a body before it comes."""
        super().allHeadersReceived()
        if self.length != 0:
            self._refuse(_TOO_LARGE)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """One request a connection."""
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return False

    def _unless_asked(self) -> None:
        if not self._handlingRequest:
            self.transport.abortConnection()

    def _refuse(self, answer: bytes) -> None:
        self.refused = True
        self.transport.write(answer)
        self.transport.loseConnection()


class BoundedSite(server.Site):
    """All connections of the web door."""

    protocol: Any = Channel
    requestFactory: Any = BareRequest

    def __init__(
        self,
        reactor: Any,
        root: IResource,
        *,
        connections_max: int,
        request_s: float,
        proxies: frozenset[str],
    ) -> None:
        super().__init__(root, reactor=reactor, timeout=None)
        self.request_s = request_s
        self.call_later: Callable[..., Any] = reactor.callLater
        self._connections_max = connections_max
        self._proxies = proxies
        self._open: dict[Channel, str] = {}
        self._sources: Counter[str] = Counter()

    def buildProtocol(self, addr: Any) -> Any:
        """Return a channel; whether it may stay is said when it is connected."""
        channel: Any = super().buildProtocol(addr)
        channel.source = getattr(addr, "host", "")
        return channel

    # from channels
    def took(self, channel: Channel) -> bool:
        """Count a connection in; False when it is one too many."""
        source = channel.source
        share = max(self._connections_max // SHARE, 1)
        crowded = source and source not in self._proxies and self._sources[source] >= share
        fits = len(self._open) < self._connections_max and not crowded
        self._open[channel] = source
        self._sources[source] += 1
        return fits

    def lost(self, channel: Channel) -> None:
        """Count a connection out."""
        source = self._open.pop(channel)
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    # from web
    def cut(self) -> None:
        """Abort what is still open."""
        for channel in list(self._open):
            channel.transport.abortConnection()

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)
