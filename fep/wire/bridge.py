"""What passes between the daemon and a fep-bridge: greeting, then signed and counted frames.

Pure: bytes in, frames out. Rules: nothing is believed before the greeting is proved by both;
a frame out of order, too long or with a wrong MAC ends the connection; a frame is never kept
beyond its bound. The other end is one file of its own and shares no code with this one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PLAIN_MAX, FRAME_MAX, HEAD_MAX = 4096, 2 * 1024 * 1024, 64 * 1024
BODY_MAX = FRAME_MAX - HEAD_MAX - 64
MAC_SIZE = 32
_CHALLENGE = re.compile(r"[0-9a-f]{32,128}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Broken(Exception):
    """What came breaks the rules: the connection ends. The text says which rule."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; `head` is JSON, `body` bytes."""

    head: Mapping[str, Any]
    body: bytes = b""

    @property
    def op(self) -> str:
        """Return what it says, empty for nothing."""
        return self.text("op")

    def text(self, name: str) -> str:
        """Return a member of the head as text, empty when it is none."""
        value = self.head.get(name)
        return value[:500] if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return a member of the head as a number, 0 when it is none."""
        value = self.head.get(name)
        return value if type(value) is int and 0 <= value < 2**63 else 0


@dataclass(frozen=True, slots=True)
class Greeted:
    """The other end proved who it is; `answer` is to be sent before anything else."""

    id: str
    version: str
    answer: bytes


class Talk:
    """The daemon's end of one connection."""

    def __init__(self, challenge: str, key_of: Callable[[str], bytes | None]) -> None:
        assert _CHALLENGE.fullmatch(challenge), challenge
        self._challenge = challenge
        self._key_of = key_of
        self._key = b""
        self._buffer = bytearray()
        self._heard = self._sent = 0

    def hello(self) -> bytes:
        """Return what is sent first."""
        return plain({"fep": 1, "challenge": self._challenge})

    def refusal(self, why: str) -> bytes:
        """Return what is sent to somebody who did not prove itself."""
        return plain({"ok": False, "why": why})

    def feed(self, data: bytes) -> Iterator[Greeted | Frame]:
        """Yield what has come whole. Raises Broken, and the connection is to be cut then."""
        self._buffer += data
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > (FRAME_MAX if self._key else PLAIN_MAX):
                raise Broken(f"a frame of {size} bytes")
            if len(self._buffer) < 4 + size:
                return
            raw = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            yield self._frame(raw) if self._key else self._greeted(raw)

    def pack(self, head: Mapping[str, Any], body: bytes = b"") -> bytes:
        """Return the next frame to send."""
        assert self._key
        assert len(body) <= BODY_MAX, len(body)
        self._sent += 1
        return packed(self._key, b"D", self._sent, head, body)

    def _greeted(self, raw: bytes) -> Greeted:
        told = _object(raw)
        id_, theirs, mac = (str(told.get(name, "")) for name in ("id", "challenge", "mac"))
        key = self._key_of(id_) if _ID.fullmatch(id_) and _CHALLENGE.fullmatch(theirs) else None
        if key is None:
            raise Broken("unknown")
        ours = self._challenge
        right = proof(key, "bridge", id_, ours, theirs).hex()
        if not hmac.compare_digest(mac.encode(), right.encode()):
            raise Broken("wrong key")
        self._key = proof(key, "session", id_, ours, theirs)
        answer = plain({"ok": True, "mac": proof(key, "daemon", id_, ours, theirs).hex()})
        return Greeted(id_, str(told.get("version", ""))[:20], answer)

    def _frame(self, raw: bytes) -> Frame:
        if len(raw) < 12 + MAC_SIZE:
            raise Broken("short frame")
        content, mac = raw[:-MAC_SIZE], raw[-MAC_SIZE:]
        if not hmac.compare_digest(hmac.digest(self._key, b"B" + content, hashlib.sha256), mac):
            raise Broken("wrong mac")
        self._heard += 1
        seq, size = struct.unpack(">QI", content[:12])
        if seq != self._heard:
            raise Broken(f"frame {seq} instead of {self._heard}")
        if size > min(HEAD_MAX, len(content) - 12):
            raise Broken("head too long")
        return Frame(_object(content[12 : 12 + size]), content[12 + size :])


def proof(key: bytes, role: str, id_: str, daemons: str, bridges: str) -> bytes:
    """Return the MAC by which one side proves itself; role `session` is the session's key."""
    text = f"fep-bridge|1|{role}|{id_}|{daemons}|{bridges}"
    return hmac.digest(key, text.encode(), hashlib.sha256)


def packed(key: bytes, side: bytes, seq: int, head: Mapping[str, Any], body: bytes) -> bytes:
    """Return a signed frame of `side` (B: bridge, D: daemon)."""
    told = json.dumps(head, separators=(",", ":")).encode()
    content = struct.pack(">QI", seq, len(told)) + told + body
    mac = hmac.digest(key, side + content, hashlib.sha256)
    return struct.pack(">I", len(content) + MAC_SIZE) + content + mac


def plain(told: Mapping[str, Any]) -> bytes:
    """Return a frame of the greeting."""
    raw = json.dumps(told).encode()
    return struct.pack(">I", len(raw)) + raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Broken("not JSON") from error
    if not isinstance(told, dict):
        raise Broken("not an object")
    return told
