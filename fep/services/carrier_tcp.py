"""The carrier for a gate that maps a TCP port (fpb1.md, 6.1).

Either side may be the only one that can connect: once a line stands, both send on it. A
frame is a 4-byte length and a container; each direction has one unanswered frame at most.
Length 0 answers "held durably", 0xFFFFFFFF "not taken". Rules: a line without traffic is
closed before a gate cuts it silently, and opened anew; an answer that does not come ends
the line; the content proves itself, so a stranger who gets through can only be in the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from fep.domain.link_pace import Limits
from fep.services.carrier_belt import Belt, NotNow, Tools
from fep.services.ferry import Ferry, Full
from fep.settings_link import CarrierSettings
from fep.wire.fpb import FILE_MAX_BYTES, Unreadable

_client: Any = clientFromString
_server: Any = serverFromString
_connect: Any = connectProtocol

TAKEN: Final = b"\0\0\0\0"
NOT_TAKEN: Final = b"\xff\xff\xff\xff"
LENGTH_BYTES: Final = 4
LINES_MAX: Final = 4
CONNECT_S: Final = 30.0


class Line(Protocol):
    """One connection; the same for the side that opened it and the one that took it."""

    transport: Any  # Twisted declares ITransport | None

    def __init__(self, carrier: TcpCarrier) -> None:
        self._carrier = carrier
        self._rest = bytearray()
        self._answer: Deferred[bool] | None = None
        self._storing = False
        self.used_s = carrier.mono()
        self.up = False

    # from Twisted
    def connectionMade(self) -> None:
        """Take up work."""
        self.up = True
        self.transport.setTcpNoDelay(True)
        self._carrier.line_up(self)

    def dataReceived(self, data: bytes) -> None:
        """Take frames apart; anything out of order ends the line."""
        self.used_s = self._carrier.mono()
        self._rest += data
        while len(self._rest) >= LENGTH_BYTES and self.up:
            head = bytes(self._rest[:LENGTH_BYTES])
            if head in (TAKEN, NOT_TAKEN):
                del self._rest[:LENGTH_BYTES]
                self._answered(head == TAKEN)
                continue
            size = int.from_bytes(head, "big")
            if size > FILE_MAX_BYTES or self._storing:
                self.drop()
                return
            if len(self._rest) < LENGTH_BYTES + size:
                return
            content = bytes(self._rest[LENGTH_BYTES : LENGTH_BYTES + size])
            del self._rest[: LENGTH_BYTES + size]
            self._storing = True
            self._carrier.store(content, self._stored)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell who waits that the answer will not come; whether it was held is unknown."""
        self.up = False
        answer, self._answer = self._answer, None
        if answer is not None and not answer.called:
            answer.errback(NotNow("the line was cut"))
        self._carrier.line_down(self)

    # from TcpCarrier
    def send(self, content: bytes) -> Deferred[bool]:
        """Send one container; fires with what the other side says of it."""
        assert self._answer is None, "one frame at a time"
        self._answer = Deferred()
        self.transport.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
        return self._answer

    def drop(self) -> None:
        """End the line."""
        self.up = False
        self.transport.abortConnection()

    def idle(self) -> bool:
        """Say whether nothing is under way."""
        return self._answer is None and not self._storing

    def _stored(self, held: bool) -> None:
        self._storing = False
        if self.up:
            self.transport.write(TAKEN if held else NOT_TAKEN)

    def _answered(self, held: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            self.drop()
        else:
            answer.callback(held)


class TcpCarrier(Ferry):
    """Moves the ferry's files over one TCP port, as connector, listener or both."""

    def __init__(self, root: Any, tools: Tools, settings: CarrierSettings, limits: Limits) -> None:
        super().__init__(root)
        self._tools, self._settings = tools, settings
        self._belt = Belt(
            tools, self, limits, self._deliver, poll_s=settings.poll_s, retry_s=settings.retry_s
        )
        self._lines: list[Line] = []
        self._port: Any = None  # Twisted's IListeningPort
        self._connecting: Any = None  # Deferred
        self._watch: Any = None  # IDelayedCall
        self._running = False

    # from Uplink or relay
    def open(self) -> None:
        """Listen and connect as configured."""
        self._running = True
        if self._settings.listen:
            endpoint = _server(self._tools.reactor, self._settings.listen)
            endpoint.listen(_Lines(self)).addCallbacks(self._listening, self._deaf)
        self._belt.open()
        self._look()

    async def close(self) -> None:
        """Close every line; what waits stays on disk."""
        self._running = False
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        for line in list(self._lines):
            line.drop()
        await self._belt.close()
        if self._port is not None:
            await self._port.stopListening()

    def address(self) -> Any:
        """Return the address the listener got, None without one."""
        return None if self._port is None else self._port.getHost()

    # from Line
    def mono(self) -> float:
        """Return monotonic seconds."""
        return self._tools.clock.mono()

    def line_up(self, line: Line) -> None:
        """Use the newest line: an older one may have died without a sign."""
        if len(self._lines) >= LINES_MAX or not self._running:
            line.drop()
            return
        self._lines.append(line)
        self.fault = ""
        self._belt.ring()

    def line_down(self, line: Line) -> None:
        """Forget a line."""
        if line in self._lines:
            self._lines.remove(line)

    def store(self, content: bytes, answer: Callable[[bool], None]) -> None:
        """Store an arrival off the reactor and answer for it."""

        def failed(failure: Failure) -> None:
            why = failure.value
            if not isinstance(why, Unreadable | Full | OSError):
                failure.raiseException()
            self._tools.log.warning("carrier.not_taken", why=str(why)[:200])
            answer(False)

        stored = self._tools.work(self.accept, content)
        stored.addCallback(lambda _name: answer(True))
        stored.addErrback(failed)
        stored.addErrback(lambda f: self._tools.log.error("carrier.store", why=str(f.value)))

    # moving
    async def _deliver(self, name: str, content: bytes) -> bool:
        line = next((line for line in reversed(self._lines) if line.up and line.idle()), None)
        if line is None:
            raise NotNow(self.fault or "no line to the other side")
        answer = line.send(content)
        answer.addTimeout(self._settings.answer_s, self._tools.reactor)
        try:
            return await answer
        except (TimeoutError, CancelledError) as error:
            line.drop()
            raise NotNow("no answer from the other side") from error

    def _look(self) -> None:
        """Close lines that were idle too long, and see that the connector has one."""
        now = self.mono()
        # The listener waits longer, so that it is the connector who renews the line.
        patience = self._settings.idle_s * (1 if self._settings.connect else 3)
        for line in list(self._lines):
            if now - line.used_s > patience and line.idle():
                line.drop()
        if self._settings.connect and not any(line.up for line in self._lines):
            self._connect()
        if self._running:
            self._watch = self._tools.reactor.callLater(self._settings.poll_s, self._look)

    def _connect(self) -> None:
        if self._connecting is not None:
            return
        endpoint = _client(self._tools.reactor, self._settings.connect)
        self._connecting = _connect(endpoint, Line(self))
        self._connecting.addTimeout(CONNECT_S, self._tools.reactor)
        self._connecting.addCallbacks(self._connected, self._unreachable)

    def _connected(self, _line: Line) -> None:
        self._connecting = None

    def _unreachable(self, failure: Failure) -> None:
        self._connecting = None
        self.fault = f"cannot connect: {failure.value}"[:200]

    def _listening(self, port: Any) -> None:
        self._port = port

    def _deaf(self, failure: Failure) -> None:
        self.fault = f"cannot listen: {failure.value}"[:200]
        self._tools.log.error("carrier.deaf", why=self.fault)


class _Lines(Factory):
    """Takes calls from the addresses that may call."""

    noisy = False

    def __init__(self, carrier: TcpCarrier) -> None:
        self._carrier = carrier

    def buildProtocol(self, addr: IAddress | None) -> Line | None:
        """Return a line, None to hang up."""
        allowed = self._carrier._settings.peers
        host = getattr(addr, "host", "")
        return Line(self._carrier) if not allowed or host in allowed else None
