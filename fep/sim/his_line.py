"""One connection of a business system: JSON-RPC lines with login and sealed frames.

Two rules: an answer belongs to the call with its id; a lost connection fails every call
that waits on it with `Lost`, and says nothing about whether it took effect.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import Any

LINE_MAX = 16 << 20


class Lost(Exception):
    """The connection ended or never came to be; the outcome of waiting calls is unknown."""


class Denied(Exception):
    """The server did not accept the login."""


class Line(asyncio.Protocol):
    """Use `await connect(...)`; then `await line.call(method, params)`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self._waiting: dict[int, tuple[asyncio.Future[dict[str, Any]], float]] = {}
        self._next_id = 0
        self._seal: Any = None  # hmac.HMAC keyed and fed up to the frame; it has no public type
        self._seq = 0
        self.hello: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.lost = False

    # from asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Cut lines and hand each to the call it answers."""
        self._rest += data
        if b"\n" not in data:
            if len(self._rest) > LINE_MAX:
                self.abort()
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            self._answer(bytes(line))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        self.lost = True
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(Lost(str(exc or "closed")))
        self._waiting.clear()
        if not self.hello.done():
            self.hello.set_exception(Lost(str(exc or "closed before hello")))

    # from the caller

    async def login(self, appid: str, key: bytes, *, needed: bool) -> None:
        """Answer the server's challenge; over a Unix socket (`needed` False) there is none.

        Raises Denied or Lost.
        """
        hello = await self.hello
        if not needed:
            return
        challenge = hello["challenge"]
        prefix = f"fep1|{appid}|{challenge}".encode()
        mac = hmac.new(key, prefix, "sm3").hexdigest()
        params = {"appid": appid, "alg": "hmac-sm3", "mac": mac}
        answer = await self.call("system.auth", json.dumps(params).encode())
        if "error" in answer:
            raise Denied(json.dumps(answer["error"], ensure_ascii=False))
        if hello.get("frame_mac"):
            self._seal = hmac.new(key, prefix + b"|", "sm3")

    def call(self, method: str, params: bytes) -> asyncio.Future[dict[str, Any]]:
        """Send one call whose parameters are JSON text; the answer is the whole object.

        The future fails with Lost. A line that is gone fails at once.
        """
        future: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        if self.lost or self._transport is None:
            future.set_exception(Lost("not connected"))
            return future
        self._next_id += 1
        text = b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s' % (
            self._next_id, method.encode(), params,
        )  # fmt: skip
        if self._seal is not None:
            self._seq += 1
            text += b',"seq":%d' % self._seq
            seal = self._seal.copy()
            seal.update(text)
            text += b',"mac":"%s"' % seal.hexdigest().encode()
        self._waiting[self._next_id] = (future, self._loop.time())
        self._transport.write(text + b"}\n")
        return future

    def oldest_s(self) -> float:
        """Return how long the oldest call has waited, 0 for none."""
        if not self._waiting:
            return 0.0
        return self._loop.time() - min(since for _, since in self._waiting.values())

    def abort(self) -> None:
        """End the connection now; waiting calls fail with Lost."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self.abort()
            return
        if message.get("method") == "system.hello" and not self.hello.done():
            self.hello.set_result(message["params"])
            return
        waiting = self._waiting.pop(message.get("id"), None)
        if waiting is not None and not waiting[0].done():
            waiting[0].set_result(message)


async def connect(where: str, appid: str, key: bytes) -> Line:
    """Connect to `tcp:HOST:PORT` or `unix:PATH` and log in. Raises Lost, Denied, ValueError."""
    loop = asyncio.get_running_loop()
    scheme, _, rest = where.partition(":")
    try:
        if scheme == "unix":
            _, line = await loop.create_unix_connection(lambda: Line(loop), rest)
        elif scheme == "tcp":
            host, _, port = rest.rpartition(":")
            _, line = await loop.create_connection(lambda: Line(loop), host, int(port))
        else:
            raise ValueError(f"connect to tcp:HOST:PORT or unix:PATH, not {where}")
    except OSError as error:
        raise Lost(str(error)) from error
    try:
        await line.login(appid, key, needed=scheme == "tcp")
    except BaseException:
        line.abort()
        raise
    return line
