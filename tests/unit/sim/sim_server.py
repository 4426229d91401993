"""A tiny front-end for the business system to talk to: login, sealed frames, stored answers."""

from __future__ import annotations

import hmac
import json
import socket
import threading
from pathlib import Path
from typing import Any

CHALLENGE = "0123456789abcdef0123456789abcdef"
KEY = b"00ff" * 16


class FakeFrontEnd:
    """Listens on a free port; `vanish_at` are call counts at which it hangs up unanswered."""

    def __init__(
        self,
        *,
        frame_mac: bool = True,
        vanish_at: tuple[int, ...] = (),
        faults: dict[int, dict[str, Any]] | None = None,
        wrong_amount: bool = False,
        unix: Path | None = None,
    ) -> None:
        self.frame_mac = frame_mac
        self.vanish_at = set(vanish_at)
        self.faults = faults or {}
        self.wrong_amount = wrong_amount
        self.calls: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, Any]] = {}
        self.complaints: list[str] = []
        self._lock = threading.Lock()
        if unix is not None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.bind(str(unix))
            self._socket.listen()
            self.where = f"unix:{unix}"
        else:
            self._socket = socket.create_server(("127.0.0.1", 0))
            self.where = f"tcp:127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening and wait for the conversations to end."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, peer: socket.socket) -> None:
        hello = {"version": "0", "challenge": CHALLENGE, "auth": ["hmac-sm3"],
                 "frame_mac": self.frame_mac}  # fmt: skip
        with peer, peer.makefile("rwb") as stream:
            _say(stream, {"jsonrpc": "2.0", "method": "system.hello", "params": hello})
            for seq, line in enumerate(stream):
                answer = self._hear(line.rstrip(b"\n"), seq)
                if answer is None:
                    return
                _say(stream, answer)

    def _hear(self, line: bytes, seq: int) -> dict[str, Any] | None:
        message = json.loads(line)
        if message["method"] == "system.auth":
            good = message["params"]["mac"] == _mac(b"fep1|his|" + CHALLENGE.encode())
            told = {"result": {"appid": "his"}} if good else {"error": {"code": -1}}
            return {"jsonrpc": "2.0", "id": message["id"], **told}
        if self.frame_mac:
            text, _, tail = line.partition(b',"mac":"')
            prefix = b"fep1|his|" + CHALLENGE.encode() + b"|"
            if tail != _mac(prefix + text).encode() + b'"}' or message["seq"] != seq:
                self.complaints.append(line.decode())
        with self._lock:
            return self._answer(message)

    def _answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        params, number = message["params"], len(self.calls)
        self.calls.append(params)
        if number in self.faults:
            error = {"code": -32000, "message": "…", "data": self.faults[number]}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
        known = params["key"] in self.receipts
        receipt = self.receipts.setdefault(params["key"], {
            "code": "42060126", "number": f"{len(self.receipts) + 1:010d}", "check_code": "abc123",
            "unit": params["unit"], "kind": params["kind"], "key": params["key"],
            "amount": "0.01" if self.wrong_amount else params["total"],
        })  # fmt: skip
        if number in self.vanish_at:
            return None
        result = {"receipt": receipt, "repeated": known}
        return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _mac(text: bytes) -> str:
    return hmac.new(KEY, text, "sm3").hexdigest()


def _say(stream: Any, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()
