"""The daemon's side of the glyph process: asks, waits, starts it again when it dies.

Rules: at most MAX_WAITING lines are open; a line that takes too long costs the process its
life, not the daemon's; a line is asked of a second process once, then refused. Owns no
fonts.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from fep.domain.faults import refuse
from fep.render import worker

MAX_WAITING = 64
MAX_KEPT = 256
ANSWER_TIMEOUT_S = 10.0
MODULE = "fep.render.worker"
Raster = tuple[int, bytes]
Key = tuple[str, int, bool]


@dataclass(slots=True)
class _Open:
    """A line that is being drawn."""

    key: Key
    done: Deferred[Raster]
    tries: int
    alarm: Any  # IDelayedCall: a zope interface without static type


class ChildRasteriser:
    """A `Rasteriser` over a child process; starts it at the first line."""

    def __init__(self, reactor: Any, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._child: _Child | None = None
        self._open: dict[int, _Open] = {}
        self._kept: OrderedDict[Key, Raster] = OrderedDict()
        self._next = 0
        self._closed = False
        self.starts = 0

    # from the driver
    def raster(self, text: str, height_dots: int, bold: bool) -> Deferred[Raster]:
        """Return (width in bytes, rows). Fails with Refused PRN_CHAR or PRN_GLYPHS."""
        key = (text, height_dots, bold)
        done: Deferred[Raster] = Deferred()
        if key in self._kept:
            self._kept.move_to_end(key)
            done.callback(self._kept[key])
        elif self._closed or len(self._open) >= MAX_WAITING:
            done.errback(refuse("PRN_GLYPHS"))
        else:
            self._ask(key, done, tries=1)
        return done

    def close(self) -> None:
        """End the process; open lines are refused."""
        self._closed = True
        child, self._child = self._child, None
        if child is not None:
            child.end()
        self._fail_all()

    # from the child
    def answered(self, child: _Child, payload: bytes) -> None:
        """Take one answer."""
        id_, state, rest = worker.read_answer(payload)
        line = self._open.pop(id_, None)
        if line is None or child is not self._child:
            return
        line.alarm.cancel()
        if state == worker.DRAWN:
            drawn = (int.from_bytes(rest[:2], "big"), rest[2:])
            self._keep(line.key, drawn)
            line.done.callback(drawn)
        elif state == worker.MISSING:
            line.done.errback(refuse("PRN_CHAR", chars=rest.decode("utf-8")))
        else:
            line.done.errback(refuse("PRN_GLYPHS"))

    def died(self, child: _Child) -> None:
        """Ask a new process for what is open; what killed two is refused."""
        if child is not self._child:
            return
        self._child = None
        lines, self._open = self._open, {}
        for line in lines.values():
            if line.alarm.active():
                line.alarm.cancel()
            if line.tries < 2 and not self._closed:
                self._ask(line.key, line.done, tries=line.tries + 1)
            else:
                line.done.errback(refuse("PRN_GLYPHS"))

    def _ask(self, key: Key, done: Deferred[Raster], *, tries: int) -> None:
        if self._child is None:
            self._child = _Child(self)
            self.starts += 1
            self._reactor.spawnProcess(
                self._child, sys.executable, [sys.executable, "-I", "-m", MODULE],
                env={"PYTHONUTF8": "1"},
            )  # fmt: skip
        self._next += 1
        alarm = self._reactor.callLater(self._timeout_s, self._late, self._child)
        self._open[self._next] = _Open(key, done, tries, alarm)
        self._child.send(worker.request(self._next, *key))

    def _late(self, child: _Child) -> None:
        child.end()
        self.died(child)

    def _keep(self, key: Key, drawn: Raster) -> None:
        self._kept[key] = drawn
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def _fail_all(self) -> None:
        lines, self._open = self._open, {}
        for line in lines.values():
            if line.alarm.active():
                line.alarm.cancel()
            line.done.errback(refuse("PRN_GLYPHS"))


class _Child(ProcessProtocol):
    """One glyph process."""

    # Twisted's process transport is a zope interface without static type.
    transport: Any

    def __init__(self, owner: ChildRasteriser) -> None:
        self._owner = owner
        self._frames = worker.Frames()
        self.ended = False

    def send(self, data: bytes) -> None:
        """Write a request."""
        if self.transport is not None and not self.ended:
            self.transport.write(data)

    def end(self) -> None:
        """Close its input and kill it."""
        if self.transport is None or self.ended:
            return
        self.ended = True
        self.transport.loseConnection()
        try:
            self.transport.signalProcess("KILL")
        except Exception:
            # Twisted raises its own ProcessExitedAlready: then there is nothing to kill.
            return

    def outReceived(self, data: bytes) -> None:
        """Hand whole answers on; nonsense ends the process."""
        try:
            for payload in self._frames.feed(data):
                self._owner.answered(self, payload)
        except worker.BadFrame:
            self.end()
            self._owner.died(self)

    def processEnded(self, reason: Failure) -> None:
        """Tell the owner."""
        self.ended = True
        self._owner.died(self)
