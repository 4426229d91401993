"""A running front-end with an open HTTP door and a caller who may do everything."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from itertools import count
from pathlib import Path
from typing import Any

from tests.harness.processes import Child, Fleet, free_ports
from tests.harness.town import Town, set_keys

NUMBERS = 5000
OTHER = "H777"


class RpcSite:
    """Real daemon, real HTTP."""

    def __init__(self, place: Path, fleet: Fleet) -> None:
        self.town = town = Town(place / "site", fleet)
        town.found()
        (town.place / "keys" / "platform.crt").unlink()
        (self.port,) = free_ports(1)
        listen = f'["tcp:{self.port}:interface=127.0.0.1"]'
        set_keys(town.config, "http", {"listen": listen})
        rights = '["issue", "reverse", "print", "pay", "query", "admin"]'
        set_keys(town.config, "[callers]", {"rights": rights})
        set_keys(town.config, "callers.his", {"unit": f'"{town.unit}"'})
        self._second_unit()
        self.daemon: Child = town.start_daemon()
        self._keys = {
            appid: (town.place / "keys" / f"caller-{appid}.key").read_text().strip().encode()
            for appid in ("his", "other")
        }
        self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self._nonces = count()
        town.fepctl(
            "numbers", "import", "--unit", town.unit, "--code", town.code, "--first",
            "0000000001", "--last", f"{NUMBERS:010d}", "--approval", "A", "--reason", "test",
        )  # fmt: skip

    def _second_unit(self) -> None:
        """Add a unit and a business system that may act for it alone."""
        place = self.town.place
        text = (place / "units" / "demo-hospital.toml").read_text("utf-8")
        second = text.replace(f'code = "{self.town.unit}"', f'code = "{OTHER}"', 1)
        assert second != text
        (place / "units" / "second.toml").write_text(second, "utf-8")
        key = place / "keys" / "caller-other.key"
        key.write_text("0f" * 32, "ascii")
        key.chmod(0o600)
        with self.town.config.open("a", encoding="utf-8") as config:
            config.write(
                f'\n[[callers]]\nappid = "other"\nkey_file = "keys/caller-other.key"\n'
                f'rights = ["issue", "reverse", "print", "pay", "query"]\nunits = ["{OTHER}"]\n'
            )

    def get(self, path: str) -> Any:
        """Return a JSON document."""
        self._line.request("GET", path)
        answer = self._line.getresponse()
        assert answer.status == 200, answer.status
        return json.loads(answer.read())

    def call(self, method: str, params: Any, appid: str = "his") -> tuple[int, Any]:
        """Make a call; return status and the whole answer."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.post(json.dumps(call).encode(), appid)

    def post(self, body: bytes, appid: str = "his") -> tuple[int, Any]:
        """Send a proved body as it is; return status and answer."""
        at, nonce = str(int(time.time())), f"nonce-{next(self._nonces):08d}"
        text = f"POST|/rpc|{at}|{nonce}|{hashlib.new('sm3', body).hexdigest()}"
        mac = hmac.new(self._keys[appid], text.encode(), "sm3").hexdigest()
        self._line.request("POST", "/rpc", body, {
            "Content-Type": "application/json", "X-Fep-App": appid, "X-Fep-Time": at,
            "X-Fep-Nonce": nonce, "X-Fep-Mac": mac,
        })  # fmt: skip
        answer = self._line.getresponse()
        return answer.status, json.loads(answer.read())

    def event(self, key: str) -> dict[str, Any]:
        """Return the params of a receipt."""
        return {
            "unit": self.town.unit, "point": self.town.point, "kind": self.town.kind, "key": key,
            "payer": {"name": "张三"}, "total": "12.30",
            "items": [{"code": "1", "name": "诊察费", "amount": "12.30"}],
            "channels": [{"code": "02", "amount": "12.30"}],
            "details": [{"item": "1", "name": "挂号", "amount": "12.30"}],
        }  # fmt: skip
