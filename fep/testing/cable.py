"""The kit's own cable between a driver and its simulator: it counts, cuts, silences, spoils.

Rules: nothing here knows a protocol; a cut lets the bytes before it arrive and tells the
driver of a loss; a byte is never altered, only withheld, delayed, split or said again. The
driver's end is a port or a terminal (cable_tcp, cable_pty); the simulator is a TCP port either way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.task import deferLater

HOST = "127.0.0.1"
LOOK_S = 0.002
# What the cable holds of a driver that writes to a stalled device.
HELD_MAX = 1 << 20
_PIECE = 4096
_NOISE = 65536
LOST_S = 5.0


@dataclass(frozen=True, slots=True)
class Way:
    """How the driver reaches the device: by host and port, or by the path of a terminal."""

    host: str = ""
    port: int = 0
    path: str = ""


async def until(reactor: Any, condition: Callable[[], bool], seconds: float = LOST_S) -> bool:
    """Look until something is so, at most `seconds`; says whether it is."""
    end = reactor.seconds() + seconds
    while not condition():
        if reactor.seconds() > end:
            return False
        await deferLater(reactor, LOOK_S)
    return True


class Cable(ABC):
    """One device's cable. Counters run on; the faults are plain attributes."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, far_port: int) -> None:
        self.reactor = reactor
        self.far_port = far_port
        self.sent = 0
        """Bytes that reached the device."""
        self.answered = 0
        """Bytes that the device said, heard by the driver or not."""
        self.cut_at: int | None = None
        """Cut when `sent` is this; then None again."""
        self.cut_answer_at: int | None = None
        self.mute_at: int | None = None
        """Swallow what the device says once `sent` is this or more; 0 is always."""
        self.instead = b""
        """Said once, in place of the first thing that is swallowed (`mute_at`)."""
        self.keep_at: int | None = None
        """Keep in `kept` what the device says once `sent` is this or more."""
        self.kept = bytearray()
        self.stalled = False
        self.pieces = 0
        """Give answers in pieces of so many bytes, each in a turn of its own; 0 is as they come."""
        self.noise = b""
        """Said to the driver as soon as it is connected, once."""
        self.single = True
        self.joints: list[Joint] = []

    @abstractmethod
    async def start(self) -> Way:
        """Begin; returns how the driver reaches it."""

    @abstractmethod
    async def plug(self) -> None:
        """Put the cable in again, where it was."""

    @abstractmethod
    async def unplug(self) -> None:
        """Pull it: nobody can be reached."""

    @abstractmethod
    async def occupy(self) -> None:
        """Be another program that has the device."""

    @abstractmethod
    async def vacate(self) -> None:
        """Give the device back."""

    async def stop(self) -> None:
        """End and wait until everything is closed."""
        self.release()
        for joint in tuple(self.joints):
            joint.cut()
        await self.quiet()

    def release(self) -> None:
        """Let a stalled device go on with what it was sent."""
        self.stalled = False
        for joint in tuple(self.joints):
            joint.flow()

    async def quiet(self) -> None:
        """Wait until what was cut is gone at both ends."""
        await until(self.reactor, lambda: not any(joint.ending for joint in self.joints))

    def muted(self) -> bool:
        """Say whether the driver hears nothing now."""
        return self.mute_at is not None and self.sent >= self.mute_at

    def silent(self) -> bool:
        """Say whether all that was said has been handed to the driver."""
        return not any(joint.speaking for joint in self.joints)

    def say(self, data: bytes) -> None:
        """Have the driver hear something now, or as soon as it is connected."""
        standing = [joint for joint in self.joints if not joint.ending]
        if standing:
            standing[-1].say(data)
        else:
            self.noise = data

    def gone(self, joint: Joint) -> None:
        """Hear that a joint is closed at both ends."""
        if joint in self.joints:
            self.joints.remove(joint)


