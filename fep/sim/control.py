"""The control socket of a simulator: one JSON line in, one JSON line out.

`{"order": ["cover", "open"]}` is answered `{"ok": true, "state": {…}}`, or
`{"ok": false, "error": "…"}` when the order was not carried out. What an order means belongs
to the simulator, which passes in how it obeys.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

MAX_LINE_BYTES = 4096
ASK_TIMEOUT_S = 10.0
_MAX_REPLY_BYTES = 65536

Obey = Callable[[Sequence[str]], Awaitable[Mapping[str, object]]]
"""Carries out an order of at least one word and returns the state after it.

Raises ValueError for an order that is not known or whose value makes no sense.
"""


class Desk(LineOnlyReceiver):
    """One connection of an operator."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE_BYTES
    transport: Any

    def __init__(self, obey: Obey) -> None:
        self._obey = obey

    def lineReceived(self, line: bytes) -> None:
        """Answer an order."""
        Deferred.fromCoroutine(self._answer(line))

    async def _answer(self, line: bytes) -> None:
        try:
            answer: dict[str, object] = {"ok": True, "state": await self._obey(_words(line))}
        except ValueError as error:
            answer = {"ok": False, "error": str(error)}
        self.transport.write(json.dumps(answer).encode() + b"\n")


class DeskFactory(Factory):
    """Listens for operators."""

    noisy = False

    def __init__(self, obey: Obey) -> None:
        self._obey = obey

    def buildProtocol(self, addr: Any) -> Desk:
        """Return a connection."""
        return Desk(self._obey)


def listen(reactor: Any, obey: Obey, where: str) -> Any:
    """Open the control socket at a path or a TCP port; return the listening port.

    Raises CannotListenError.
    """
    factory = DeskFactory(obey)
    if where.isdigit():
        return reactor.listenTCP(int(where), factory, interface="127.0.0.1")
    # A socket file left behind by a killed process is in the way of bind(2).
    Path(where).unlink(missing_ok=True)
    return reactor.listenUNIX(where, factory, mode=0o600)


def ask(where: str, words: Sequence[str], *, timeout_s: float = ASK_TIMEOUT_S) -> dict[str, Any]:
    """Give one order and wait for the answer. Blocks. Raises OSError, ValueError."""
    family, address = (
        (socket.AF_INET, ("127.0.0.1", int(where))) if where.isdigit() else (socket.AF_UNIX, where)
    )
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.settimeout(timeout_s)
        line.connect(address)
        line.sendall(json.dumps({"order": list(words)}).encode() + b"\n")
        heard = bytearray()
        while not heard.endswith(b"\n") and len(heard) < _MAX_REPLY_BYTES:
            chunk = line.recv(4096)
            if not chunk:
                break
            heard += chunk
    answer = json.loads(heard)
    assert isinstance(answer, dict), answer
    return answer


def _words(line: bytes) -> list[str]:
    try:
        words = json.loads(line)["order"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError('expected {"order": ["word", …]}') from error
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise ValueError("an order is a list of words")
    return words
