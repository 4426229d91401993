"""The local socket API: doors, their callers, and the way from a request to a method.

Doors are endpoint strings; the control socket is a Unix socket whose callers are people of
this machine. Every door ends in the same method table. On stop: no new connection, no new
call, the calls under way are answered, then the sockets close.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from fep.domain.faults import refuse
from fep.ports import Entropy
from fep.services.callers import Caller, Callers, person
from fep.services.connection import Bounds, Connection
from fep.services.front_tls import listening
from fep.services.methods import Methods
from fep.settings_http import TlsSettings
from fep.wire import jsonrpc
from fep.wire.fields import Fields

FLUSH_S = 2.0
SWEEPS = 4  # looks at a connection within its `idle_s`
_unix: Any = UNIXServerEndpoint  # Twisted leaves it untyped
NO_TLS = TlsSettings()


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """One listening place; `control` is the Unix socket of this machine's people."""

    endpoint: str
    control: bool
    frame_mac: bool
    token_ok: bool
    tls: bool = False


class Intake:
    """Opens and closes the doors."""

    def __init__(
        self,
        reactor: Any,
        entropy: Entropy,
        callers: Callers,
        methods: Methods,
        bounds: Bounds,
        log: Any,
        *,
        version: str,
        connections_max: int,
        held_max: int = 67_108_864,
        control_group: str = "",
        tls: TlsSettings = NO_TLS,
    ) -> None:
        self._reactor = reactor
        self._entropy = entropy
        self._callers = callers
        self._methods = methods
        self._log = log
        self._control_group = control_group
        self._tls = tls
        self._ports: list[Any] = []
        self._held = 0
        self._held_max = held_max
        self._idle: Deferred[None] | None = None
        self._closing = False
        self._sweeping: Any = None
        self.bounds = bounds
        self.version = version
        self.connections_max = connections_max
        self.connections: set[Connection] = set()

    # from node
    async def open(self, doors: list[DoorSettings]) -> None:
        """Listen. Raises Refused API_PORT for a door that is taken."""
        for door in doors:
            factory = _DoorFactory(self, door)
            if door.control:
                Path(door.endpoint).unlink(missing_ok=True)
                mode = 0o660 if self._control_group else 0o600
                endpoint: Any = _unix(self._reactor, door.endpoint, mode=mode)
            else:
                endpoint = listening(self._reactor, door.endpoint, self._tls)
            try:
                self._ports.append(await endpoint.listen(factory))
            except CannotListenError as error:
                why = error.socketError
                raise refuse("API_PORT", door=door.endpoint, why=why) from error
            if door.control and self._control_group:
                os.chown(door.endpoint, -1, grp.getgrnam(self._control_group).gr_gid)
            self._log.info("intake.open", door=door.endpoint)
        if self.bounds.idle_s:
            self._sweeping = self._reactor.callLater(self.bounds.idle_s / SWEEPS, self._sweep)

    async def close_doors(self) -> None:
        """Take no further connection and no further call; calls under way go on."""
        self._closing = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        ports, self._ports = self._ports, []
        for port in ports:
            await port.stopListening()

    async def close_connections(self) -> None:
        """Flush what is answered, then close every connection; bounded by FLUSH_S."""
        if not self.connections:
            return
        self._idle = Deferred()
        for connection in list(self.connections):
            connection.transport.loseConnection()
        cut = self._reactor.callLater(FLUSH_S, self._cut)
        await self._idle
        if cut.active():
            cut.cancel()

    def _sweep(self) -> None:
        """Close connections on which nothing was heard for `idle_s`, people's excepted."""
        self._sweeping = self._reactor.callLater(self.bounds.idle_s / SWEEPS, self._sweep)
        for connection in list(self.connections):
            connection.silent += 1
            if connection.silent > SWEEPS and connection.idle and not connection.control:
                connection.transport.loseConnection()

    def _cut(self) -> None:
        for connection in list(self.connections):
            connection.transport.abortConnection()

    # from people
    def cut(self, gone: frozenset[str]) -> None:
        """End the connections of callers that changed: they must prove themselves again."""
        for connection in list(self.connections):
            if connection.appid in gone and not connection.control:
                connection.transport.loseConnection()

    # from connections, by way of their door
    def take(self, connection: Connection) -> None:
        """Note a connection."""
        self.connections.add(connection)

    def drop(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.connections.discard(connection)
        if self._idle is not None and not self.connections:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def hold(self, more: int) -> bool:
        """Count bytes of unfinished lines over all connections; False when they are too many."""
        self._held += more
        return more <= 0 or self._held <= self._held_max

    def reference(self) -> str:
        """Return a correlation id that the log and the caller share."""
        return self._entropy.token(5).hex()

    def challenge(self) -> str:
        """Return 32 hex digits, never the same twice."""
        return self._entropy.token(16).hex()

    def prove(self, params: Any, challenge: str, peer: str, *, token_ok: bool,
              tls: bool = False) -> Caller:  # fmt: skip
        """Return the caller of `system.auth`. Raises Refused AUTH_*."""
        fields = Fields(params)
        appid = fields.text("appid", 64, required=True)
        algorithm = fields.choice("alg", jsonrpc.ALGORITHMS, "hmac-sm3")
        member = "token" if algorithm == "token" else "mac"
        proof = fields.text(member, 512, required=True)
        fields.done()
        caller = self._callers.prove(appid, algorithm, proof, challenge, peer,
                                     token_ok=token_ok, tls=tls)  # fmt: skip
        self._log.info("caller.in", appid=appid, peer=peer)
        return caller

    def call(self, caller: Caller, request: jsonrpc.Request) -> Any:
        """Run a method; answers a value or a Deferred of one. Raises Refused STOPPING."""
        if self._closing:
            raise refuse("STOPPING")
        trace = self._callers.trace
        if not trace.watching:
            return self._methods.call(caller, request.method, request.params)
        return trace.through(
            caller.appid, "socket", request.method, request.params,
            lambda: self._methods.call(caller, request.method, request.params),
        )  # fmt: skip


class _Door:
    """What the connections of one listening place share."""

    def __init__(self, intake: Intake, settings: DoorSettings) -> None:
        self._intake = intake
        self._settings = settings
        self.bounds = intake.bounds
        self.control = settings.control
        self.frame_mac = settings.frame_mac
        self.version = intake.version
        self.challenge = intake.challenge
        self.reference = intake.reference
        self.call = intake.call
        self.lost = intake.drop
        self.hold = intake.hold

    def greet(self, connection: Connection) -> Caller | None:
        self._intake.take(connection)
        if not self._settings.control:
            return None
        _, uid, _ = connection.peer_credentials()
        try:
            login = pwd.getpwuid(uid).pw_name
        except KeyError:
            login = str(uid)
        return person(login, uid)

    def auth(self, params: Any, challenge: str, peer: str) -> Caller:
        if self._settings.control:
            raise refuse("REQ_METHOD", method="system.auth")
        return self._intake.prove(params, challenge, peer, token_ok=self._settings.token_ok,
                                  tls=self._settings.tls)  # fmt: skip


class _DoorFactory(Factory):
    noisy = False

    def __init__(self, intake: Intake, settings: DoorSettings) -> None:
        self._intake = intake
        self._door = _Door(intake, settings)

    def buildProtocol(self, addr: Any) -> Connection | None:
        # A business system that leaks connections must not lock the technician out.
        full = len(self._intake.connections) >= self._intake.connections_max
        if full and not self._door.control:
            return None
        return Connection(self._intake._reactor, self._door, self._intake._log)
