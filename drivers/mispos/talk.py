"""One exchange at a time with a MISPOS terminal, over any byte line.

Rules: a request is sent again only after a refusal that proves it was not understood, at most
`RESENDS` times; silence and a lost line are told, never repaired; a reply with another number,
or one that does not fit, is dropped and waited past; damaged replies are asked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, DeferredQueue, TimeoutError
from twisted.internet.task import deferLater

from drivers.mispos import codec
from drivers.mispos.codec import Damaged, Data, Frame, Reader, Word
from drivers.transports.line import Line, Occupied, Open, Unreachable

RESENDS = 3
RESEND_AFTER_S = 0.5
STALE_S = 2.0
HELD_MAX = 64


@dataclass(frozen=True, slots=True)
class Untouched:
    """Nothing left: the terminal cannot be reached."""

    fault: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The terminal said no. `acked`: it had taken the command before; `sent`: how often the
    command has left by then."""

    acked: bool
    code: str
    text: str
    sent: int = 1


@dataclass(frozen=True, slots=True)
class Silence:
    """No reply, or the line went away: nothing is known."""

    acked: bool
    lost: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: its number and content, how long to wait, and which reply is its own.

    `fits` None: an acknowledgement is all there is to wait for.
    """

    id: int
    content: bytes
    ack_s: float
    result_s: float
    fits: Callable[[Data], bool] | None
    on_ack: Callable[[], None] = lambda: None
    resend_codes: Callable[[str], bool] = lambda _code: False


Said = Untouched | Refusal | Silence | Data | Word


class _Lost:
    """The line is gone."""


class Talk:
    """Owns the line; `busy` while an exchange runs."""

    def __init__(self, reactor: Any, line: Line, type_: int) -> None:
        self._reactor = reactor
        self._line = line
        self._type = type_
        self._wire: Open | None = None
        self._reader = Reader()
        self._arrived: Any = DeferredQueue()
        self._stale: Any = None
        self._running = False
        # Off: what the terminal wants carried to its acquirer is dropped.
        self.on_relay: Callable[[Frame], None] = lambda _frame: None
        self.on_notice: Callable[[Frame], None] = lambda _frame: None
        self.dropped = 0

    # from the line
    def _data(self, data: bytes) -> None:
        self._quiet()
        found = self._reader.feed(data)
        if self._reader.waiting:
            self._stale = self._reactor.callLater(STALE_S, self._give_up)
        # Last, for who hears of it may close the line at once.
        self._take(found)

    def _give_up(self) -> None:
        self._stale = None
        self._take(self._reader.stale())

    def _take(self, found: list[Frame | Damaged]) -> None:
        for frame in found:
            if isinstance(frame, Frame) and frame.path == codec.RELAY:
                self.on_relay(frame)
            elif isinstance(frame, Frame) and frame.path == codec.NOTICE:
                # It may wait for our word before it goes on.
                self.send(Frame(codec.NOTICED, frame.id, codec.word(True), frame.type))
                self.on_notice(frame)
            elif self._running and len(self._arrived.pending) < HELD_MAX:
                self._arrived.put(frame)
            else:
                self.dropped += 1

    def _lost(self) -> None:
        self._wire = None
        self._quiet()
        self._line.closed()
        if self._running:
            self._arrived.put(_Lost())

    # from the driver
    async def exchange(self, ask: Ask) -> Said:
        """Send a request and return what came of it."""
        assert not self._running, "one exchange at a time"
        if self._wire is None:
            fault = await self._open()
            if fault:
                return Untouched(fault)
        self._running = True
        try:
            return await self._run(ask)
        finally:
            self._running = False
            self._arrived = DeferredQueue()

    def send(self, frame: Frame) -> None:
        """Write a frame beside the exchange, if the line is there."""
        if self._wire is not None:
            self._wire.write(codec.encode(frame))

    def close(self) -> None:
        """Give the line back."""
        wire, self._wire = self._wire, None
        self._quiet()
        if wire is not None:
            wire.abort()
            self._line.closed()
        if self._running:
            self._arrived.put(_Lost())

    async def _open(self) -> str:
        self._reader = Reader()
        try:
            self._wire = await self._line.open(self._data, self._lost)
        except Occupied:
            return "DEV_BUSY"
        except Unreachable:
            return "DEV_UNREACHABLE"
        return ""

    async def _run(self, ask: Ask) -> Said:
        self._write(ask, ask.content)
        acked, sends, repeats = False, 1, 0
        until = self._reactor.seconds() + ask.ack_s
        while True:
            frame = await self._next(until - self._reactor.seconds())
            if frame is None:
                return Silence(acked, lost=False)
            if isinstance(frame, _Lost):
                return Silence(acked, lost=True)
            if isinstance(frame, Damaged):
                if repeats < RESENDS:
                    repeats += 1
                    self._write(ask, codec.word(False, "LR"))
                continue
            said = codec.read(frame.content)
            if frame.id != ask.id or frame.path != codec.ANSWER or said is None:
                self.dropped += 1
            elif isinstance(said, Data):
                if ask.fits is not None and ask.fits(said):
                    return said
                self.dropped += 1
            elif said.good:
                if ask.fits is None:
                    return said
                if not acked:
                    acked = True
                    ask.on_ack()
                    until = self._reactor.seconds() + ask.result_s
            elif not acked and sends <= RESENDS and ask.resend_codes(said.code):
                sends += 1
                await deferLater(self._reactor, RESEND_AFTER_S)
                self._write(ask, ask.content)
                until = self._reactor.seconds() + ask.ack_s
            else:
                return Refusal(acked, said.code, said.text, sends)

    def _write(self, ask: Ask, content: bytes) -> None:
        self.send(Frame(codec.ASK, ask.id, content, self._type))

    async def _next(self, wait_s: float) -> Frame | Damaged | _Lost | None:
        got = self._arrived.get()
        got.addTimeout(max(wait_s, 0.0), self._reactor)
        try:
            found: Frame | Damaged | _Lost = await got
        except (TimeoutError, CancelledError):
            return None
        return found

    def _quiet(self) -> None:
        if self._stale is not None and self._stale.active():
            self._stale.cancel()
        self._stale = None
