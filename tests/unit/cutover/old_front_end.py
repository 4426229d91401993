"""The front-end that served a HIS before: one that remembers what it was asked."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

APPID, KEY = "OLDAPP0001", "demo-key-not-a-secret"


class OldFrontEnd:
    """Answers from a table; a method without an entry is answered E0001."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.outer: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.silent = False
        self.key = KEY
        self._go = threading.Event()
        front_end = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fields = json.loads(base64.b64decode(outer["data"]))
                front_end.asked.append((self.path, fields))
                front_end.outer.append(outer)
                if front_end.silent:
                    front_end._go.wait(10)
                    return
                body = front_end.answer(self.path.rpartition("/")[2], outer)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._go.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, outer: dict[str, Any]) -> bytes:
        """Return the signed answer to a request whose signature fits."""
        if sign(outer, outer["data"], outer["noise"], self.key) != outer["sign"]:
            result, text = "E0002", "验签失败"
        elif method in self.answers:
            result, text = "S0000", json.dumps(self.answers[method])
        else:
            result, text = "E0001", "票据不存在"
        inner = {"result": result, "message": base64.b64encode(text.encode()).decode()}
        data = base64.b64encode(json.dumps(inner).encode()).decode()
        noise = "f" * 32
        return json.dumps(
            {"data": data, "noise": noise, "sign": sign(outer, data, noise, self.key)}
        ).encode()


def sign(outer: dict[str, Any], data: str, noise: str, key: str) -> str:
    """Return the sign of the tables, region and deptcode in front where they are there."""
    head = "".join(f"{n}={outer[n]}&" for n in ("region", "deptcode") if n in outer)
    text = f"{head}appid={outer['appid']}&data={data}&noise={noise}&key={key}&version=1.0"
    return hashlib.md5(text.encode()).hexdigest().upper()
