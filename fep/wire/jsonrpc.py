"""JSON-RPC 2.0 lines: framing with a bound, requests, answers, authentication of frames.

Pure: `LineFeed.feed(bytes) -> [lines]`. A line over the limit is dropped up to its end and
reported once; the connection survives.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from fep.crypto import sm3
from fep.domain.faults import Refused, refuse
from fep.wire import strictjson

_encode = msgspec.json.Encoder().encode
ALGORITHMS = ("hmac-sm3", "hmac-sha256", "token")
MAC_MARK = b',"mac":"'
MAC_TAIL = 64 + len(b'"}')


class LineFeed:
    """Splits a byte stream into lines of at most `limit` bytes; the limit may change."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._skipping = False

    @property
    def held(self) -> int:
        """Return how many bytes of an unfinished line are kept."""
        return len(self._rest)

    def give_up(self) -> None:
        """Let go of the unfinished line; its end will be reported as one too long."""
        self._rest.clear()
        self._skipping = True

    def feed(self, data: bytes) -> list[bytes | None]:
        """Return complete lines without their end; None stands for one too long."""
        lines: list[bytes | None] = []
        first, *others = data.split(b"\n")
        self._take(first)
        for part in others:
            line = bytes(self._rest)
            if self._skipping:
                lines.append(None)
            elif line.strip():
                lines.append(line)
            self._rest.clear()
            self._skipping = False
            self._take(part)
        return lines

    def _take(self, part: bytes) -> None:
        if self._skipping or len(self._rest) + len(part) > self.limit:
            self._skipping = True
            self._rest.clear()
        else:
            self._rest += part


@dataclass(frozen=True, slots=True)
class Request:
    """One call; `id` None is a notification, which gets no answer."""

    method: str
    params: Any
    id: int | str | None
    seq: int | None
    mac: str | None


def parse(line: bytes, encoding: str = "utf-8") -> Request:
    """Return the request of a line. Raises Refused REQ_PARSE, REQ_SHAPE, REQ_DUPLICATE_KEY."""
    if encoding != "utf-8":
        try:
            line = line.decode(encoding).encode()
        except UnicodeDecodeError as error:
            raise refuse("REQ_PARSE", why=f"{encoding}: {error.reason}") from error
    value = strictjson.loads(line)
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise refuse("REQ_SHAPE", why="jsonrpc")
    method, call_id = value.get("method"), value.get("id")
    if not isinstance(method, str) or len(method) > 64:
        raise refuse("REQ_SHAPE", why="method")
    if isinstance(call_id, bool) or not isinstance(call_id, int | str | None):
        raise refuse("REQ_SHAPE", why="id")
    unknown = value.keys() - {"jsonrpc", "method", "id", "params", "seq", "mac"}
    if unknown:
        raise refuse("REQ_FIELD_UNKNOWN", field=min(unknown)[:80])
    seq, mac = value.get("seq"), value.get("mac")
    return Request(
        method,
        value.get("params", {}),
        call_id,
        seq if isinstance(seq, int) else None,
        mac if isinstance(mac, str) else None,
    )


def answer(call_id: int | str | None, result: Any) -> bytes:
    """Return the line of a result."""
    return _encode({"jsonrpc": "2.0", "id": call_id, "result": result}) + b"\n"


def refusal(call_id: int | str | None, refused: Refused, ref: str) -> bytes:
    """Return the line of a refusal: the stable code first, both sentences, the reference."""
    return (
        _encode(
            {
                "jsonrpc": "2.0",
                "id": call_id,
                "error": {
                    "code": -32000,
                    "message": f"{refused.code} {refused.zh}",
                    "data": {
                        **{name: str(value) for name, value in refused.details.items()},
                        "fault": refused.code,
                        "zh": refused.zh,
                        "en": refused.en,
                        "retryable": refused.fault.retryable,
                        "ref": ref,
                    },
                },
            }
        )
        + b"\n"
    )


def plain(line: bytes) -> bytes:
    """Return an answer in ASCII, as every caller's encoding reads it; no character is lost."""
    return json.dumps(json.loads(line)).encode() + b"\n"


def notify(method: str, params: dict[str, Any]) -> bytes:
    """Return the line of a notification."""
    return _encode({"jsonrpc": "2.0", "method": method, "params": params}) + b"\n"


def challenge_mac(algorithm: str, key: bytes, appid: str, challenge: str) -> str:
    """Return the mac that proves the key for a challenge, as hex."""
    return _mac(algorithm, key, f"fep1|{appid}|{challenge}".encode())


def frame_mac(algorithm: str, key: bytes, appid: str, challenge: str, line: bytes) -> str | None:
    """Return the mac a line must carry as its last member; None when it carries none."""
    signed, mark, tail = line.rstrip().rpartition(MAC_MARK)
    if not mark or len(tail) != MAC_TAIL:
        return None  # a member behind the mac would not be covered by it
    return _mac(algorithm, key, f"fep1|{appid}|{challenge}|".encode() + signed + b"}")


def same(expected: str, given: str | None) -> bool:
    """Compare in constant time."""
    return given is not None and hmac.compare_digest(expected.encode(), given.lower().encode())


def _mac(algorithm: str, key: bytes, text: bytes) -> str:
    if algorithm == "hmac-sm3":
        return sm3.hmac(key, text).hex()
    return hmac.digest(key, text, "sha256").hex()
