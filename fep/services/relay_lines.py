"""Connections to a platform: a bounded pool, one call a connection at a time, no retries.

Rules: before the first byte is written a failure is `NotSent`; after it everything that is
not a whole answer is `Unanswered`, whatever the socket says. An idle connection is closed
before the other side's own idle limit. HTTP and the CNNONTAX frame differ by their `Framing`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectionDone

from fep.domain.calendar import to_ms
from fep.wire.dialects import cnnontax, finance_rest
from fep.wire.http_answer import AnswerReader, BadAnswer

CONNECT_S: Final = 5.0
WAITING_MAX: Final = 4096


class NotSent(Exception):
    """Nothing left us: the call may be made again."""


class Unanswered(Exception):
    """It may have left us, and no whole answer came: the outcome is not known."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole answer: its body, whether the connection may be used on, the platform's time."""

    body: bytes
    stays: bool
    at_ms: int = 0


class Reading(Protocol):
    """Takes the bytes of one answer."""

    def feed(self, data: bytes) -> Heard | None:
        """Return the answer when it is whole. Raises Unanswered."""

    def end(self) -> Heard | None:
        """The connection has ended. Raises Unanswered."""


class Framing(Protocol):
    """How a request is written and an answer is read."""

    def write(self, content: bytes) -> bytes:
        """Return the bytes of a request."""

    def reading(self) -> Reading:
        """Return a reader for the next answer."""


class HttpFraming:
    """POST of a form to one path; the answer's body is the answer. Only 200 is one."""

    def __init__(self, host: str, path: str, content_type: str = finance_rest.CONTENT_TYPE):
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n"
            "Accept: */*\r\nConnection: keep-alive\r\nContent-Length: "
        ).encode("ascii")

    def write(self, content: bytes) -> bytes:
        """Return the request."""
        return b"%b%d\r\n\r\n%b" % (self._head, len(content), content)

    def reading(self) -> Reading:
        """Return a reader."""
        return _HttpReading()


class _HttpReading:
    def __init__(self) -> None:
        self._reader = AnswerReader()

    def feed(self, data: bytes) -> Heard | None:
        """Return the answer when it is whole. Raises Unanswered."""
        try:
            return _heard(self._reader.feed(data))
        except BadAnswer as error:
            raise Unanswered(str(error)) from error

    def end(self) -> Heard | None:
        """Return an answer that ends with the connection. Raises Unanswered."""
        try:
            return _heard(self._reader.end())
        except BadAnswer as error:
            raise Unanswered(str(error)) from error


def _heard(answer: Any) -> Heard | None:
    if answer is None:
        return None
    if answer.status != 200:
        # Whatever stands between us and the platform said so, not the platform.
        raise Unanswered(f"HTTP {answer.status}")
    return Heard(answer.body, answer.stays, http_date_ms(answer.headers.get("date", "")))


@lru_cache(maxsize=4)  # a platform that answers a thousand times a second says the same often
def http_date_ms(text: str) -> int:
    """Return ms of an HTTP date, 0 for none."""
    try:
        return to_ms(parsedate_to_datetime(text)) if text else 0
    except (TypeError, ValueError):
        return 0


class FrameFraming:
    """The CNNONTAX frame: what the dialect wrote goes as it is."""

    def write(self, content: bytes) -> bytes:
        """Return the request."""
        return content

    def reading(self) -> Reading:
        """Return a reader."""
        return _FrameReading()


class _FrameReading:
    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Heard | None:
        """Return the frame when it is whole. Raises Unanswered."""
        self._data += data
        try:
            whole, rest = cnnontax.cut(self._data)
        except cnnontax.BadFrame as error:
            raise Unanswered(str(error)) from error
        return Heard(whole, not rest) if whole is not None else None

    def end(self) -> Heard | None:
        """Return nothing: a frame knows its own length."""
        return None


class _Line(protocol.Protocol):
    """One connection; carries one call at a time."""

    transport: Any  # Twisted's interfaces are not types

    def __init__(self, pool: Lines) -> None:
        self._pool = pool
        self._call: Deferred[Heard] | None = None
        self._reading: Reading | None = None
        self.idle_since = 0.0
        self.gone = False

    def exchange(self, content: bytes) -> Deferred[Heard]:
        """Write a call; fires with its answer or fails with Unanswered."""
        assert self._call is None, "one call at a time"
        done: Deferred[Heard] = Deferred()
        self._call = done
        self._reading = self._pool.framing.reading()
        self._pool.waits(self)
        self.transport.write(self._pool.framing.write(content))
        return done

    def dataReceived(self, data: bytes) -> None:
        if self._reading is None:
            self.close()  # nobody asked
            return
        try:
            heard = self._reading.feed(data)
        except Unanswered as error:
            self._fail(error)
            return
        if heard is not None:
            self._answered(heard)

    def connectionLost(self, reason: Any = ConnectionDone) -> None:
        self.gone = True
        self._pool.lost(self)
        if self._reading is None:
            return
        try:
            heard = self._reading.end()
        except Unanswered as error:
            self._fail(error)
            return
        if heard is not None:
            self._answered(heard)
        else:
            self._fail(Unanswered("the connection ended"))

    def close(self) -> None:
        """End the connection now."""
        self.gone = True
        if self.transport is not None:
            self.transport.abortConnection()

    def late(self) -> None:
        """No answer came in time."""
        self._fail(Unanswered(f"no answer in {self._pool.answer_s:g} s"))

    def _answered(self, heard: Heard) -> None:
        call = self._done()
        if not heard.stays:
            self.close()
        self._pool.free(self)
        if call is not None:
            call.callback(heard)

    def _fail(self, why: Unanswered) -> None:
        call = self._done()
        self.close()
        self._pool.free(self)
        if call is not None:
            call.errback(why)

    def _done(self) -> Deferred[Heard] | None:
        call, self._call, self._reading = self._call, None, None
        self._pool.heard(self)
        return call


