"""A network, processes and time in memory: what a node asks its reactor for, without a kernel.

One `Hub` is the time of the world and carries every wire. Each party has a `Reactor` of its
own on the same time, so that one can die (`dead`) while the world goes on. Delivery is in
order; a wire's other end hears of a death after the latency.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import (
    CannotListenError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    ProcessDone,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from fep.services import signer_process
from fep.services.signer_process import REQUEST

LATENCY_S = 0.001


class Hub(Clock):
    """The world's time and its listening places."""

    def __init__(self) -> None:
        super().__init__()
        self.doors: dict[object, Port] = {}

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, from one due call to the next; stops early when `until` holds."""
        end = self.seconds() + seconds
        while not until():
            due = min((call.getTime() for call in self.getDelayedCalls()), default=end)
            if due > end:
                self.advance(max(0.0, end - self.seconds()))
                return until()
            self.advance(max(0.0, due - self.seconds()))
        return True

    def doze(self, seconds: float, step_s: float = 60.0) -> None:
        """Let quiet time pass in coarse steps: every timer comes, up to `step_s` late."""
        end = self.seconds() + seconds
        while self.seconds() < end:
            self.advance(min(step_s, end - self.seconds()))


class Reactor:
    """One party's reactor: timers, doors, wires, children. Dies as a whole."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.dead = False
        self.ends: set[End] = set()
        self.ports: set[Port] = set()
        self.sign_s = 0.0005
        self.signer_mute = False

    def seconds(self) -> float:
        """Return the world's time."""
        return self.hub.seconds()

    def callLater(self, delay: float, function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Schedule unless dead when due."""

        def call() -> None:
            if not self.dead:
                function(*args, **kw)

        return self.hub.callLater(delay, call)

    def callWhenRunning(self, function: Callable[..., Any], *args: Any) -> None:
        """Run soon."""
        self.callLater(0, function, *args)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        """Open a door."""
        return Port(self, port or 40_000 + len(self.hub.doors), factory)

    def listenUNIX(self, address: str, factory: Any, *_args: Any, **_more: Any) -> Port:
        """Open a door with a path."""
        return Port(self, address, factory)

    def connectTCP(self, _host: str, port: int, factory: Any, *_args: Any, **_more: Any) -> Any:
        """Connect to a door of the world."""
        connector = _Connector()
        factory.doStart()
        factory.startedConnecting(connector)

        def attempt() -> None:
            door = self.hub.doors.get(port)
            if connector.stopped:
                return
            protocol = factory.buildProtocol(_address(port)) if door else None
            if door is None or protocol is None:
                factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
                return
            far = door.factory.buildProtocol(_address(port))
            near_end, far_end = End(self, protocol, port), End(door.owner, far, port)
            near_end.peer, far_end.peer = far_end, near_end
            far.makeConnection(far_end)
            protocol.makeConnection(near_end)

        self.callLater(LATENCY_S, attempt)
        return connector

    def spawnProcess(self, protocol: Any, *_args: Any, **_more: Any) -> Any:
        """Start the only child a node has: its signer."""
        child = Signer(self, protocol)
        protocol.makeConnection(child)
        return child

    def die(self) -> None:
        """Be gone at once, as by SIGKILL: no call comes, every wire breaks."""
        self.dead = True
        for port in list(self.ports):
            port.close()
        for end in list(self.ends):
            end.broken()


class Port:
    """A listening place."""

    def __init__(self, owner: Reactor, where: object, factory: Any) -> None:
        if where in owner.hub.doors:
            raise CannotListenError("", where, OSError("in use"))
        self.owner, self.where, self.factory = owner, where, factory
        self.socket = FakeSocket()
        owner.hub.doors[where] = self
        owner.ports.add(self)
        factory.doStart()

    def getHost(self) -> IPv4Address:
        """Return the address."""
        return _address(self.where if isinstance(self.where, int) else 0)

    def close(self) -> None:
        """Close the door."""
        self.owner.hub.doors.pop(self.where, None)
        self.owner.ports.discard(self)

    def stopListening(self) -> Deferred[None]:
        """Close the door."""
        self.close()
        return succeed(None)


class FakeSocket:
    """Takes every option; says that the connection stands."""

    def setsockopt(self, *_args: Any) -> None:
        """Accept."""

    def getsockopt(self, *_args: Any) -> bytes:
        """Return tcpi_state ESTABLISHED."""
        return b"\x01"


class End:
    """One end of a wire, as a transport."""

    def __init__(self, owner: Reactor, protocol: Any, port: int) -> None:
        self.owner, self.protocol, self.port = owner, protocol, port
        self.peer: Any = None
        self.socket = FakeSocket()
        self.bufferSize = 65536
        self.disconnecting = False
        self._incoming = bytearray()
        self._paused = False
        self._lost = False
        self._closing: Failure | None = None
        self._pulled: Any = None
        owner.ends.add(self)

    # from the protocol
    def write(self, data: bytes) -> None:
        """Send."""
        if data and not self._lost and not self.disconnecting:
            self._later(self.peer._arrive, bytes(data))

    def writeSequence(self, chunks: list[bytes]) -> None:
        """Send."""
        self.write(b"".join(chunks))

    def loseConnection(self, *_reason: Any) -> None:
        """Close after what was written."""
        if not self.disconnecting and not self._lost:
            self.disconnecting = True
            self._later(self.peer._end, Failure(ConnectionDone()))
            self._later(self._end, Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        """Close now."""
        if not self._lost:
            self.disconnecting = True
            self._later(self.peer._end, Failure(ConnectionLost()))
            self._later(self._end, Failure(ConnectionLost()))

    def pauseProducing(self) -> None:
        """Hold back what arrives."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on with it."""
        self._paused = False
        self.owner.hub.callLater(0, self._hand_on)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Ask a pull producer whenever the other side has taken everything."""
        if not streaming:
            self._pulled = producer
            self.owner.callLater(0, self._pull)

    def unregisterProducer(self) -> None:
        """Stop asking."""
        self._pulled = None

    def getPeer(self) -> IPv4Address:
        """Return the address."""
        return _address(self.port)

    getHost = getPeer

    def getHandle(self) -> FakeSocket:
        """Return the socket."""
        return self.socket

    def setTcpNoDelay(self, _on: bool) -> None:
        """Accept."""

    def setTcpKeepAlive(self, _on: bool) -> None:
        """Accept."""

    # from the wire
    def broken(self) -> None:
        """The owner died: the other side hears of it."""
        self._lost = True
        self.owner.ends.discard(self)
        self._later(self.peer._end, Failure(ConnectionLost()))

    def _later(self, function: Callable[..., Any], *args: Any) -> None:
        self.owner.hub.callLater(LATENCY_S, function, *args)

    def _arrive(self, data: bytes) -> None:
        self._incoming += data
        self._hand_on()

    def _hand_on(self) -> None:
        while self._incoming and not self._paused and not self._lost and not self.owner.dead:
            chunk = bytes(self._incoming[: max(1, self.bufferSize)])
            del self._incoming[: len(chunk)]
            self.protocol.dataReceived(chunk)
        if self._closing is not None and not self._incoming:
            self._end(self._closing)

    def _pull(self) -> None:
        producer = self._pulled
        if producer is None or self._lost:
            return
        if not self.peer._incoming:
            producer.resumeProducing()
        self.owner.callLater(LATENCY_S, self._pull)

    def _end(self, reason: Failure) -> None:
        if self._lost:
            return
        if self._incoming and reason.check(ConnectionDone):
            self._closing = reason
            return
        self._lost = True
        self.owner.ends.discard(self)
        if not self.owner.dead:
            self.protocol.connectionLost(reason)


class Signer:
    """The signer process, run in place: the same key code, no pipe."""

    def __init__(self, reactor: Reactor, protocol: Any) -> None:
        self._reactor, self._protocol = reactor, protocol
        self._key: Any = None
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take the configuration line, then requests."""
        self._rest += data
        if self._key is None:
            line, end, rest = self._rest.partition(b"\n")
            if not end:
                return
            self._rest = rest
            self._key = signer_process._open(json.loads(line))
            told = json.dumps({"ok": True, "backend": self._key.backend}).encode() + b"\n"
            self._reactor.callLater(0.05, self._protocol.outReceived, told)
        while len(self._rest) >= REQUEST.size:
            request, self._rest = self._rest[: REQUEST.size], self._rest[REQUEST.size :]
            if not self._reactor.signer_mute:
                answer = signer_process._sign(self._key, *REQUEST.unpack(request))
                self._reactor.callLater(self._reactor.sign_s, self._protocol.outReceived, answer)

    def closeStdin(self) -> None:
        """End."""
        ended = Failure(ProcessDone(0))
        self._reactor.callLater(0.01, self._protocol.processEnded, ended)


class _Connector:
    """What a client endpoint may cancel."""

    def __init__(self) -> None:
        self.stopped = False

    def stopConnecting(self) -> None:
        """Give up."""
        self.stopped = True

    def disconnect(self) -> None:
        """Give up."""
        self.stopped = True


def _address(port: int) -> IPv4Address:
    return IPv4Address("TCP", "127.0.0.1", port)
