"""An HTTP/1.1 answer out of the bytes of a connection: pure, bounded, no socket.

Content-Length, chunked and until-close are understood; everything else is `BadAnswer`. One
answer at a time: what follows it on the connection is a fault of the other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

HEAD_MAX: Final = 64 * 1024
BODY_MAX: Final = 32 * 1024 * 1024


class BadAnswer(Exception):
    """The bytes are no HTTP answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names in lower case. `stays` says the connection may be used on."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stays: bool


@dataclass(slots=True)
class AnswerReader:
    """Feed it bytes until it gives an answer."""

    _data: bytearray = field(default_factory=bytearray)

    @property
    def begun(self) -> bool:
        """Say whether anything of an answer has come."""
        return bool(self._data)

    def feed(self, data: bytes) -> Answer | None:
        """Return the answer when it is whole. Raises BadAnswer."""
        self._data += data
        return self._answer(ended=False)

    def end(self) -> Answer | None:
        """The connection has ended: an answer without a length is whole now. Raises BadAnswer."""
        return self._answer(ended=True) if self._data else None

    def _answer(self, *, ended: bool) -> Answer | None:
        at = self._data.find(b"\r\n\r\n")
        if at < 0:
            if len(self._data) > HEAD_MAX:
                raise BadAnswer("no end of headers")
            return None
        status, headers = _head(bytes(self._data[:at]))
        if status == 100:
            del self._data[: at + 4]
            return self._answer(ended=ended)
        body = self._body(at + 4, status, headers, ended=ended)
        if body is None:
            if len(self._data) > HEAD_MAX + BODY_MAX:
                raise BadAnswer("too big")
            return None
        self._data.clear()
        stays = headers.get("connection", "").lower() != "close" and not ended
        return Answer(status, headers, body, stays)

    def _body(
        self, at: int, status: int, headers: Mapping[str, str], *, ended: bool
    ) -> bytes | None:
        if status in (204, 304):
            return b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return _chunks(self._data, at)
        told = headers.get("content-length")
        if told is None:
            return bytes(self._data[at:]) if ended else None
        if not told.isascii() or not told.isdigit() or int(told) > BODY_MAX:
            raise BadAnswer(f"content-length {told[:20]}")
        size = int(told)
        return bytes(self._data[at : at + size]) if len(self._data) >= at + size else None


@lru_cache(maxsize=16)  # a busy server says the same head for a second
def _head(raw: bytes) -> tuple[int, Mapping[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise BadAnswer(f"not HTTP: {first[:40]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadAnswer("a header without a colon")
        headers[name.strip().lower()] = value.strip()
    return int(words[1]), MappingProxyType(headers)


def _chunks(data: bytearray, at: int) -> bytes | None:
    found = bytearray()
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size_text = bytes(data[at:end]).split(b";", 1)[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise BadAnswer("a chunk without a size") from error
        if size < 0 or size > BODY_MAX or len(found) + size > BODY_MAX:
            raise BadAnswer("a chunk too big")
        at = end + 2
        if size == 0:
            return bytes(found) if data.find(b"\r\n", at) >= 0 else None
        if len(data) < at + size + 2:
            return None
        found += data[at : at + size]
        at += size + 2
