"""`bench his`: the doors of business systems at 32 connections, the province there and dead.

Receipts a second and latency through /medical-web (signed envelope in, QR code out) and through
the socket API, each durable and signed, against one front-end with printer and link running.
The HIS is the simulators' own and takes an answer only when its signature fits and its QR code is
there; one that is refused ends the run. The province and the gate are other machines in the
field: here they get what the front-end and its callers leave of the cores.
"""

from __future__ import annotations

import os
import statistics
import time
from itertools import count
from pathlib import Path
from typing import Any

from fep.sim.his_dialect import Saying
from fep.sim.his_load import LoadReport, Plan, run_load
from tests.harness.processes import Fleet, free_ports, wait_until
from tests.harness.town import Town, set_keys

CONNECTIONS = 32
BLOCK = 900_000
FAR_NICE = 19


class Wrong(Exception):
    """An answer that a HIS could not use."""


class Doors:
    """One front-end with both doors, a province, a gate and a printer."""

    def __init__(self, place: Path, fleet: Fleet) -> None:
        self.town = town = Town(place, fleet)
        town.found()
        (self.http,) = free_ports(1)
        set_keys(town.config, "log", {"level": '"warning"'})
        set_keys(town.config, "http", {"listen": f'["tcp:{self.http}:interface=127.0.0.1"]'})
        self.far = [town.start_province(), town.start_gate()]
        town.start_printer()
        town.start_daemon()
        town.grant(BLOCK)
        wait_until(town.has_numbers, "numbers arrive from the province", timeout_s=30)
        for child in self.far:
            os.setpriority(os.PRIO_PROCESS, child.process.pid, FAR_NICE)
        self.key = (place / "keys" / "caller-his.key").read_text().strip()
        self._round = count()

    def kill_province(self) -> None:
        """Take the province and the gate away for good."""
        for child in self.far:
            child.kill()
            self.town.fleet.forget(child)

    def medical(self, seconds: float) -> LoadReport:
        """Load /medical-web over kept connections, each call signed, each QR code looked at."""
        return self._load(f"http://127.0.0.1:{self.http}", seconds, Saying())

    def socket(self, seconds: float) -> LoadReport:
        """Load the socket API."""
        return self._load(f"tcp:127.0.0.1:{self.town.port}", seconds, None)

    def _load(self, where: str, seconds: float, dialect: Saying | None) -> LoadReport:
        town = self.town
        plan = Plan(unit=town.unit, point=town.point, kind=town.kind, dialect=dialect)
        report = run_load(
            where, "his", self.key.encode(), seconds=seconds, concurrency=CONNECTIONS,
            seed=1000 + next(self._round), plan=plan,
        )  # fmt: skip
        if report.refused or report.unanswered or not report.acked:
            raise Wrong(f"refused {dict(report.refused)}, unanswered {report.unanswered}")
        return report


def measure(place: Path, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Interleave the doors; return all figures."""
    found: dict[str, list[LoadReport]] = {"medical_web": [], "socket": [], "medical_web_dead": []}
    with Fleet(place / "logs") as fleet:
        doors = Doors(place / "site", fleet)
        doors.medical(1.0)  # warm
        for _ in range(rounds):
            found["medical_web"].append(doors.medical(seconds))
            found["socket"].append(doors.socket(seconds))
        doors.kill_province()
        time.sleep(1.0)
        for _ in range(rounds):
            found["medical_web_dead"].append(doors.medical(seconds))
    figures: dict[str, Any] = {"connections": CONNECTIONS, "rounds": rounds, "round_s": seconds}
    for name, reports in found.items():
        ordered = sorted(ms for report in reports for ms in report.latencies_ms)
        figures[f"{name}_per_s"] = round(statistics.mean(report.per_s for report in reports))
        figures[f"{name}_p50_ms"] = round(ordered[len(ordered) // 2], 1)
        figures[f"{name}_p99_ms"] = round(ordered[int(len(ordered) * 0.99)], 1)
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures for a person."""
    print(f"his: {figures['connections']} connections, {figures['rounds']} rounds of"
          f" {figures['round_s']} s each")  # fmt: skip
    titles = {"medical_web": "/medical-web with QR", "medical_web_dead": "the same, province dead",
              "socket": "socket API"}  # fmt: skip
    for name, title in titles.items():
        print(f"  {title:<24} {figures[f'{name}_per_s']}/s, p50 {figures[f'{name}_p50_ms']} ms,"
              f" p99 {figures[f'{name}_p99_ms']} ms")  # fmt: skip
