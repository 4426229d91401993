"""A town whose doors are open for business: numbers and sheets by a person's word, callers of
every kind of proof, the socket with and without TLS, the HTTP door.

No province, no gate, no printer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fep.client import Client, Event, Item, Payer
from tests.harness.processes import Child, Fleet, free_ports, run
from tests.harness.town import Town, set_keys

SHEETS = "042126"
RIGHTS = '["issue", "reverse", "print", "query"]'
# appid, auth, encoding
CALLERS = (("sha", "hmac-sha256", "utf-8"), ("kiosk", "token", "utf-8"), ("old", "hmac-sm3", "gbk"))


class CounterTown(Town):
    """See module."""

    http_port: int = 0
    tls_port: int = 0

    def key(self, appid: str) -> bytes:
        """Return a caller's key as its vendor was given it."""
        return (self.place / "keys" / f"caller-{appid}.key").read_bytes().strip()

    @property
    def certificate(self) -> Path:
        """The certificate of the TLS door; it is its own authority."""
        return self.place / "keys" / "tls.crt"

    def _certify(self) -> None:
        key = self.place / "keys" / "tls.key"
        run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=fep",
                "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", str(key), "-out", str(self.certificate),
            ]
        )  # fmt: skip
        key.chmod(0o600)

    def furnish(self, numbers: int = 5000) -> Child:
        """Found the site with its callers, start the daemon, bring numbers and sheets."""
        self.found()
        self.http_port, self.tls_port = free_ports(2)
        self._certify()
        listen = [
            f"tcp:{self.port}:interface=127.0.0.1",
            f"ssl:{self.tls_port}:interface=127.0.0.1",
        ]
        set_keys(self.config, "api", {"listen": json.dumps(listen)})
        set_keys(self.config, "http", {"listen": f'["tcp:{self.http_port}:interface=127.0.0.1"]'})
        for index, (appid, auth, encoding) in enumerate(CALLERS):
            key = self.place / "keys" / f"caller-{appid}.key"
            key.write_bytes(f"{index + 11:02x}".encode() * 32)
            key.chmod(0o600)
            with self.config.open("a", encoding="utf-8") as file:
                file.write(
                    f'\n[[callers]]\nappid = "{appid}"\nauth = "{auth}"\n'
                    f'key_file = "keys/caller-{appid}.key"\nrights = {RIGHTS}\n'
                    f'units = ["*"]\npoints = ["*"]\nencoding = "{encoding}"\n'
                )
        child = self.start_daemon()
        self.fepctl(
            "numbers", "import", "--unit", self.unit, "--code", self.code,
            "--first", "0000000001", "--last", f"{numbers:010d}",
            "--approval", "1", "--reason", "test",
        )  # fmt: skip
        self.fepctl(
            "numbers", "import", "--sheet", "--unit", self.unit, "--point", self.point,
            "--code", SHEETS, "--first", "00000001", "--last", "00000100",
            "--approval", "1", "--reason", "test",
        )  # fmt: skip
        return child


def counter_town(place: Path, fleet: Fleet, numbers: int = 5000) -> CounterTown:
    """Return a furnished town."""
    town = CounterTown(place, fleet)
    town.furnish(numbers)
    return town


def enter(town: CounterTown, appid: str = "his", alg: str = "hmac-sm3", **options: Any) -> Client:
    """Return the client of a caller, let in."""
    return Client.tcp("127.0.0.1", town.port, appid=appid, key=town.key(appid), alg=alg,
                      **options)  # fmt: skip


def event(town: CounterTown, key: str, amount: str = "12.30", **changes: Any) -> Event:
    """Return an event of the town's unit."""
    values: dict[str, Any] = {
        "key": key, "unit": town.unit, "point": town.point, "kind": town.kind,
        "payer": Payer("张三丰"), "total": amount, "items": (Item("0101", "诊察费", amount),),
        "channels": {"02": amount}, "cashier": "李四",
    }  # fmt: skip
    return Event(**{**values, **changes})
