"""What every transport offers a driver: a line that can be opened, and the wire it gives.

Rules: what arrives is handed on as it came; a loss is told once; a successful write proves
nothing. `drain` fires when the last byte has left this process, or the wire is lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure


class DeviceFault(Exception):
    """The device is not fit for a job; `code` is a catalogue code."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class Unreachable(Exception):
    """The device cannot be reached: no answer, no such port, no permission."""


class Occupied(Exception):
    """The device is there but somebody else has it."""


class Open(Protocol):
    """An open wire, as the driver sees it."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the device."""

    def drain(self, data: bytes) -> Awaitable[None]:
        """Write `data`; fires when all has left this process or the wire is lost."""

    def close(self) -> None:
        """Stop telling anything and close in good order."""

    def abort(self) -> None:
        """Stop telling anything and drop what has not left yet."""


class Line(Protocol):
    """The way to one device. `two_way` False: nothing ever comes back."""

    @property
    def shared(self) -> bool:
        """Say whether the wire must be given back between jobs."""

    @property
    def two_way(self) -> bool:
        """Say whether the device can answer."""

    def open(
        self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> Awaitable[Open]:
        """Open a wire. Raises Unreachable, Occupied."""

    def closed(self) -> None:
        """Note that a wire has just been closed."""


class Reached(Protocol):
    """The options of a transport: they know how to make its line."""

    def line(self, reactor: Any) -> Line:
        """Return the line; nothing is opened yet."""


class Lent(Protocol):
    """The options that every transport has."""

    @property
    def shared(self) -> bool:
        """Say whether the wire must be given back between jobs."""


OptionsT = TypeVar("OptionsT", bound=Lent)


class Way(Generic[OptionsT]):
    """What the lines have in common; each of them brings its own `open`."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, options: OptionsT) -> None:
        self._reactor = reactor
        self._options = options

    @property
    def shared(self) -> bool:
        """Say whether the wire must be given back between jobs."""
        return self._options.shared

    @property
    def two_way(self) -> bool:
        """Say whether the device can answer."""
        return True

    def closed(self) -> None:
        """Nothing to wait for before the next open."""


class Wire(TwistedProtocol):
    """A wire over one of Twisted's byte transports."""

    # Twisted's transports are zope interfaces, which carry no static types.
    transport: Any

    def __init__(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_data = on_data
        self._on_lost: Callable[[], None] | None = on_lost
        self._drained: Deferred[None] | None = None
        self.closed: Deferred[None] = Deferred()

    # from Twisted
    def dataReceived(self, data: bytes) -> None:
        """Hand bytes on."""
        if self._on_lost is not None:
            self._on_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the loss once; Twisted calls a pulled cable a clean end, so all ends are losses."""
        tell, self._on_lost = self._on_lost, None
        if tell is not None:
            tell()
        self._fire_drained()
        if not self.closed.called:
            self.closed.callback(None)

    # from the driver
    def write(self, data: bytes) -> None:
        """Queue bytes for the device."""
        self.transport.write(data)

    def drain(self, data: bytes) -> Deferred[None]:
        """Write `data`; fires when the last byte has left this process or the wire is lost."""
        done: Deferred[None] = Deferred()
        self._drained = done
        # As a pull producer we are asked again exactly when the buffer has run empty.
        self.transport.registerProducer(_Drain(self, data), False)
        return done

    def told_drained(self) -> None:
        """Take the producer's word that the buffer is empty."""
        if self.transport is not None:
            self.transport.unregisterProducer()
        self._fire_drained()

    def _fire_drained(self) -> None:
        done, self._drained = self._drained, None
        if done is not None:
            done.callback(None)

    def close(self) -> None:
        """Stop telling anything and close."""
        self._on_lost = None
        self.transport.loseConnection()

    def abort(self) -> None:
        """Stop telling anything and drop the connection without waiting for its buffer."""
        self._on_lost = None
        self.transport.abortConnection()


class _Drain:
    """Gives its bytes at the first call, says at the second that they are gone."""

    def __init__(self, wire: Wire, data: bytes) -> None:
        self._wire = wire
        self._data: bytes | None = data

    def resumeProducing(self) -> None:
        """Write, or report."""
        data, self._data = self._data, None
        if data is None:
            self._wire.told_drained()
        else:
            self._wire.write(data)

    def stopProducing(self) -> None:
        """Forget the rest; the loss is told by the wire."""
        self._data = None