class Joint:
    """One connection of the driver and the one to the device behind it."""

    def __init__(self, cable: Cable, near: Any, far: Any = None) -> None:
        """Dial the device, unless it dialled by itself: then `far` is its end."""
        self._cable = cable
        self._near: Any = near
        self._far: Any = None
        self._held = bytearray()
        self._said = bytearray()
        self._saying: Any = None
        self._dialling = True
        self.ending = False
        cable.joints.append(self)
        if far is None:
            dialler: Any = _FarFactory(self)
            cable.reactor.connectTCP(HOST, cable.far_port, dialler, timeout=2)
        else:
            self.far_made(far)
        self._noise, cable.noise = cable.noise, b""
        self._at = 0
        self.say(b"")

    @property
    def speaking(self) -> bool:
        """Say whether the driver has not been told everything yet."""
        return self._near is not None and bool(self._said or self._at < len(self._noise))

    # from the driver
    def from_driver(self, data: bytes) -> None:
        """Pass bytes on, up to the one at which the cable is to be cut."""
        if self.ending:
            return
        self._held += data
        assert len(self._held) <= HELD_MAX, "a driver writes without end to a stalled device"
        self.flow()

    def near_lost(self) -> None:
        """The driver closed; what it had sent still arrives."""
        self._near = None
        if not self._cable.stalled:
            self.cut()

    # from the device
    def far_made(self, far: Any) -> None:
        """The device took the connection."""
        self._far, self._dialling = far, False
        self.flow()
        if self.ending:
            far.loseConnection()

    def far_lost(self) -> None:
        """The device hung up, or never took the connection."""
        self._far, self._dialling = None, False
        self.cut()
        self._cable.gone(self)

    def from_device(self, data: bytes) -> None:
        """Tell the driver, as far as it may hear."""
        cable = self._cable
        at = cable.cut_answer_at
        room = len(data) if at is None else at - cable.answered
        heard = data[:room]
        cable.answered += len(data)
        if cable.keep_at is not None and cable.sent >= cable.keep_at:
            cable.kept += heard
            del cable.kept[:-HELD_MAX]
        if not cable.muted():
            self.say(heard)
        elif cable.instead:
            instead, cable.instead = cable.instead, b""
            self.say(instead)
        if at is not None and room <= len(data):
            cable.cut_answer_at = None
            self.cut(gently=True)

    # the middle
    def flow(self) -> None:
        """Give the device what is held for it."""
        cable = self._cable
        if self._far is None or cable.stalled:
            return
        data = bytes(self._held)
        self._held.clear()
        at = cable.cut_at
        room = len(data) if at is None else at - cable.sent
        taken = data[:room]
        cable.sent += len(taken)
        if taken:
            self._far.write(taken)
        if at is not None and room <= len(data):
            cable.cut_at = None
            self.cut()
        elif self._near is None:
            self.cut()

    def cut(self, *, gently: bool = False) -> None:
        """Break the connection; the device keeps what it has, the driver hears of a loss."""
        self.ending = True
        if self._near is not None:
            if gently and not self._said:
                self._near.loseConnection()
            elif not gently:
                self._near.abortConnection()
        if self._far is not None:
            self._far.loseConnection()
        elif not self._dialling:
            self._cable.gone(self)

    def say(self, data: bytes) -> None:
        """Tell the driver, after all that it is still to hear."""
        self._said += data
        if self._saying is None and (self._said or self._noise):
            self._saying = self._cable.reactor.callLater(0, self._say_on)

    def _say_on(self) -> None:
        self._saying = None
        size = self._cable.pieces or _PIECE
        if self._near is None:
            self._said.clear()
            return
        if self._at < len(self._noise):
            self._near.write(self._noise[self._at : self._at + _NOISE])
            self._at += _NOISE
        else:
            piece = bytes(self._said[:size])
            del self._said[:size]
            self._near.write(piece)
        if self.speaking:
            self._saying = self._cable.reactor.callLater(0, self._say_on)
        elif self.ending:
            self._near.loseConnection()


class _Far(Protocol):
    """The end at the device."""

    transport: Any

    def __init__(self, joint: Joint) -> None:
        self._joint = joint

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._joint.far_made(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._joint.from_device(data)

    def connectionLost(self, reason: Any = None) -> None:
        self._joint.far_lost()


class _FarFactory(ClientFactory):
    """Dials the device once."""

    noisy = False

    def __init__(self, joint: Joint) -> None:
        self._joint = joint

    def buildProtocol(self, addr: Any) -> _Far:
        return _Far(self._joint)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """Nobody there: the same as a device that hangs up."""
        self._joint.far_lost()
