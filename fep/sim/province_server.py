"""A province that is spoken to in its own dialect over TCP: server, faults, and pace.

Two rules: what is told was committed first, all that waits in one transaction; a fault is
drawn from the seed and the call's own id, so that the same run fails the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
GATHER_S = 0.001
JUDGES = 2


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


@dataclass(slots=True)
class _Call:
    asked: Asked
    judged: Judged | None
    done: asyncio.Future[Said]


class Counter:
    """Answers calls of all connections out of one window."""

    def __init__(self, book: Book, window: Window, faults: Faults, key: str) -> None:
        self.window = window
        self.faults = faults
        self.key = key
        self._faulty = any((faults.lost, faults.dropped, faults.error500, faults.half, faults.busy))
        self._book = book
        self._pool = ThreadPoolExecutor(JUDGES, thread_name_prefix="judge")
        self._waiting: list[_Call] = []
        self._booking: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Stop the judging threads."""
        self._pool.shutdown()

    async def said(self, asked: Asked) -> Said:
        """Return the answer of one call, its effect durable."""
        loop = asyncio.get_running_loop()
        call = _Call(asked, None, loop.create_future())
        self._waiting.append(call)
        if self._booking is None:
            self._booking = loop.create_task(self._book_all())
        return await call.done

    async def _book_all(self) -> None:
        """Judge all that waits in the threads, then book it in one transaction."""
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            calls, self._waiting = self._waiting, []
            issues = [call for call in calls if call.asked.op == "issue"]
            for call in issues:
                self.window.certificates(call.asked.unit)
            loop = asyncio.get_running_loop()
            await asyncio.gather(*[
                loop.run_in_executor(self._pool, self._judge, issues[start::JUDGES])
                for start in range(min(JUDGES, len(issues)))
            ])  # fmt: skip
            with self._book.transaction() as conn:
                answers = [
                    self.window.book(conn, call.judged) if call.judged is not None
                    else self.window.answer(conn, call.asked)
                    for call in calls
                ]  # fmt: skip
            for call, said in zip(calls, answers, strict=True):
                if not call.done.done():
                    call.done.set_result(said)
        self._booking = None

    def _judge(self, calls: list[_Call]) -> None:
        for call in calls:
            certificates = self.window.certificates(call.asked.unit)
            call.judged = self.window.judge(call.asked, certificates)

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

    async def read(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the next request, None at the end. Raises Wrong."""

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

    async def read(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the body of the next request."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        size = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                size = int(value)
        if not 0 <= size <= BODY_MAX:
            raise Wrong("FORM", "content-length")
        return await reader.readexactly(size)

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

    async def read(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the next frame."""
        try:
            head = await reader.readexactly(8)
            return head + await reader.readexactly(nontax.size_of(head) - 8)
        except asyncio.IncompleteReadError:
            return None

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


async def converse(
    counter: Counter, speech: Speech, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one connection to its end."""
    try:
        while True:
            began = asyncio.get_running_loop().time()
            content = await speech.read(reader)
            if content is None or not await _serve(counter, speech, writer, content, began):
                return
    except (ConnectionError, Wrong, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return
    finally:
        writer.close()


async def _serve(counter: Counter, speech: Speech, writer: asyncio.StreamWriter, content: bytes,
                 began: float) -> bool:  # fmt: skip
    """Answer one call; False when the connection is of no more use."""
    asked: Asked | None = None
    try:
        asked = speech.asked(content)
    except Wrong as wrong:
        answer, fate = speech.answer(content, None, Said(wrong.fault, wrong.detail)), ""
    else:
        fate = counter.fate(asked)
        if fate == "dropped":
            return True
        if fate == "error_before":
            answer = speech.error()
        elif fate == "busy":
            answer = speech.answer(content, asked, Said("BUSY", "try again"))
        else:
            answer = speech.answer(content, asked, await counter.said(asked))
        if fate == "lost":
            return True
        if fate == "error_after":
            answer = speech.error()
    rest_s = counter.faults.latency_s - (asyncio.get_running_loop().time() - began)
    if rest_s > 0:
        await asyncio.sleep(rest_s)
    if fate == "half":
        writer.write(answer[: len(answer) // 2])
        await writer.drain()
        return False
    writer.write(answer)
    await writer.drain()
    return True


async def serve(counter: Counter, dialect: str, port: int, stop: asyncio.Event,
                ready: Callable[[int], None]) -> None:  # fmt: skip
    """Listen on the loopback until `stop`; `ready` is told the port."""
    busy: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await converse(counter, SPEECHES[dialect](counter), reader, writer)
        finally:
            busy.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=1 << 20)
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    for task in list(busy):
        task.cancel()
