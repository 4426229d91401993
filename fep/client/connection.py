"""One JSON-RPC 2.0 connection: lines out, lines in, challenge and frame MAC.

Rules: a call that was sent and not answered is `Unreachable` with `sent=True`: its outcome
is unknown, repeat it with the same key. After any such fault the connection is closed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
from pathlib import Path
from typing import Any

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 65536
_DIGESTS = {"hmac-sm3": "sm3", "hmac-sha256": "sha256"}


class Unreachable(Exception):
    """The front-end could not be reached or went away; `sent` says a call may have run."""

    def __init__(self, why: str, *, sent: bool = False) -> None:
        super().__init__(why)
        self.why, self.sent = why, sent


class RemoteFault(Exception):
    """The front-end refused: stable code, both sentences, whether a repeat may succeed."""

    def __init__(self, code: str, data: dict[str, Any], message: str = "") -> None:
        super().__init__(f"{code}: {data.get('en') or message}")
        self.code = code
        self.data = data
        self.zh = str(data.get("zh") or message)
        self.en = str(data.get("en") or message)
        self.retryable = bool(data.get("retryable"))
        self.ref = str(data.get("ref", ""))


def frame_mac(key: bytes, alg: str, appid: str, challenge: str, body: bytes) -> str:
    """Return the hex MAC of a frame; `body` is the request as sent, without its mac member."""
    message = f"fep1|{appid}|{challenge}|".encode() + body
    return hmac.new(key, message, _DIGESTS[alg]).hexdigest()


def hello_mac(key: bytes, alg: str, appid: str, challenge: str) -> str:
    """Return the hex MAC that answers the challenge."""
    return hmac.new(key, f"fep1|{appid}|{challenge}".encode(), _DIGESTS[alg]).hexdigest()


class Connection:
    """A connected, not yet authenticated line to the front-end."""

    def __init__(self, sock: socket.socket, *, encoding: str = "utf-8") -> None:
        """Read the greeting. Raises Unreachable."""
        self._socket = sock
        self._encoding = encoding
        self._unread = bytearray()
        self._next_id = 0
        self._seq = 0
        self._signing: tuple[bytes, str, str] | None = None
        try:
            greeting = self._receive(sent=False)
        except Unreachable:
            self.close()
            raise
        self.hello: dict[str, Any] = greeting.get("params") or {}

    @classmethod
    def unix(cls, path: Path, *, timeout_s: float) -> Connection:
        """Connect to a Unix socket. Raises Unreachable; PermissionError passes through."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(_connected(sock, str(path), timeout_s))

    @classmethod
    def tcp(
        cls, host: str, port: int, *, timeout_s: float, encoding: str = "utf-8",
        tls: ssl.SSLContext | None = None,
    ) -> Connection:  # fmt: skip
        """Connect over TCP, with TLS where a context is given. Raises Unreachable."""
        try:
            sock = socket.create_connection((host, port), timeout_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                sock = tls.wrap_socket(sock, server_hostname=host)
        except OSError as error:  # ssl.SSLError is one
            raise Unreachable(f"{host}:{port}: {error}") from error
        return cls(sock, encoding=encoding)

    def authenticate(self, appid: str, key: bytes, alg: str = "hmac-sm3") -> dict[str, Any]:
        """Answer the challenge with a key, or send it as a token. Raises RemoteFault."""
        if alg == "token":
            answer = self.call("system.auth", appid=appid, alg=alg, token=key.decode("ascii"))
            return dict(answer)
        if alg not in _DIGESTS or "sm3" not in hashlib.algorithms_available:
            raise ValueError(f"cannot compute {alg} on this machine")
        challenge = str(self.hello.get("challenge", ""))
        mac = hello_mac(key, alg, appid, challenge)
        answer = self.call("system.auth", appid=appid, alg=alg, mac=mac)
        if self.hello.get("frame_mac"):
            self._signing = (key, alg, appid)
        return dict(answer)

    @property
    def closed(self) -> bool:
        """Say whether the connection is over."""
        return self._socket.fileno() < 0

    def say(self, method: str, **params: Any) -> None:
        """Send a call whose answer is not waited for. Raises Unreachable."""
        self._next_id += 1
        request: dict[str, Any] = {
            "jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params,
        }  # fmt: skip
        self._send(self._framed(request))

    def call(self, method: str, **params: Any) -> Any:
        """Call a method and return its result. Raises RemoteFault, Unreachable."""
        self.say(method, **params)
        while True:
            answer = self._receive(sent=True)
            if answer.get("id") == self._next_id:
                break
            if "method" not in answer:  # not a notification: an error without our id
                self.close()
                raise self._fault(answer.get("error"))
        if "error" in answer:
            raise self._fault(answer["error"])
        return answer.get("result")

    def heard(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next notification, None when there was none in time. Raises Unreachable."""
        before = self._socket.gettimeout()
        self._socket.settimeout(timeout_s)
        try:
            line = self._line()
        except TimeoutError:
            return None  # half a line stays unread until the rest comes
        except OSError as error:
            self.close()
            raise Unreachable(f"connection lost: {error}") from error
        finally:
            if self._socket.fileno() >= 0:
                self._socket.settimeout(before)
        return self._read(line, sent=False)

    def close(self) -> None:
        """Close the socket; harmless twice."""
        self._socket.close()

    def _framed(self, request: dict[str, Any]) -> bytes:
        """Return the line, with seq and mac where the greeting asked for them."""
        if self._signing is None:
            return self._encode(request) + b"\n"
        key, alg, appid = self._signing
        self._seq += 1
        body = self._encode({**request, "seq": self._seq})
        mac = frame_mac(key, alg, appid, str(self.hello.get("challenge", "")), body)
        return body[:-1] + f',"mac":"{mac}"}}\n'.encode("ascii")

    def _encode(self, request: dict[str, Any]) -> bytes:
        text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode(self._encoding)
        except UnicodeEncodeError:
            # A rare character in a GBK name: JSON's own escapes carry it.
            return json.dumps(request, separators=(",", ":")).encode("ascii")

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except OSError as error:
            self.close()
            raise Unreachable(f"connection lost: {error}", sent=True) from error

    def _receive(self, *, sent: bool) -> dict[str, Any]:
        try:
            line = self._line()
        except OSError as error:
            self.close()
            raise Unreachable(f"no answer: {error}", sent=sent) from error
        return self._read(line, sent=sent)

    def _read(self, line: bytes, *, sent: bool) -> dict[str, Any]:
        try:
            answer = json.loads(line.decode(self._encoding))
        except ValueError as error:
            self.close()
            raise Unreachable("the answer is not JSON", sent=sent) from error
        if not isinstance(answer, dict):
            self.close()
            raise Unreachable("the answer is not an object", sent=sent)
        return answer

    def _line(self) -> bytes:
        scanned = 0
        while (end := self._unread.find(b"\n", scanned)) < 0:
            scanned = len(self._unread)
            if scanned > MAX_ANSWER_BYTES:
                raise ConnectionError("the answer is too long")
            piece = self._socket.recv(_CHUNK_BYTES)
            if not piece:
                raise ConnectionError("the front-end closed the connection")
            self._unread += piece
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line

    @staticmethod
    def _fault(error: Any) -> RemoteFault:
        if not isinstance(error, dict):
            return RemoteFault("INTERNAL", {}, "refused without a reason")
        data = error.get("data")
        data = data if isinstance(data, dict) else {}
        return RemoteFault(str(data.get("fault", "INTERNAL")), data, str(error.get("message", "")))


def _connected(sock: socket.socket, path: str, timeout_s: float) -> socket.socket:
    sock.settimeout(timeout_s)
    try:
        sock.connect(path)
    except PermissionError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise Unreachable(f"{path}: {error}") from error
    return sock
