"""One connection of the socket API: lines in, answers out, everything bounded.

A client that pipelines is read no further than its outstanding calls allow; one that does
not read its answers is given no further ones and then cut. Answers go out in the order they
are ready.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from fep.domain.faults import Refused, refuse
from fep.services.callers import Caller
from fep.services.quick_write import write_now
from fep.wire import jsonrpc


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one connection."""

    line_bytes: int
    outstanding: int
    auth_s: float = 10.0
    auth_line_bytes: int = 65536  # before a key is proved nobody gets a big buffer
    stall_s: float = 30.0  # a client that reads no answers is cut after this
    unsent_bytes: int = 8_388_608  # and at once when so much waits for it
    idle_s: float = 0.0  # a silent caller is closed after this; 0 is never


class Door(Protocol):
    """What a connection needs of the door it came through."""

    bounds: Bounds
    control: bool
    frame_mac: bool
    version: str

    def challenge(self) -> str:
        """Return a fresh challenge."""

    def auth(self, params: Any, challenge: str, peer: str) -> Caller:
        """Return who proved a key. Raises Refused AUTH_*."""

    def greet(self, connection: Connection) -> Caller | None:
        """Take a new connection; a person of this machine is known at once."""

    def call(self, caller: Caller, request: jsonrpc.Request) -> Any:
        """Run a method; answers a value, a coroutine or a Deferred."""

    def reference(self) -> str:
        """Return a correlation id for log and caller."""

    def lost(self, connection: Connection) -> None:
        """Forget a connection."""

    def hold(self, more: int) -> bool:
        """Count bytes of unfinished lines; False when all connections hold too many."""


