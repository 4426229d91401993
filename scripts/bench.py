"""Measure issuing against the raw limits of the same minute. Figures only, never a verdict.

`bench issue`: receipts a second, durable and signed, over the socket, from 1 and from 32
callers, interleaved with libcrypto's raw one-core signing rate and the raw fsync rate. Print
and upload rows are written; no device and no link is attached. `--loaded` repeats it with
printer and link running and tells the cost.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fep.crypto import keyfile, sm2
from fep.env import RealEntropy
from fep.sim.his_load import LoadReport, Plan, run_load
from tests.harness.processes import Fleet
from tests.harness.town import Town, set_keys

LIMIT_S = 1.5
BLOCK = 9_000_000


@dataclass
class Series:
    """What the rounds of one number of callers gave."""

    callers: int
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    rss_mb: float = 0.0

    def take(self, report: LoadReport, rss_mb: float) -> None:
        """Add a round. Raises SystemExit when a call was refused: that is no figure."""
        if report.refused or not report.acked:
            sys.exit(f"bench: calls were refused: {dict(report.refused)}")
        self.rates.append(report.per_s)
        self.latencies += report.latencies_ms
        self.rss_mb = max(self.rss_mb, rss_mb)

    def figures(self, sign_per_s: float) -> dict[str, float]:
        """Return the figures of all rounds."""
        ordered = sorted(self.latencies)
        rate = statistics.mean(self.rates)
        return {
            "issue_per_s": round(rate),
            "ratio": round(rate / sign_per_s, 3),
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
            "rss_mb": round(self.rss_mb),
            "slowest_round_per_s": round(min(self.rates)),
            "fastest_round_per_s": round(max(self.rates)),
        }


def sign_limit(seconds: float) -> float:
    """Return raw signatures a second of libcrypto on one core."""
    key = keyfile.generate(RealEntropy())
    assert key.backend == sm2.BACKENDS[0], key.backend
    digest, count, end = bytes(range(32)), 0, time.monotonic() + seconds
    started = time.monotonic()
    while time.monotonic() < end:
        for _ in range(100):
            key.sign_digest(digest)
        count += 100
    return count / (time.monotonic() - started)


def fsync_limit(place: Path, seconds: float) -> float:
    """Return appends of 4 KiB with fdatasync a second."""
    fd = os.open(place / "fsync.probe", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        page, count, started = bytes(4096), 0, time.monotonic()
        while time.monotonic() - started < seconds:
            os.write(fd, page)
            os.fdatasync(fd)
            count += 1
        return count / (time.monotonic() - started)
    finally:
        os.close(fd)
        (place / "fsync.probe").unlink()


def rss_mb(pid: int) -> float:
    """Return resident megabytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Bench:
    """One site under load."""

    def __init__(self, place: Path, fleet: Fleet, *, loaded: bool) -> None:
        self.loaded = loaded
        self.town = Town(place, fleet)
        self.town.found()
        if not loaded:
            (place / "keys" / "platform.crt").unlink()
        set_keys(self.town.config, "log", {"level": '"warning"'})
        if loaded:
            self.town.start_province()
            self.town.start_gate()
            self.town.start_printer()
        self.daemon = self.town.start_daemon()
        if loaded:
            self.town.grant(BLOCK)
            self._wait_numbers()
        else:
            self.town.fepctl(
                "numbers", "import", "--unit", self.town.unit, "--code", self.town.code,
                "--first", "0000000001", "--last", f"{BLOCK:010d}", "--approval", "BENCH",
                "--reason", "bench",
            )  # fmt: skip
        self.key = (place / "keys" / "caller-his.key").read_text().strip().encode()
        self.seed = 0

    def _wait_numbers(self) -> None:
        end = time.monotonic() + 30
        while not self.town.has_numbers():
            if time.monotonic() > end:
                sys.exit("bench: no numbers arrived from the province")
            time.sleep(0.1)

    def round(self, series: Series, seconds: float) -> None:
        """Load the daemon for some seconds."""
        self.seed += 1
        plan = Plan(unit=self.town.unit, point=self.town.point, kind=self.town.kind,
                    wants_print=True)  # fmt: skip
        report = run_load(
            f"tcp:127.0.0.1:{self.town.port}", "his", self.key, seconds=seconds,
            concurrency=series.callers, seed=self.seed, plan=plan,
        )  # fmt: skip
        series.take(report, rss_mb(self.daemon.process.pid))


