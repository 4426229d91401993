"""What the tests ask of the running daemon, in the words of its callers."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.harness.books import ask
from tests.harness.town import Town, program


@dataclass
class Office:
    """A town's daemon with its HTTP front."""

    town: Town
    http: int

    def ctl(self, *words: str, code: int = 0) -> Any:
        """Run a verb with --json; return what it printed."""
        command = [program("fepctl"), "-c", str(self.town.config), *words, "--json"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert code == done.returncode, (words, done.stdout.decode(), done.stderr.decode())
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """Run a verb that is refused; return its code."""
        return str(self.ctl(*words, code=1)["error"]["fault"])

    def journal(self, op: str) -> list[dict[str, Any]]:
        """Return the journalled records of one operation."""
        lines = (json.loads(row[0]) for row in ask(self.town.store, "SELECT line FROM journal"))
        return [entry for entry in lines if entry["op"] == op]

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """POST and return status and body."""
        line = http.client.HTTPConnection("127.0.0.1", self.http, timeout=20)
        try:
            line.request("POST", path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def dialect(self, path: str, appid: str, key: str, fields: dict[str, Any],
                **outer: str) -> tuple[str, Any]:  # fmt: skip
        """Call a dialect's method; return its result code and its message."""
        status, body = self.post(path, enveloped(appid, key, fields, **outer))
        assert 200 == status, (status, body[:200])
        return opened(body, appid, key, **outer)


def sign(appid: str, data: str, noise: str, key: str, outer: dict[str, str]) -> str:
    """Return the sign of the tables: fixed order, MD5, upper case."""
    head = "".join(f"{name}={outer[name]}&" for name in ("region", "deptcode") if name in outer)
    text = f"{head}appid={appid}&data={data}&noise={noise}&key={key}&version=1.0"
    return hashlib.md5(text.encode()).hexdigest().upper()


def enveloped(appid: str, key: str, fields: dict[str, Any], **outer: str) -> bytes:
    """Return the body of a call."""
    data = base64.b64encode(json.dumps(fields, ensure_ascii=False).encode()).decode()
    noise = "n" * 32
    return json.dumps({**outer, "appid": appid, "data": data, "noise": noise, "version": "1.0",
                       "sign": sign(appid, data, noise, key, outer)}).encode()  # fmt: skip


def opened(body: bytes, appid: str, key: str, **outer: str) -> tuple[str, Any]:
    """Return result and message of an answer whose signature fits."""
    told = json.loads(body)
    assert sign(appid, told["data"], told["noise"], key, outer) == told["sign"]
    inner = json.loads(base64.b64decode(told["data"]))
    message = base64.b64decode(inner["message"]).decode()
    return inner["result"], json.loads(message) if message.startswith("{") else message
