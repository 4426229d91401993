"""One connection of a fep-bridge: greeting within a bound time, signed frames, a pulse.

Rules: whoever does not prove a registered key within GREET_S is cut; a frame that breaks the
rules ends the connection; what is written to a peer that does not read is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from fep.services.bridges_lender import Bridge
from fep.wire.bridge import Broken, Frame, Greeted, Talk

GREET_S, PING_S, DEAD_S, LEAVE_S = 10.0, 10.0, 35.0, 1.0
UNSENT_MAX = 16 * 1024 * 1024


class Peer(Protocol):
    """The daemon's end of a connection."""

    # Twisted's transports are zope interfaces, which carry no static types.
    transport: Any

    def __init__(self, reactor: Any, talk: Talk, address: str,
                 proved: Callable[[Peer, Greeted], Bridge | None],
                 gone: Callable[[Peer], None], log: Any) -> None:  # fmt: skip
        self._reactor = reactor
        self._talk = talk
        self._proved = proved
        self._gone = gone
        self._log = log
        self._timer: Any = None
        self._heard_at = 0.0
        self._unsent = 0
        self._full = False
        self._over = False
        self.address = address
        self.bridge: Bridge | None = None

    # from Twisted
    def connectionMade(self) -> None:
        """Challenge."""
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self.transport.write(self._talk.hello())
        self._timer = self._reactor.callLater(GREET_S, self._cut, "no greeting")

    def dataReceived(self, data: bytes) -> None:
        """Take frames."""
        self._heard_at = self._reactor.seconds()
        try:
            for found in self._talk.feed(data):
                if isinstance(found, Greeted):
                    self._greeted(found)
                elif self.bridge is not None:
                    self.bridge.heard(found)
                if self._over:
                    return
        except Broken as broken:
            if self.bridge is None:
                self.transport.write(self._talk.refusal("AUTH"))
            self._cut(str(broken))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the loss."""
        self._over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self.bridge is not None:
            self.bridge.left(self)
            self._log.info("bridge.left", bridge=self.bridge.id)
        self._gone(self)

    # a push producer's: Twisted says when the peer does not read
    def pauseProducing(self) -> None:
        """Count what is written from now on."""
        self._full = True

    def resumeProducing(self) -> None:
        """All has left."""
        self._full, self._unsent = False, 0

    def stopProducing(self) -> None:
        """The connection is over."""

    # from the bridge
    def send(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame; a peer that has not read UNSENT_MAX bytes is cut."""
        if self._over:
            return
        if self._full:
            self._unsent += len(body) + 512
            if self._unsent > UNSENT_MAX:
                self._cut("does not read")
                return
        self.transport.write(self._talk.pack(head, body))

    def close(self) -> None:
        """End."""
        self._over = True
        self.transport.abortConnection()

    def _greeted(self, greeted: Greeted) -> None:
        bridge = self._proved(self, greeted)
        if bridge is None:
            raise Broken("not from here")
        self.transport.write(greeted.answer)
        self._timer.cancel()
        self._timer = self._reactor.callLater(PING_S, self._pulse)
        self.bridge = bridge
        bridge.joined(self)
        self._log.info("bridge.joined", bridge=bridge.id, address=self.address)

    def _pulse(self) -> None:
        if self._reactor.seconds() - self._heard_at > DEAD_S:
            self._cut("silent")
            return
        self.send({"op": "ping"})
        self._timer = self._reactor.callLater(PING_S, self._pulse)

    def _cut(self, why: str) -> None:
        self._over = True
        known = self.bridge.id if self.bridge is not None else ""
        self._log.warning("bridge.cut", bridge=known, address=self.address, why=why[:100])
        if self.bridge is None:
            self.transport.loseConnection()
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._timer = self._reactor.callLater(LEAVE_S, self.transport.abortConnection)
        else:
            self.transport.abortConnection()


__all__ = ["Frame", "Peer"]