def measure(place: Path, *, loaded: bool, rounds: int, seconds: float) -> dict[str, Any]:
    """Interleave limits and load; return all figures."""
    series = {1: Series(1), 32: Series(32)}
    signs: list[float] = []
    syncs: list[float] = []
    with Fleet(place / "logs") as fleet:
        bench = Bench(place / "site", fleet, loaded=loaded)
        bench.round(Series(32), 1.0)  # warm: code, caches and the store's first pages
        for _ in range(rounds):
            signs.append(sign_limit(LIMIT_S))
            syncs.append(fsync_limit(place, LIMIT_S / 3))
            bench.round(series[32], seconds)
            signs.append(sign_limit(LIMIT_S))
            bench.round(series[1], seconds / 2)
    sign = statistics.mean(signs)
    return {
        "callers_1": series[1].figures(sign),
        "callers_32": series[32].figures(sign),
        "sign_limit_per_s": round(sign),
        "fsync_per_s": round(statistics.mean(syncs)),
        "rounds": rounds,
        "load_s": round(rounds * seconds * 1.5, 1),
    }


def show(title: str, figures: dict[str, Any]) -> None:
    """Print the figures for a person."""
    print(f"{title}: {figures['rounds']} rounds, {figures['load_s']} s of load")
    print(f"  raw limits     sign {figures['sign_limit_per_s']}/s one core,"
          f" fsync {figures['fsync_per_s']}/s")  # fmt: skip
    for name in ("callers_32", "callers_1"):
        one = figures[name]
        print(
            f"  {name:<14} {one['issue_per_s']}/s, ratio {one['ratio']:.2f},"
            f" p50 {one['p50_ms']} ms, p99 {one['p99_ms']} ms, rss {one['rss_mb']} MB"
            f" (rounds {one['slowest_round_per_s']} to {one['fastest_round_per_s']}/s)"
        )


def bench_his(options: argparse.Namespace) -> None:
    """Measure the doors of business systems (scripts/bench_his.py)."""
    from scripts import bench_his as his

    place = Path(tempfile.mkdtemp(prefix="fep-bench-"))
    try:
        found = his.measure(place, rounds=min(options.rounds, 3), seconds=options.seconds)
    except his.Wrong as error:
        sys.exit(f"bench: {error}")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json:
        print(json.dumps(found))
    else:
        his.show(found)


def bench_drain(options: argparse.Namespace) -> None:
    """Run `bench drain`."""
    from scripts import bench_drain as drain

    place = Path(tempfile.mkdtemp(prefix="fep-bench-"))
    try:
        drain.main(place, options.backlog, as_json=options.json)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def bench_print(options: argparse.Namespace) -> None:
    """Run `bench print`."""
    from scripts import bench_print as printing

    place = Path(tempfile.mkdtemp(prefix="fep-bench-"))
    try:
        found = printing.measure(place, rounds=min(options.rounds, 5), seconds=options.seconds)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json:
        print(json.dumps(found))
    else:
        printing.show(found)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=["issue", "his", "drain", "print"])
    parser.add_argument("--backlog", type=int, default=20_000, help="receipts to drain")
    parser.add_argument("--loaded", action="store_true", help="with printer and link running too")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=7.0, help="of load a round at 32 callers")
    options = parser.parse_args()
    if options.what == "his":
        bench_his(options)
        return
    if options.what == "drain":
        bench_drain(options)
        return
    if options.what == "print":
        bench_print(options)
        return
    place = Path(tempfile.mkdtemp(prefix="fep-bench-"))
    try:
        found = measure(place / "plain", loaded=False, rounds=options.rounds,
                        seconds=options.seconds)  # fmt: skip
        if options.loaded:
            found["loaded"] = measure(place / "loaded", loaded=True, rounds=options.rounds,
                                      seconds=options.seconds)  # fmt: skip
            before, after = found["callers_32"], found["loaded"]["callers_32"]
            found["cost_of_load"] = round(1 - after["issue_per_s"] / before["issue_per_s"], 3)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json:
        print(json.dumps(found))
        return
    show("issue", found)
    if options.loaded:
        show("issue, printer and link running", found["loaded"])
        print(f"  printer and link cost {found['cost_of_load']:.0%} of the rate at 32 callers")


if __name__ == "__main__":
    main()
