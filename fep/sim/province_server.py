"""A province that is spoken to in its own dialect over TCP: server, faults, and pace.

Two rules: what is told was committed first, all that waits in one transaction; a fault is
drawn from the seed and the call's own id, so that the same run fails the same way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Protocol

from fep.sim import province_nontax as nontax
from fep.sim import province_rest as rest
from fep.sim.dice import Dice
from fep.sim.province_book import Book
from fep.sim.province_rest import Wrong
from fep.sim.province_window import Asked, Judged, Said, Window

BODY_MAX = 32 << 20
HEAD_MAX = 64 << 10
READ_BYTES = 64 << 10
GATHER_S = 0.001
GATHER_MAX_S = 0.01
TOGETHER = 64
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,10})[ \t]*(?=\r\n)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Faults:
    """How this province misbehaves: shares of calls, and times in seconds."""

    lost: float = 0.0  # the effect is there, the answer never comes
    dropped: float = 0.0  # no effect, no answer
    error500: float = 0.0  # an error page; half of them after the effect
    half: float = 0.0  # the answer breaks off
    busy: float = 0.0
    latency_s: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Call:
    asked: Asked
    told: Callable[[Said], None]


class Counter:
    """Answers calls of all connections out of one window."""

    def __init__(self, book: Book, window: Window, faults: Faults, key: str) -> None:
        self.window = window
        self.faults = faults
        self.key = key
        self._faulty = any((faults.lost, faults.dropped, faults.error500, faults.half, faults.busy))
        self._book = book
        self._waiting: list[_Call] = []
        # An answer that is held back anyway may share its transaction with more of them.
        self._gather_s = max(GATHER_S, min(faults.latency_s / 4, GATHER_MAX_S))

    def ask(self, asked: Asked, told: Callable[[Said], None]) -> None:
        """Tell the answer of one call later, its effect durable."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(self._gather_s, self._book_waiting)
        self._waiting.append(_Call(asked, told))

    def _book_waiting(self) -> None:
        """Judge what waits, then book it in one transaction."""
        calls, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._book_waiting)
        judged = [self._judge(call.asked) for call in calls]
        with self._book.transaction() as conn:
            answers = [
                self.window.answer(conn, call.asked) if found is None
                else self.window.book(conn, found)
                for call, found in zip(calls, judged, strict=True)
            ]  # fmt: skip
        for call, said in zip(calls, answers, strict=True):
            call.told(said)

    def _judge(self, asked: Asked) -> Judged | None:
        if asked.op != "issue":
            return None
        return self.window.judge(asked, self.window.certificates(asked.unit))

    def fate(self, asked: Asked) -> str:
        """Return what goes wrong with a call, empty for nothing."""
        if not self._faulty:
            return ""
        dice = Dice(self.faults.seed, asked.id)
        for name in ("lost", "dropped", "half", "busy"):
            if dice.chance(getattr(self.faults, name)):
                return name
        if dice.chance(self.faults.error500):
            return "error_after" if dice.chance(0.5) else "error_before"
        return ""


