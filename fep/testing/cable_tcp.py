"""The driver's end of the kit's cable as a TCP port: unplugged, held by another, hung up on."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Factory, Protocol

from fep.testing.cable import HOST, Cable, Joint, Way, until


class TcpCable(Cable):
    """A port that leads to the device."""

    def __init__(self, reactor: Any, far_port: int) -> None:
        super().__init__(reactor, far_port)
        self._listening: Any = None
        self._port = 0
        self._other: Any = None

    async def start(self) -> Way:
        """Listen."""
        await self.plug()
        return Way(HOST, self._port)

    async def stop(self) -> None:
        """Close everything."""
        await self.vacate()
        await self.unplug()
        await super().stop()

    async def unplug(self) -> None:
        """Let nobody listen where the device was."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stopListening()
        for joint in tuple(self.joints):
            joint.cut()
        await self.quiet()

    async def plug(self) -> None:
        """Listen again, at the same port."""
        door: Any = _Door(self)
        self._listening = self.reactor.listenTCP(self._port, door, interface=HOST)
        self._port = self._listening.getHost().port

    async def occupy(self) -> None:
        """Be another client that has the device."""
        made: Deferred[Any] = Deferred()
        client: Any = _Other(made)
        self.reactor.connectTCP(HOST, self._port, client)
        self._other = await made
        await until(self.reactor, lambda: bool(self.joints))

    async def vacate(self) -> None:
        """Give the device back."""
        other, self._other = self._other, None
        if other is not None:
            other.loseConnection()
            await until(self.reactor, lambda: all(joint.ending for joint in self.joints))
            await self.quiet()


class _Door(Factory):
    """Takes the driver's connections; while one stands, others are hung up on."""

    noisy = False

    def __init__(self, cable: TcpCable) -> None:
        self._cable = cable

    def buildProtocol(self, addr: Any) -> _Near:
        return _Near(self._cable)


class _Near(Protocol):
    """The end at the driver."""

    transport: Any

    def __init__(self, cable: TcpCable) -> None:
        self._cable = cable
        self._joint: Joint | None = None

    def connectionMade(self) -> None:
        if self._cable.single and any(not joint.ending for joint in self._cable.joints):
            self.transport.abortConnection()
            return
        self.transport.setTcpNoDelay(True)
        self._joint = Joint(self._cable, self.transport)

    def dataReceived(self, data: bytes) -> None:
        if self._joint is not None:
            self._joint.from_driver(data)

    def connectionLost(self, reason: Any = None) -> None:
        if self._joint is not None:
            self._joint.near_lost()


class _Other(ClientFactory):
    """Another client, who only holds on."""

    noisy = False

    def __init__(self, made: Deferred[Any]) -> None:
        self._made = made

    def buildProtocol(self, addr: Any) -> Protocol:
        held: Any = Protocol()
        self._held = held
        held.connectionMade = lambda: self._made.callback(held.transport)
        client: Protocol = held
        return client
