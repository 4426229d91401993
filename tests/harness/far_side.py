"""A town whose province speaks its own dialect behind a relay: daemon, gate, relay, province."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.harness.processes import Child, free_ports, listens, run, wait_until
from tests.harness.town import LINK, NODE, READY_S, Town, program, set_keys

RELAY = """
[relay]
id = "province"
poll_s = {poll_s}
ack_s = {ack_s}
heartbeat_s = 2.0
gap_s = 2.0
resend_s = 2.0
[log]
level = "{level}"
[[nodes]]
id = "{node}"
cert = "keys/node.crt"
directory = "link"
[[destinations]]
name = "finance"
dialect = "{dialect}"
endpoint = "tcp:127.0.0.1:{port}"
path = "/standard"
app_id = "fep"
app_key = "file:keys/app.key"
in_flight = {in_flight}
answer_s = {answer_s}
settle_s = {settle_s}
[[units]]
code = "{unit}"
destination = "finance"
agency_code = "{unit}"
region_code = "420600"
place_code = "001"
"""
RESERVE = """
[[reserves]]
unit = "{unit}"
code = "{code}"
node = "{node}"
target = {target}
block = 100
every_s = 0.5
"""
KEY = "relay-demo"


@dataclass
class FarSide(Town):
    """A town with a relay in place of the simulated FPB/1 province."""

    dialect: str = "finance_rest"
    province_port: int = 0
    in_flight: int = 16
    answer_s: float = 3.0
    settle_s: float = 0.5
    poll_s: float = 0.2
    ack_s: float = 0.1
    reserve: int = 0
    level: str = "info"

    @property
    def relay(self) -> Path:
        """The relay's directory."""
        return self.world / "relay"

    def found(self) -> None:
        """Lay out site, relay and province, and make them known to each other."""
        self.port, self.printer_port, self.province_port = free_ports(3)
        (self.relay / "keys").mkdir(parents=True)
        key = self.relay / "keys" / "app.key"
        key.write_text(KEY)
        key.chmod(0o600)
        self.write_relay(unit="unit")
        run([program("fepd"), "relay", "init", "-c", str(self.relay / "relay.toml")])
        state = str(self.province_state)
        run([program("fepsim"), "province", "init", "--state", state])
        certificate = str(self.relay / "keys" / "relay.crt")
        self.fepctl("init", str(self.place), "--demo", "--platform-cert", certificate, config=False)
        self._configure()
        self._learn()
        keys = self.place / "keys"
        shutil.copy(keys / "node.crt", self.relay / "keys" / "node.crt")
        self.write_relay(unit=self.unit)
        run(
            [
                program("fepsim"), "province", "register", "--state", state,
                "--node-id", NODE, "--node-cert", str(keys / "node.crt"),
                "--unit", self.unit, "--unit-cert", str(keys / "unit.crt"),
            ]
        )  # fmt: skip

    def write_relay(self, unit: str) -> None:
        """Write relay.toml anew."""
        text = RELAY.format(
            node=NODE, dialect=self.dialect, port=self.province_port, unit=unit, level=self.level,
            in_flight=self.in_flight, answer_s=self.answer_s, settle_s=self.settle_s,
            poll_s=self.poll_s, ack_s=self.ack_s,
        )  # fmt: skip
        if self.reserve and self.code:
            text += RESERVE.format(unit=unit, code=self.code, node=NODE, target=self.reserve)
        (self.relay / "relay.toml").write_text(text, "utf-8")

    def start_province(self, *more: str) -> Child:
        """Open the province's window in its dialect; returns when it listens."""
        child = self.fleet.start(
            "province",
            [
                program("fepsim"), "province", "serve", "--state", str(self.province_state),
                "--dialect", self.dialect, "--port", str(self.province_port), "--key", KEY, *more,
            ],
        )  # fmt: skip
        wait_until(lambda: listens(self.province_port), "the province listens",
                   timeout_s=READY_S, children=[child])  # fmt: skip
        return child

    def start_relay(self) -> Child:
        """Start the relay."""
        return self.fleet.start(
            "relay", [program("fepd"), "relay", "-c", str(self.relay / "relay.toml")]
        )

    def start_gate(self, *more: str) -> Child:
        """Put the gate between daemon and relay."""
        near, far = self.place / "link", self.relay / "link"
        return self.fleet.start(
            "gate",
            [
                program("fepsim"), "gate", "--state", str(self.world / "gate"),
                "--a-out", str(near / "out"), "--b-in", str(far / "in"),
                "--b-out", str(far / "out"), "--a-in", str(near / "in"), *more,
            ],
        )  # fmt: skip

    def grant(self, count: int) -> str:
        """Have the province's books grant numbers; nobody sends them."""
        return run(
            [
                program("fepsim"), "province", "grant", "--state", str(self.province_state),
                "--unit", self.unit, "--code", self.code, "--count", str(count),
                "--kind", self.kind,
            ]
        ).strip()  # fmt: skip

    def go_direct(self) -> None:
        """Have the daemon call the province itself, and let it number outpatient receipts."""
        text = (self.relay / "relay.toml").read_text("utf-8")
        head, _, tail = text.partition("[[nodes]]")
        del head
        sections = tail[tail.index("[[destinations]]") :]
        (self.place / "direct.toml").write_text(sections, "utf-8")
        shutil.copy(self.relay / "keys" / "app.key", self.place / "keys" / "app.key")
        set_keys(self.config, "link", {"direct": '"direct.toml"'})
        kind = self.place / "kinds" / f"{self.kind}.toml"
        kind.write_text(
            kind.read_text("utf-8").replace('numbering = "block"', 'numbering = "platform"'),
            "utf-8",
        )

    def import_numbers(self, count: int) -> None:
        """Have the province's books grant numbers, and bring them in by hand."""
        first, last = self.grant(count).split()[-1].split("-")
        self.fepctl(
            "numbers", "import", "--unit", self.unit, "--code", self.code, "--first", first,
            "--last", last, "--approval", "TEST", "--reason", "test",
        )  # fmt: skip

    def relay_status(self) -> dict[str, object]:
        """Return what the relay wrote down last."""
        path = self.relay / "data" / "status.json"
        found: dict[str, object] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found


__all__ = ["KEY", "LINK", "FarSide", "set_keys"]