class Speech(Protocol):
    """One dialect on one connection."""

    def bounds(self, arrived: bytes) -> tuple[int, int]:
        """Return where the content of the first request starts and ends, counted from 0.

        The end is 0 as long as too little arrived to tell. Raises Wrong.
        """

    def asked(self, content: bytes) -> Asked:
        """Return what it asks. Raises Wrong."""

    def answer(self, content: bytes, asked: Asked | None, said: Said) -> bytes:
        """Return the bytes of an answer."""

    def error(self) -> bytes:
        """Return what a broken server says."""


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class RestSpeech:
    """finance_rest over HTTP/1.1."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def bounds(self, arrived: bytes) -> tuple[int, int]:
        """Return where the body lies."""
        start = arrived.find(b"\r\n\r\n", 0, HEAD_MAX) + 4
        if start < 4:
            if len(arrived) >= HEAD_MAX:
                raise Wrong("FORM", "head")
            return 0, 0
        sizes = CONTENT_LENGTH.findall(arrived, 0, start)
        size = int(sizes[-1]) if sizes else 0
        if size > BODY_MAX:
            raise Wrong("FORM", "content-length")
        return start, start + size

    def asked(self, content: bytes) -> Asked:
        """Return what it asks."""
        return rest.read(content, self._counter.key)

    def answer(self, _content: bytes, asked: Asked | None, said: Said) -> bytes:
        """Return an answer with the province's own time."""
        return self._page("200 OK", rest.write(asked.op if asked else "", said))

    def error(self) -> bytes:
        """Return an error page."""
        return self._page("500 Internal Server Error", b"<html>Internal Server Error</html>")

    def _page(self, status: str, body: bytes) -> bytes:
        date = _date(self._counter.window.now_ms() // 1000)
        head = f"HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode("ascii") + body


class NonTaxSpeech:
    """cnnontax frames."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def bounds(self, arrived: bytes) -> tuple[int, int]:
        """Return where the frame lies, its head with it."""
        return (0, nontax.size_of(arrived[:8])) if len(arrived) >= 8 else (0, 0)

    def asked(self, content: bytes) -> Asked:
        """Return what it asks."""
        return nontax.read(content, self._counter.key)

    def answer(self, content: bytes, asked: Asked | None, said: Said) -> bytes:
        """Return the answer frame."""
        number = content[19:23].decode("ascii", "replace")
        day = f"{self._counter.window.today():%Y%m%d}"
        return nontax.write(number, asked.id if asked else "", day, said, self._counter.key)

    def error(self) -> bytes:
        """Return what is no frame."""
        return b"java.lang.NullPointerException"


SPEECHES: dict[str, Callable[[Counter], Speech]] = {
    "finance_rest": RestSpeech, "cnnontax": NonTaxSpeech,
}  # fmt: skip


class Talk(asyncio.BufferedProtocol):
    """One connection: a request at a time, the answer no sooner than the province's latency."""

    def __init__(self, counter: Counter, speech: Speech, open_now: set[Talk]) -> None:
        self._counter = counter
        self._speech = speech
        self._open_now = open_now
        self._loop = asyncio.get_running_loop()
        self._room = memoryview(bytearray(READ_BYTES))
        self._arrived: list[bytes] = []
        self._size = 0
        self._need = 1
        self._busy = False
        self._ended = False
        self._began = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_now.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; what it asked for is booked all the same."""
        self._open_now.discard(self)

    def close(self) -> None:
        """Leave the caller."""
        self._transport.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the room that arrivals are read into."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take arrivals in; while a request is at work no more than a head's length of them."""
        self._arrived.append(bytes(self._room[:nbytes]))
        self._size += nbytes
        if not self._busy and self._size >= self._need:
            self._next()
        elif self._busy and self._size > HEAD_MAX:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Say whether an answer is still to go out to one who has stopped talking."""
        self._ended = True
        return self._busy

    def _next(self) -> None:
        """Start on the next whole request, if there is one."""
        arrived = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        try:
            start, end = self._speech.bounds(arrived)
        except Wrong:
            self._transport.close()
            return
        if end and len(arrived) >= end:
            rest = arrived[end:]
            self._arrived, self._size, self._need = [rest] if rest else [], len(rest), 1
            self._busy = True
            self._serve(arrived[start:end])
            return
        self._arrived, self._need = [arrived], end or len(arrived) + 1
        if self._ended:
            self._transport.close()

    def _done(self) -> None:
        """Go on with what arrived meanwhile."""
        if self._size:
            self._transport.resume_reading()
            self._loop.call_soon(self._resume)  # not now: a thousand calls may lie here
            return
        self._busy = False
        if self._ended:
            self._transport.close()

    def _resume(self) -> None:
        self._busy = False
        if not self._transport.is_closing():
            self._next()

    def _serve(self, content: bytes) -> None:
        """Answer one call."""
        self._began = self._loop.time()
        counter, speech = self._counter, self._speech
        try:
            asked = speech.asked(content)
        except Wrong as wrong:
            self._tell(speech.answer(content, None, Said(wrong.fault, wrong.detail)))
            return
        fate = counter.fate(asked)
        if fate == "dropped":
            self._done()
        elif fate == "error_before":
            self._tell(speech.error())
        elif fate == "busy":
            self._tell(speech.answer(content, asked, Said("BUSY", "try again")))
        else:
            counter.ask(asked, lambda said: self._booked(content, asked, said, fate))

    def _booked(self, content: bytes, asked: Asked, said: Said, fate: str) -> None:
        if fate == "lost":
            self._done()
        elif fate == "error_after":
            self._tell(self._speech.error())
        else:
            answer = self._speech.answer(content, asked, said)
            self._tell(answer[: len(answer) // 2] if fate == "half" else answer, fate)

    def _tell(self, answer: bytes, fate: str = "") -> None:
        """Write when the latency is over."""
        rest_s = self._counter.faults.latency_s - (self._loop.time() - self._began)
        if rest_s > 0:
            self._loop.call_later(rest_s, self._write, answer, fate)
        else:
            self._write(answer, fate)

    def _write(self, answer: bytes, fate: str) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        if fate == "half":
            self._transport.close()
        else:
            self._done()


async def serve(counter: Counter, dialect: str, port: int, stop: asyncio.Event,
                ready: Callable[[int], None]) -> None:  # fmt: skip
    """Listen on the loopback until `stop`; `ready` is told the port."""
    open_now: set[Talk] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Talk(counter, SPEECHES[dialect](counter), open_now), "127.0.0.1", port
    )
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    for talk in list(open_now):
        talk.close()
