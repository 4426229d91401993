"""The way from a terminal without a line of its own to its acquirer (PATH 05 and 06).

Rules: off unless configured; bytes are carried unread and never logged; one message at a time,
each with its own connection, one answer within `ANSWER_S`; no answer is no answer, for only the
terminal may reverse. A message is framed by its own two-byte length, as acquirers do over TCP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from drivers.mispos import codec
from drivers.mispos.codec import Frame

CONNECT_S, ANSWER_S = 10.0, 60.0


class Relay:
    """Carries messages of one terminal to `host`:`port`."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, host: str, port: int,
                 answer: Callable[[Frame], None]) -> None:  # fmt: skip
        self._reactor = reactor
        self._endpoint = TCP4ClientEndpoint(reactor, host, port, timeout=CONNECT_S)
        self._answer = answer
        self._busy = False

    def carry(self, frame: Frame) -> None:
        """Take a message of the terminal; one that comes while another is out is dropped."""
        if self._busy:
            return
        self._busy = True
        # Twisted's factories are zope interfaces, which carry no static types.
        factory: Any = Factory.forProtocol(_Message)
        done = self._endpoint.connect(factory)
        done.addCallbacks(self._connected, lambda _failure: self._ended(), callbackArgs=(frame,))

    def _connected(self, message: Any, frame: Frame) -> None:
        def heard(content: bytes) -> None:
            self._answer(Frame(codec.RELAYED, frame.id, content, frame.type))

        message.begin(self._reactor, frame.content, heard, self._ended)

    def _ended(self) -> None:
        self._busy = False


class _Message(Protocol):
    """One message and its answer."""

    transport: Any

    def __init__(self) -> None:
        self._heard = b""
        self._tell: Callable[[bytes], None] | None = None
        self._ended: Callable[[], None] = lambda: None
        self._timer: Any = None

    def begin(self, reactor: Any, content: bytes, tell: Callable[[bytes], None],
              ended: Callable[[], None]) -> None:  # fmt: skip
        """Send the message and wait for its answer."""
        self._tell, self._ended = tell, ended
        self._timer = reactor.callLater(ANSWER_S, self.transport.abortConnection)
        self.transport.write(content)

    def dataReceived(self, data: bytes) -> None:
        """Collect the answer; one that is longer than a frame is nobody's."""
        self._heard += data
        if len(self._heard) > codec.FRAME_MAX:
            self.transport.abortConnection()
            return
        whole = 2 + int.from_bytes(self._heard[:2], "big")
        tell = self._tell
        if len(self._heard) >= max(whole, 3) and tell is not None:
            self._tell = None
            tell(self._heard[:whole])
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        """End, answered or not."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._ended()