class Lines:
    """The pool: at most `lines_max` connections, callers wait in a bounded queue."""

    def __init__(self, reactor: Any, endpoint: str, framing: Framing, *, lines_max: int,
                 answer_s: float, idle_s: float = 30.0) -> None:  # fmt: skip
        self.reactor = reactor
        self.framing = framing
        self.answer_s = answer_s
        untyped: Any = clientFromString
        self._endpoint = untyped(reactor, endpoint)
        self._max = lines_max
        self._idle_s = idle_s
        self._idle: deque[_Line] = deque()
        self._lines: set[_Line] = set()
        self._due: dict[_Line, float] = {}  # calls under way, the oldest first
        self._timer: Any = None
        self._connecting = 0
        self._waiting: deque[Deferred[_Line]] = deque()
        self._closed = False

    async def exchange(self, content: bytes) -> Heard:
        """Make one call. Raises NotSent, Unanswered."""
        line = self._idle_line() or await self._new_line()
        return await line.exchange(content)

    def close(self) -> None:
        """End every connection; calls under way end Unanswered."""
        self._closed = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for line in list(self._lines):
            line.close()
        while self._waiting:
            self._waiting.popleft().errback(NotSent("closing"))

    # from a line
    def free(self, line: _Line) -> None:
        """A line has done its call."""
        if line.gone:
            self._lines.discard(line)
            if self._waiting:
                self._connect_for(self._waiting.popleft())
            return
        if self._waiting:
            self._waiting.popleft().callback(line)
            return
        line.idle_since = self.reactor.seconds()
        self._idle.append(line)

    def lost(self, line: _Line) -> None:
        """A line's connection is gone."""
        self._lines.discard(line)
        if line in self._idle:
            self._idle.remove(line)

    def waits(self, line: _Line) -> None:
        """A call has left on a line. All have the same time, so one timer does for all."""
        self._due[line] = self.reactor.seconds() + self.answer_s
        if self._timer is None:
            self._timer = self.reactor.callLater(self.answer_s, self._late)

    def heard(self, line: _Line) -> None:
        """Its call has ended."""
        self._due.pop(line, None)

    def _late(self) -> None:
        now = self.reactor.seconds()
        for line, due in list(self._due.items()):
            if due > now:
                break
            self._due.pop(line, None)
            line.late()
        self._timer = None  # not before: a call that leaves meanwhile is not the oldest
        if self._due and not self._closed:
            wait = next(iter(self._due.values())) - now
            self._timer = self.reactor.callLater(max(0.0, wait), self._late)

    def _idle_line(self) -> _Line | None:
        while self._idle and not self._closed:
            line = self._idle.pop()
            if not line.gone and self.reactor.seconds() - line.idle_since < self._idle_s:
                return line
            line.close()
        return None

    def _new_line(self) -> Deferred[_Line]:
        wanted: Deferred[_Line] = Deferred()
        if self._closed:
            wanted.errback(NotSent("closing"))
        elif len(self._lines) + self._connecting < self._max:
            self._connect_for(wanted)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(wanted)
        else:
            wanted.errback(NotSent("too many calls wait"))
        return wanted

    def _connect_for(self, wanted: Deferred[_Line]) -> None:
        self._connecting += 1
        made = self._endpoint.connect(_Factory(self))
        made.addTimeout(CONNECT_S, self.reactor)
        made.addCallbacks(self._connected, self._unconnected, (wanted,), None, (wanted,))

    def _connected(self, line: Any, wanted: Deferred[_Line]) -> None:
        self._connecting -= 1
        self._lines.add(line)
        try:
            line.transport.setTcpNoDelay(True)
        except AttributeError:  # not a TCP transport
            pass
        wanted.callback(line)

    def _unconnected(self, failure: Any, wanted: Deferred[_Line]) -> None:
        self._connecting -= 1
        wanted.errback(NotSent(f"not connected: {failure.getErrorMessage()}"))


class _Factory(protocol.Factory):
    noisy = False

    def __init__(self, pool: Lines) -> None:
        self._pool = pool

    def buildProtocol(self, addr: Any) -> _Line:
        return _Line(self._pool)
