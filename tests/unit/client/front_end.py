"""A front-end of a few lines for tests: greets, answers from a table, keeps what it was sent."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHALLENGE = "0123456789abcdef0123456789abcdef"
Answer = Callable[[dict[str, Any]], dict[str, Any] | None]


class FrontEnd:
    """Serves one connection after the other; `answer` None closes the connection."""

    def __init__(self, listener: socket.socket, answer: Answer, *, frame_mac: bool) -> None:
        self.lines: list[bytes] = []
        self._listener = listener
        self._answer = answer
        self._frame_mac = frame_mac
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @classmethod
    def unix(cls, path: Path, answer: Answer) -> FrontEnd:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen()
        return cls(listener, answer, frame_mac=False)

    @classmethod
    def tcp(cls, answer: Answer, *, frame_mac: bool) -> FrontEnd:
        return cls(socket.create_server(("127.0.0.1", 0)), answer, frame_mac=frame_mac)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        hello = {"version": "0.1.0", "challenge": CHALLENGE, "frame_mac": self._frame_mac}
        greeting = {"jsonrpc": "2.0", "method": "system.hello", "params": hello}
        connection.sendall(json.dumps(greeting).encode() + b"\n")
        for line in connection.makefile("rb"):
            self.lines.append(line)
            request = json.loads(line)
            answer = self._answer(request)
            if answer is None:
                return
            told = {"jsonrpc": "2.0", "id": request["id"], **answer}
            connection.sendall(json.dumps(told, ensure_ascii=False).encode() + b"\n")


def refusal(code: str, zh: str, en: str) -> dict[str, Any]:
    """Return the error member of a refusal."""
    data = {"fault": code, "zh": zh, "en": en, "retryable": False, "ref": "r1"}
    return {"error": {"code": -32000, "message": f"{code} {zh}", "data": data}}
