"""A whole town of real processes: the front-end, province, gate, printer and hospital.

Everything lives below one directory: the site itself (`fep.toml` at its top) and `world/`
with what is outside of it. Ports are free ones. The commands are those a person would type.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.harness.books import ask
from tests.harness.processes import Child, Failed, Fleet, free_ports, listens, run, wait_until

READY_S = 30.0
NODE = "node-0001"
# A gate that answers within a second needs no patience of minutes.
LINK = {
    "poll_s": "0.2",
    "linger_s": "0.2",
    "rto_first_s": "4.0",
    "heartbeat_s": "2.0",
    "silent_after_s": "6.0",
    "gap_s": "2.0",
}


def program(name: str) -> str:
    """Return the installed command beside the running interpreter. Raises Failed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise Failed(f"{name} is not installed beside {sys.executable}")
    return found


@dataclass
class Town:
    """One site and its surroundings."""

    place: Path
    fleet: Fleet
    port: int = 0
    printer_port: int = 0
    unit: str = ""
    point: str = ""
    kind: str = "outpatient"
    code: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The site's fep.toml."""
        return self.place / "fep.toml"

    @property
    def store(self) -> Path:
        """The store file."""
        return self.place / "data" / "fep.db"

    @property
    def world(self) -> Path:
        """What is outside of the site."""
        return self.place / "world"

    @property
    def paper(self) -> Path:
        """Where the sheets come out."""
        return self.world / "paper"

    @property
    def ledger(self) -> Path:
        """What the HIS was told."""
        return self.world / "his.jsonl"

    @property
    def province_state(self) -> Path:
        """Books, key and certificate of the province."""
        return self.world / "province"

    # building
    def found(self) -> None:
        """Lay out the site and the province, and make them known to each other."""
        self.port, self.printer_port = free_ports(2)
        state = str(self.province_state)
        run([program("fepsim"), "province", "init", "--state", state])
        certificate = str(self.province_state / "platform.crt")
        self.fepctl("init", str(self.place), "--demo", "--platform-cert", certificate, config=False)
        self._configure()
        self._learn()
        keys = self.place / "keys"
        run(
            [
                program("fepsim"), "province", "register", "--state", state,
                "--node-id", NODE, "--node-cert", str(keys / "node.crt"),
                "--unit", self.unit, "--unit-cert", str(keys / "unit.crt"),
            ]
        )  # fmt: skip

    def _configure(self) -> None:
        listen = f'["tcp:{self.port}:interface=127.0.0.1"]'
        set_keys(self.config, "api", {"listen": listen})
        set_keys(self.config, "link", LINK)
        for device in sorted((self.place / "devices").glob("*.toml")):
            if tomllib.loads(device.read_text("utf-8"))["transport"]["type"] == "tcp":
                set_keys(device, "transport", {"port": str(self.printer_port)})

    def _learn(self) -> None:
        unit_file = sorted((self.place / "units").glob("*.toml"))[0]
        unit = tomllib.loads(unit_file.read_text("utf-8"))
        kind = tomllib.loads((self.place / "kinds" / f"{self.kind}.toml").read_text("utf-8"))
        self.unit = unit["code"]
        self.point = unit["points"][0]["code"]
        year = (datetime.now(UTC) + timedelta(hours=8)).year
        template = kind["code_template"]
        self.code = template.format(area2=unit["area"][:2], yy=f"{year % 100:02d}")

    # starting
    def start_province(self) -> Child:
        """Open the province's window."""
        return self.fleet.start(
            "province",
            [
                program("fepsim"), "province", "run", "--state", str(self.province_state),
                "--in", str(self.world / "far-in"), "--out", str(self.world / "far-out"),
                "--heartbeat", "2", "--gap", "2", "--resend", "2",
            ],
        )  # fmt: skip

    def start_gate(self, *more: str) -> Child:
        """Put the gate between the two directories."""
        link = self.place / "link"
        return self.fleet.start(
            "gate",
            [
                program("fepsim"), "gate", "--state", str(self.world / "gate"),
                "--a-out", str(link / "out"), "--b-in", str(self.world / "far-in"),
                "--b-out", str(self.world / "far-out"), "--a-in", str(link / "in"), *more,
            ],
        )  # fmt: skip

    def start_printer(self, *more: str) -> Child:
        """Switch the printer on; returns when it listens."""
        child = self.fleet.start(
            "printer",
            [
                program("fepsim"), "printer", "--port", str(self.printer_port),
                "--paper", str(self.paper), *more,
            ],
        )  # fmt: skip
        wait_until(
            lambda: listens(self.printer_port),
            "the printer listens",
            timeout_s=READY_S,
            children=[child],
        )
        return child

    def start_daemon(self, *wrapper: str, wait: bool = True) -> Child:
        """Start `fepd run`; returns when its door is open. `wrapper` goes before it."""
        command = [*wrapper, program("fepd"), "run", "-c", str(self.config)]
        child = self.fleet.start("fepd", command, environment=self.environment)
        if wait:
            self.wait_ready(child)
        return child

    def wait_ready(self, child: Child) -> float:
        """Wait until the door is open; return the seconds it took."""
        return wait_until(
            lambda: listens(self.port), "fepd is ready", timeout_s=READY_S, children=[child]
        )

    # acting
    def fepctl(self, *words: str, config: bool = True) -> str:
        """Run a verb; return what it printed."""
        where = ["-c", str(self.config)] if config else []
        return run([program("fepctl"), *where, *words])

    def grant(self, count: int) -> str:
        """Have the province grant numbers; the running province sends them."""
        return run(
            [
                program("fepsim"), "province", "grant", "--state", str(self.province_state),
                "--unit", self.unit, "--code", self.code, "--count", str(count),
            ]
        ).strip()  # fmt: skip

    def gate(self, order: str) -> None:
        """`cut` or `heal` the gate."""
        run([program("fepsim"), "gate", order, "--state", str(self.world / "gate")])

    def his(self, *more: str) -> list[str]:
        """Return the command of the HIS; `more` says how many and how."""
        return [
            program("fepsim"), "his", "run", "--connect", f"tcp:127.0.0.1:{self.port}",
            "--key-file", str(self.place / "keys" / "caller-his.key"),
            "--ledger", str(self.ledger), "--unit", self.unit, "--point", self.point,
            "--kind", self.kind, "--json", *more,
        ]  # fmt: skip

    def load(self, *more: str, timeout_s: float = 120) -> dict[str, Any]:
        """Let the HIS work; return its closing line. Raises Failed when a call was refused."""
        found: dict[str, Any] = json.loads(run(self.his(*more), timeout_s=timeout_s))
        return found

    def report(self) -> dict[str, Any]:
        """Return the province's own ledger."""
        state = str(self.province_state)
        found: dict[str, Any] = json.loads(
            run([program("fepsim"), "province", "report", "--state", state, "--json"])
        )
        return found

    # asking
    def count(self, sql: str) -> int:
        """Return the one number a question to the store answers; -1 while it cannot."""
        try:
            return int(ask(self.store, sql)[0][0])
        except sqlite3.OperationalError:
            return -1

    def has_numbers(self) -> bool:
        """Tell whether a block has arrived."""
        return self.count("SELECT count(*) FROM number_block WHERE state = 'active'") > 0

    def drained(self) -> bool:
        """Tell whether everything is signed, delivered and off the print queue."""
        left = (
            "SELECT (SELECT count(*) FROM receipt WHERE state = 'frozen')"
            " + (SELECT count(*) FROM event WHERE state = 'queued')"
            " + (SELECT count(*) FROM upload WHERE state IN ('due', 'sent'))"
            " + (SELECT count(*) FROM print_job WHERE state IN ('due', 'streaming'))"
        )
        return self.count(left) == 0


def set_keys(path: Path, section: str, values: dict[str, str]) -> None:
    """Write TOML values into a section of a file, in place of what is there or new."""
    lines = path.read_text("utf-8").splitlines()
    header = f"[{section}]"
    if header not in lines:
        lines += ["", header]
    start = lines.index(header) + 1
    end = next((n for n in range(start, len(lines)) if lines[n].startswith("[")), len(lines))
    body = lines[start:end]
    for name, value in values.items():
        entry = f"{name} = {value}"
        at = [n for n, line in enumerate(body) if re.match(rf"{re.escape(name)}\s*=", line)]
        if at:
            body[at[0]] = entry
        else:
            body.insert(0, entry)
    path.write_text("\n".join([*lines[:start], *body, *lines[end:]]) + "\n", "utf-8")
