"""`bench drain`: how fast a backlog empties through gate, relay and a province of 30 ms.

Receipts are issued with the link off; then gate, relay and province start, and the clock runs
until the platform's answers are stored. Once with issuing idle, once while a business system
issues at a fixed rate, whose latencies are told. Figures only, never a verdict.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.harness.far_side import FarSide
from tests.harness.processes import Child, Fleet, wait_until
from tests.harness.town import READY_S, set_keys

LATENCY_MS = 30
RATE_PER_S = 50
POLL_S = 0.2
PREPARE_S = 600.0
DRAIN_S = 900.0
IN_FLIGHT = 64
FAR_NICE = 19  # the far side is another machine in life; here it must not take the daemon's turn


class Drain:
    """One site with a backlog."""

    def __init__(self, place: Path, fleet: Fleet) -> None:
        self.fleet = fleet
        self.town = FarSide(place, fleet, in_flight=IN_FLIGHT, level="warning", answer_s=30.0,
                            poll_s=1.0, ack_s=0.3)  # fmt: skip  # the times as shipped
        self.town.found()
        set_keys(self.town.config, "log", {"level": '"warning"'})
        set_keys(
            self.town.config, "link",
            {"poll_s": "1.0", "linger_s": "1.0", "window_batches": "64", "rto_first_s": "60.0",
             "silent_after_s": "30.0"},
        )  # fmt: skip
        self.children: list[Child] = []
        self.started = 0

    def prepare(self, count: int) -> float:
        """Issue `count` receipts with the link off; returns receipts a second."""
        set_keys(self.town.config, "link", {"enabled": "false"})
        daemon = self.town.start_daemon()
        self.town.import_numbers(count + 20_000)
        began = time.monotonic()
        self.town.load("--count", str(count), "--start", str(self.started), "--concurrency", "32",
                       timeout_s=PREPARE_S)  # fmt: skip
        self.started += count
        spent = time.monotonic() - began
        self._stop(daemon)
        set_keys(self.town.config, "link", {"enabled": "true"})
        return count / spent

    def _stop(self, child: Child) -> None:
        child.stop()
        self.fleet.forget(child)

    def open(self) -> None:
        """Start everything; the backlog begins to leave."""
        far = [
            self.town.start_province("--latency-ms", str(LATENCY_MS)),
            self.town.start_gate(),
            self.town.start_relay(),
        ]
        for child in far:
            os.setpriority(os.PRIO_PROCESS, child.process.pid, FAR_NICE)
        self.children = [*far, self.town.start_daemon()]

    def close(self) -> None:
        """Stop everything but the books."""
        for child in reversed(self.children):
            self._stop(child)
        self.children = []

    def left(self) -> int:
        """Return how many deliveries have no answer yet."""
        return self.town.count(
            "SELECT count(*) FROM upload WHERE state IN ('due', 'sent') AND state <> 'applied'"
        )

    def cpu_s(self) -> dict[str, float]:
        """Return the processor seconds each process has used."""
        tick = os.sysconf("SC_CLK_TCK")
        found = {}
        for child in self.children:
            fields = Path(f"/proc/{child.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            found[child.name] = round((int(fields[11]) + int(fields[12])) / tick, 2)
        return found

    def run(self, until: int = 0) -> tuple[int, float]:
        """Wait until the backlog is gone (or down to `until`); returns (drained, seconds)."""
        wait_until(lambda: self.left() > 0, "the backlog is there", timeout_s=READY_S)
        first, began = self.left(), time.monotonic()
        wait_until(
            lambda: 0 <= self.left() <= until, "the backlog is gone", timeout_s=DRAIN_S,
            children=self.children, poll_s=POLL_S,
        )  # fmt: skip
        return first - until, time.monotonic() - began


def measure(place: Path, count: int) -> dict[str, Any]:
    """Return all figures."""
    load_before = os.getloadavg()[0]
    with Fleet(place / "logs") as fleet:
        drain = Drain(place / "site", fleet)
        issued_per_s = drain.prepare(count)
        drain.open()
        idle, idle_s = drain.run()
        cpu_s = drain.cpu_s()
        drain.close()
        drain.prepare(count // 2)
        drain.open()
        busy = _issue_while(drain, count // 2)
        report = drain.town.report()
        drain.close()
    return {
        "backlog": idle,
        "round_trip_ms": LATENCY_MS,
        "in_flight": IN_FLIGHT,
        "far_side_nice": FAR_NICE,
        "prepared_per_s": round(issued_per_s),
        "drain_s": round(idle_s, 2),
        "drain_per_s": round(idle / idle_s),
        "cpu_s": cpu_s,
        **busy,
        "applied": report["applied"],
        "rejected": len(report["rejected"]),
        "doubled": report["duplicate_records"],
        "load_average": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "cpus": os.cpu_count(),
    }


def _issue_while(drain: Drain, count: int) -> dict[str, Any]:
    """Drain once more while receipts are issued at a fixed rate."""
    began = time.monotonic()
    # The rate is kept while the backlog drains: until one second's worth is left.
    his = subprocess.Popen(
        drain.town.his("--rate", str(RATE_PER_S), "--seconds", str(max(8, count // 1000)),
                       "--start", str(drain.started), "--concurrency", "4", "--seed", "7"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    drained, seconds = drain.run(until=RATE_PER_S)
    out, _ = his.communicate(timeout=DRAIN_S)
    told = json.loads(out)
    wait_until(lambda: drain.left() == 0, "the rest", timeout_s=DRAIN_S,
               children=drain.children)  # fmt: skip
    return {
        "busy_drain_per_s": round(drained / seconds),
        "busy_drain_s": round(seconds, 2),
        "issue_rate_per_s": RATE_PER_S,
        "issue_s": round(told["seconds"], 1),
        "issued": told["acked"],
        "issue_p50_ms": told["p50_ms"],
        "issue_p99_ms": told["p99_ms"],
        "spent_s": round(time.monotonic() - began, 1),
    }


def show(found: dict[str, Any]) -> None:
    """Print the figures for a person."""
    print(
        f"drain: {found['backlog']} receipts in {found['drain_s']} s,"
        f" {found['drain_per_s']}/s, round trip {found['round_trip_ms']} ms,"
        f" {found['in_flight']} calls in flight"
    )
    print(
        f"  while issuing {found['issue_rate_per_s']}/s: {found['busy_drain_per_s']}/s,"
        f" p50 {found['issue_p50_ms']} ms, p99 {found['issue_p99_ms']} ms"
    )
    print(
        f"  province: {found['applied']} taken, {found['rejected']} refused,"
        f" {found['doubled']} doubled; load average {found['load_average'][0]} before,"
        f" {found['load_average'][1]} after, {found['cpus']} cpus"
    )


def main(place: Path, count: int, *, as_json: bool) -> None:
    """Measure and print."""
    found = measure(place, count)
    if as_json:
        print(json.dumps(found))
    else:
        show(found)
    if found["rejected"] or found["doubled"]:
        sys.exit("bench: receipts were refused or doubled: that is no figure")
