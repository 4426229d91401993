"""A line that a bridge has opened for a driver, over the bridge's connection.

Rules: bytes leave in chunks, never more than WINDOW ahead of what the device has taken; the loss
is told once; what is queued is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

CHUNK, WINDOW, QUEUE_MAX = 16_384, 131_072, 4 * 1024 * 1024


class Sends(Protocol):
    """A connection, as its bridge sees it."""

    def send(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame."""


class Channel:
    """An open line: bytes leave in chunks, as many as the bridge has not written yet allow."""

    def __init__(self, wire: Sends, number: int, on_data: Callable[[bytes], None],
                 on_lost: Callable[[], None]) -> None:  # fmt: skip
        self._wire = wire
        self._number = number
        self._on_data = on_data
        self._on_lost: Callable[[], None] | None = on_lost
        self._queue = bytearray()
        self._sent = self._written = 0
        self._drained: Deferred[None] | None = None
        self._closing = False

    # from the bridge
    def heard(self, data: bytes) -> None:
        """Hand bytes on."""
        if self._on_lost is not None:
            self._on_data(data)

    def wrote(self, count: int) -> None:
        """The device has taken `count` bytes in all."""
        self._written = max(self._written, min(count, self._sent))
        self._push()
        if not self._queue and self._written == self._sent:
            self._fire_drained()

    def lost(self) -> None:
        """Tell the loss once."""
        tell, self._on_lost = self._on_lost, None
        self._queue.clear()
        if tell is not None:
            tell()
        self._fire_drained()

    # from the driver
    def write(self, data: bytes) -> None:
        """Queue bytes for the device."""
        if self._on_lost is None:
            return
        if len(self._queue) + len(data) > QUEUE_MAX:
            self.abort_line()
            self.lost()
            return
        self._queue += data
        self._push()

    def drain(self, data: bytes) -> Deferred[None]:
        """Write `data`; fires when the device has taken all of it, or the line is lost."""
        done: Deferred[None] = Deferred()
        self._drained = done
        self.write(data)
        if self._on_lost is None:
            self._fire_drained()
        return done

    def close(self) -> None:
        """Close when all has left."""
        self._on_lost = None
        self._closing = True
        self._push()

    def abort(self) -> None:
        """Close and drop what has not left."""
        self._on_lost = None
        self.abort_line()

    def abort_line(self) -> None:
        """Have the bridge drop the line."""
        self._queue.clear()
        self._wire.send({"op": "abort", "ch": self._number})

    def _push(self) -> None:
        while self._queue and self._sent - self._written < WINDOW:
            chunk = bytes(self._queue[:CHUNK])
            del self._queue[:CHUNK]
            self._sent += len(chunk)
            self._wire.send({"op": "data", "ch": self._number}, chunk)
        if self._closing and not self._queue:
            self._closing = False
            self._wire.send({"op": "close", "ch": self._number})

    def _fire_drained(self) -> None:
        done, self._drained = self._drained, None
        if done is not None:
            done.callback(None)