@implementer(IPushProducer)
class Connection(TwistedProtocol):
    """See module."""

    transport: Any
    noisy = False

    def __init__(self, reactor: Any, door: Door, log: Any) -> None:
        self._reactor = reactor
        self._door = door
        self._log = log
        self._feed = jsonrpc.LineFeed(door.bounds.auth_line_bytes)
        self._waiting: deque[bytes | None] = deque()
        self._working = False
        self._outstanding = 0
        self._read_paused = False
        self._write_paused = False
        self._caller: Caller | None = None
        self._challenge = ""
        self._seq = 0
        self._auth_timer: Any = None
        self._stall_timer: Any = None
        self._unsent = 0
        self.silent = 0  # sweeps of the intake since anything was heard
        self.peer = ""

    # from Twisted
    def connectionMade(self) -> None:
        peer = self.transport.getPeer()
        self.peer = str(getattr(peer, "host", "unix"))
        self.transport.registerProducer(self, True)
        caller = self._door.greet(self)
        self._caller = replace(caller, line=self) if caller is not None else None
        self._challenge = self._door.challenge()
        if self._caller is not None:
            self._feed.limit = self._door.bounds.line_bytes
        else:
            self._auth_timer = self._reactor.callLater(self._door.bounds.auth_s, self._no_auth)
        hello = {
            "version": self._door.version,
            "challenge": self._challenge,
            "auth": list(jsonrpc.ALGORITHMS),
            "frame_mac": self._door.frame_mac,
        }
        self.transport.write(jsonrpc.notify("system.hello", hello))

    def dataReceived(self, data: bytes) -> None:
        self.silent = 0
        before = self._feed.held
        self._waiting.extend(self._feed.feed(data))
        if not self._door.hold(self._feed.held - before):
            # All callers together hold more than the node may: this one must come again.
            self._door.hold(-self._feed.held)
            self._feed.give_up()
            self._send(jsonrpc.refusal(None, refuse("BUSY"), self._door.reference()))
        self._work()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self._waiting.clear()
        self._door.hold(-self._feed.held)
        for timer in (self._auth_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._auth_timer = self._stall_timer = None
        self._door.lost(self)

    def pauseProducing(self) -> None:
        self._write_paused = True
        if self._stall_timer is None:
            self._stall_timer = self._reactor.callLater(self._door.bounds.stall_s, self._stalled)
        self._throttle()

    def resumeProducing(self) -> None:
        self._write_paused = False
        self._unsent = 0
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        self._work()

    def stopProducing(self) -> None:
        self._write_paused = True

    # from door
    @property
    def idle(self) -> bool:
        """Return whether every call taken has been answered."""
        return self._outstanding == 0

    @property
    def appid(self) -> str:
        """Return whose connection it is, empty before a key is proved."""
        return self._caller.appid if self._caller is not None else ""

    @property
    def control(self) -> bool:
        """Return whether a person of this machine is at the other end."""
        return self._door.control

    def peer_credentials(self) -> tuple[int, int, int]:
        """Return (pid, uid, gid) of a Unix peer."""
        raw = self.transport.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
        pid, uid, gid = struct.unpack("3i", raw)
        return pid, uid, gid

    # from notifications
    def push(self, line: bytes) -> bool:
        """Say what was not asked for; False when the reader is behind or gone."""
        if not self.connected or self._write_paused:
            return False
        self._send(line)
        return True

    def last_word(self, line: bytes) -> None:
        """Say one thing more to a reader that is behind; it waits with its answers."""
        self._send(line)

    # the work
    def _work(self) -> None:
        if self._working:
            return  # an answer that came at once: the loop below is under way, go on there
        self._working = True
        while self._waiting and not self._write_paused:
            if self._outstanding >= self._door.bounds.outstanding:
                break
            self._line(self._waiting.popleft())
        self._working = False
        self._throttle()

    def _throttle(self) -> None:
        # Before a key is proved reading goes on: TLS cannot send the greeting unless it also
        # hears the handshake, and what a stranger may send is little.
        pause = bool(self._waiting) or (self._write_paused and self._caller is not None)
        if pause is not self._read_paused:
            self._read_paused = pause
            if pause:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _line(self, line: bytes | None) -> None:
        try:
            if line is None:
                raise refuse("REQ_TOO_BIG", limit=self._feed.limit)
            request = jsonrpc.parse(line, self._encoding)
        except Refused as refused:  # whose call it was is not known
            self._send(jsonrpc.refusal(None, refused, self._door.reference()))
            return
        try:
            if request.method == "system.auth":
                self._reply(request, jsonrpc.answer(request.id, self._authenticate(request)))
                return
            caller = self._proved(line, request)
        except Refused as refused:
            self._reply(request, jsonrpc.refusal(request.id, refused, self._door.reference()))
            return
        self._outstanding += 1
        try:
            called = self._door.call(caller, request)
        except Exception:
            self._refuse(request, Failure())  # type: ignore[no-untyped-call]  # untyped
            return
        # Issuing answers a Deferred, people's questions a value or a coroutine.
        done = called if isinstance(called, Deferred) else maybeDeferred(lambda: called)
        done.addCallbacks(
            lambda result: self._answer(request, result),
            lambda failure: self._refuse(request, failure),
        )

    def _authenticate(self, request: jsonrpc.Request) -> dict[str, object]:
        caller = self._door.auth(request.params, self._challenge, self.peer)
        self._caller = replace(caller, line=self)
        self._feed.limit = self._door.bounds.line_bytes
        if self._auth_timer is not None:
            self._auth_timer.cancel()
            self._auth_timer = None
        return {"appid": caller.appid, "rights": sorted(caller.rights)}

    def _proved(self, line: bytes, request: jsonrpc.Request) -> Caller:
        caller = self._caller
        if caller is None:
            raise refuse("AUTH_NEEDED")
        if self._door.frame_mac:
            expected = jsonrpc.frame_mac(
                caller.auth, caller.key, caller.appid, self._challenge, line
            )
            if (
                expected is None
                or request.seq != self._seq + 1
                or not jsonrpc.same(expected, request.mac)
            ):
                raise refuse("AUTH_MAC")
            self._seq += 1
        return caller

    def _answer(self, request: jsonrpc.Request, result: Any) -> None:
        self._outstanding -= 1
        self._reply(request, jsonrpc.answer(request.id, result))
        self._work()

    def _refuse(self, request: jsonrpc.Request, failure: Failure) -> None:
        self._outstanding -= 1
        reference = self._door.reference()
        error = failure.value
        if isinstance(error, Refused):
            refused = error
        else:
            self._log.error("call.failed", method=request.method, ref=reference,
                            failure=failure.getTraceback()[-2000:])  # fmt: skip
            refused = refuse("INTERNAL", ref=reference)
        self._reply(request, jsonrpc.refusal(request.id, refused, reference))
        self._work()

    def _reply(self, request: jsonrpc.Request, data: bytes) -> None:
        if request.id is not None:  # a notification gets no answer, not even a refusal
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self.connected:
            write_now(self.transport, data if self._encoding == "utf-8" else jsonrpc.plain(data))
            if self._write_paused:
                self._unsent += len(data)
                if self._unsent > self._door.bounds.unsent_bytes:
                    self._stalled()

    @property
    def _encoding(self) -> str:
        return self._caller.encoding if self._caller else "utf-8"

    def _stalled(self) -> None:
        if self._stall_timer is not None and self._stall_timer.active():
            self._stall_timer.cancel()
        self._stall_timer = None
        self._log.warning("connection.not_reading", peer=self.peer)
        self.transport.abortConnection()

    def _no_auth(self) -> None:
        self._auth_timer = None
        self._log.info("connection.no_auth", peer=self.peer)
        self.transport.abortConnection()
