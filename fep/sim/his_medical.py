"""A HIS that speaks medical-web or standard-web: envelope, signature, HTTP, from the tables.

Two rules: an answer is taken only when its signature fits, as the strictest client of the
field does it; a connection that ends says nothing about the call it carried. Shares no code
with the front-end.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlsplit

import msgspec

from fep.sim.his_dialect import Saying
from fep.sim.his_line import Lost

STYLES = ("plain", "apache", "jquery", "mixed")
OK = "S0000"
QR_BYTES_MAX, URL_CHARS_MAX = 370, 100  # what a client of the field has room for
PNG, PARTS = b"\x89PNG\r\n\x1a\n", [b"IHDR", b"IDAT", b"IEND"]
HEAD_MAX, BODY_MAX = 64 << 10, 64 << 20
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
_TIMES = ("createTime", "billBusDate")


class Broken(Exception):
    """An answer that a client of the field would not take."""


class DialectLine:
    """One window: a call at a time, on a kept connection or on a new one for each call."""

    def __init__(self, where: str, appid: str, key: bytes, saying: Saying, *,
                 keep: bool, style: str) -> None:  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._host, self._port = address(where)
        self._appid, self._key, self._saying = appid, key.decode(), saying
        self._keep, self._style = keep, style
        self._calls = 0
        self._wire: _Wire | None = None
        self._busy = False
        self._since = 0.0
        self.lost = False

    # from the load
    async def call(self, _method: str, params: bytes) -> dict[str, Any]:
        """Issue a bill; answer as the socket API would, so that one ledger serves both.

        Raises Lost.
        """
        method, fields = self._saying.bill(params)
        try:
            result, told = await self.ask(method, fields)
        except Broken as error:
            return {"error": {"code": 0, "data": {"fault": f"SIM_{error}"}}}
        if result != OK or not isinstance(told, dict):
            again = result.startswith("E9")
            return {"error": {"code": 0, "data": {"fault": result, "retryable": again}}}
        fault = _incomplete(told)
        if fault:
            return {"error": {"code": 0, "data": {"fault": f"SIM_{fault}"}}}
        return {"result": {"receipt": {
            "key": told["busNo"], "code": told["billBatchCode"], "number": told["billNo"],
            "check_code": told["random"], "amount": str(fields["totalAmt"]),
        }}}  # fmt: skip

    async def ask(self, method: str, fields: Mapping[str, Any]) -> tuple[str, Any]:
        """Call a method; return its result code and its message. Raises Lost, Broken."""
        self._calls += 1
        noise = f"{self._calls:016d}{id(self) & 0xFFFFFFFFFFFFFFFF:016x}"
        data = base64.b64encode(_encode(fields)).decode()
        outer = {**self._saying.outer, "appid": self._appid, "data": data, "noise": noise,
                 "version": "1.0", "sign": self.sign(data, noise)}  # fmt: skip
        body = await self._exchange(self._request(method, outer))
        return self._opened(body)

    def sign(self, data: str, noise: str) -> str:
        """Return the sign of the tables."""
        head = "".join(f"{name}={value}&" for name, value in self._saying.outer.items())
        text = f"{head}appid={self._appid}&data={data}&noise={noise}&key={self._key}&version=1.0"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()

    def oldest_s(self) -> float:
        """Return how long the call under way has waited."""
        return self._loop.time() - self._since if self._busy else 0.0

    def abort(self) -> None:
        """End the connection now."""
        self.lost = True
        if self._wire is not None:
            self._wire.end()

    # the conversation
    def _request(self, method: str, outer: Mapping[str, str]) -> bytes:
        style = STYLES[self._calls % 3] if self._style == "mixed" else self._style
        path, more = self._saying.path(method), ""
        if style == "jquery":  # a kiosk page: a form under a JSON content type
            payload = "&".join(f"{k}={quote_plus(v)}" for k, v in outer.items()).encode()
            path += f"?random=%20{self._calls}"
        else:
            payload = _encode(outer)
            more = "Content-Encoding: UTF-8\r\n" if style == "apache" else ""
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json;charset=UTF-8\r\n{more}"
            f"Connection: {'keep-alive' if self._keep else 'close'}\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        ).encode() + payload

    async def _exchange(self, request: bytes) -> bytes:
        assert not self._busy, "one call at a time"
        self._since, self._busy = self._loop.time(), True
        try:
            if self._wire is None or self._wire.ended:
                _, self._wire = await self._loop.create_connection(_Wire, self._host, self._port)
            return await self._wire.exchange(request)
        except OSError as error:
            raise Lost(str(error)) from error
        finally:
            self._busy = False
            if not self._keep and self._wire is not None:
                self._wire.end()

    def _opened(self, body: bytes) -> tuple[str, Any]:
        try:
            told = _decode(body)
            if self.sign(told["data"], told["noise"]) != told["sign"]:
                raise Broken("SIGN")
            inner = _decode(base64.b64decode(told["data"], validate=True))
            message = base64.b64decode(inner["message"], validate=True).decode()
            structured = inner["result"] == OK and message[:1] in ("{", "[")
            return inner["result"], _decode(message) if structured else message
        except (ValueError, KeyError, TypeError) as error:
            raise Broken("ENVELOPE") from error


class _Wire(asyncio.Protocol):
    """One HTTP connection; a call at a time."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self.ended = False

    # from the line
    def exchange(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future is its answer's body, or Lost."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self._transport is None or self.ended:
            self._waiting.set_exception(Lost("not connected"))
        else:
            self._transport.write(request)
        return self._waiting

    def end(self) -> None:
        """Close; an answer that has not come will not come."""
        self.ended = True
        if self._transport is None:
            return
        if self._waiting is None or self._waiting.done():
            self._transport.close()
        else:
            self._transport.abort()

    # from asyncio
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect one answer: head, then as many bytes as it says."""
        self._rest += data
        head, blank, rest = bytes(self._rest).partition(b"\r\n\r\n")
        if not blank:
            if len(head) > HEAD_MAX:
                self.end()
            return
        status, length = _head(head)
        if length > BODY_MAX or self._waiting is None or self._waiting.done():
            self.end()
        elif len(rest) >= length:
            self._rest = bytearray(rest[length:])
            if status == 200:
                self._waiting.set_result(rest[:length])
            else:  # to a client of the field that is no answer
                self._waiting.set_exception(Lost(f"HTTP {status}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        self.ended = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Lost(str(exc or "closed")))


def _head(head: bytes) -> tuple[int, int]:
    """Return status and length of an answer; a length that is missing ends nothing."""
    lines = head.split(b"\r\n")
    status = int(lines[0].split(b" ")[1]) if lines[0].count(b" ") else 0
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return status, int(value)
    return status, 0


def _incomplete(told: Mapping[str, Any]) -> str:
    """Return what a client of the field would stumble over in an issue's answer."""
    for name in ("billBatchCode", "billNo", "random", "createTime", "billQRCode", "pictureUrl",
                 "busNo"):  # fmt: skip
        if not isinstance(told.get(name), str):
            return name
    try:
        picture = base64.b64decode(told["billQRCode"], validate=True)
    except (ValueError, binascii.Error):
        return "billQRCode"
    if len(picture) > QR_BYTES_MAX or not _whole(picture):
        return "billQRCode"
    if len(told["pictureUrl"]) > URL_CHARS_MAX:
        return "pictureUrl"
    for name in _TIMES:
        text = told.get(name, "0" * 17)
        if len(text) != 17 or not text.isdigit():
            return name
    return ""


def _whole(picture: bytes) -> bool:
    """Say whether a PNG has its three parts and none is damaged, as a client's reader does."""
    names, at = [], len(PNG)
    while at + 12 <= len(picture):
        end = at + 8 + int.from_bytes(picture[at : at + 4], "big")
        if zlib.crc32(picture[at + 4 : end]) != int.from_bytes(picture[end : end + 4], "big"):
            return False
        names.append(picture[at + 4 : at + 8])
        at = end + 4
    return picture.startswith(PNG) and names == PARTS and at == len(picture)


def address(where: str) -> tuple[str, int]:
    """Return host and port of http://HOST:PORT or tcp:HOST:PORT. Raises ValueError."""
    if where.startswith("tcp:"):
        where = f"http://{where.removeprefix('tcp:')}"
    url = urlsplit(where)
    if url.scheme != "http" or not url.hostname or not url.port:
        raise ValueError(f"connect to http://HOST:PORT, not {where}")
    return url.hostname, url.port


def ask_once(
    where: str, appid: str, key: bytes, saying: Saying, method: str,
    fields: Mapping[str, Any], *, timeout_s: float = 30.0,
) -> tuple[str, Any]:  # fmt: skip
    """Make one call of a dialect. Raises Lost, Broken, ValueError, TimeoutError."""

    async def once() -> tuple[str, Any]:
        line = DialectLine(where, appid, key, saying, keep=False, style="plain")
        return await asyncio.wait_for(line.ask(method, fields), timeout_s)

    return asyncio.run(once())
