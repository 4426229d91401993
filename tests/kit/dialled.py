"""A cable to a device that dials by itself, as a fep-bridge does: the daemon is what is reached.

The kit's words stay as they are: `sent` is what the daemon says to the device, `answered` what
the device says. Noise is said at the head of a new connection, so that the old one is cut.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet import protocol

from fep.testing.cable import HOST, Joint, until
from fep.testing.cable_tcp import TcpCable


class Pc(Protocol):
    """Who dials."""

    port: int

    def connected(self) -> bool:
        """Say whether the daemon has it."""

    def hold(self) -> None:
        """Let another program have the device."""

    def leave(self) -> None:
        """Give it back."""


class DialledCable(TcpCable):
    """A port that the device dials, and that leads to the daemon."""

    def __init__(self, reactor: Any, pc: Pc) -> None:
        self.joints = []
        super().__init__(reactor, pc.port)
        self._pc = pc

    @property
    def noise(self) -> bytes:
        """Return what the daemon is still to hear first."""
        return self._noise

    @noise.setter
    def noise(self, noise: bytes) -> None:
        self._noise = noise
        if noise:
            for joint in tuple(self.joints):
                joint.cut()

    async def plug(self) -> None:
        """Listen for the device."""
        door: Any = _Door(self)
        self._listening = self.reactor.listenTCP(self._port, door, interface=HOST)
        self._port = self._listening.getHost().port

    async def unplug(self) -> None:
        """Pull it, and wait until the daemon knows."""
        await super().unplug()
        await until(self.reactor, lambda: not self._pc.connected())

    async def occupy(self) -> None:
        """Be another program of the PC that uses the terminal."""
        await until(self.reactor, self._pc.connected)
        self._pc.hold()

    async def vacate(self) -> None:
        """Give it back."""
        self._pc.leave()

    def silent(self) -> bool:
        """Say whether the daemon has heard all, that of the next connection included."""
        return not self._noise and super().silent()


class _Door(protocol.Factory):
    """Takes the device's connections."""

    noisy = False

    def __init__(self, cable: DialledCable) -> None:
        self._cable = cable

    def buildProtocol(self, addr: Any) -> _Device:
        return _Device(self._cable)


class _Device(protocol.Protocol):
    """The end at the device."""

    transport: Any

    def __init__(self, cable: DialledCable) -> None:
        self._cable = cable
        self.joint: Joint | None = None
        self.over = False

    def connectionMade(self) -> None:
        if self._cable.single and any(not joint.ending for joint in self._cable.joints):
            self.transport.abortConnection()
            return
        self.transport.setTcpNoDelay(True)
        dial: Any = _Dial(self._cable, self)
        self._cable.reactor.connectTCP(HOST, self._cable.far_port, dial, timeout=2)

    def dataReceived(self, data: bytes) -> None:
        assert self.joint is not None, "a bridge speaks second"
        self.joint.from_device(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.over = True
        if self.joint is not None:
            self.joint.far_lost()


class _Dial(protocol.ClientFactory):
    """Reaches the daemon for a device."""

    noisy = False

    def __init__(self, cable: DialledCable, device: _Device) -> None:
        self._cable = cable
        self._device = device

    def buildProtocol(self, addr: Any) -> _Daemon:
        return _Daemon(self._cable, self._device)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """No daemon: the device is hung up on."""
        self._device.transport.abortConnection()


class _Daemon(protocol.Protocol):
    """The end at the daemon."""

    transport: Any

    def __init__(self, cable: DialledCable, device: _Device) -> None:
        self._cable = cable
        self._device = device
        self._joint: Joint | None = None

    def connectionMade(self) -> None:
        if self._device.over:
            self.transport.abortConnection()
            return
        self.transport.setTcpNoDelay(True)
        self._joint = Joint(self._cable, self.transport, self._device.transport)
        self._device.joint = self._joint

    def dataReceived(self, data: bytes) -> None:
        if self._joint is not None:
            self._joint.from_driver(data)

    def connectionLost(self, reason: Any = None) -> None:
        if self._joint is not None:
            self._joint.near_lost()
