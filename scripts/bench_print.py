"""`bench print`: one queue beside CUPS raw, and 50 printers of which one is dead.

One queue: receipts are issued through the socket faster than they print; each sheet is proved
by the printer and each outcome is durable before the next one begins. CUPS sends the bytes of
such a sheet over a raw queue to a printer of the same kind, with nothing proved; what it costs
to submit them is not counted. Both rates are counted on the paper. Fleet: 50 printers at 2 jobs
a second each, issued through the socket; queue time is from the receipt to its stored outcome,
of printers that live; which fleet goes first changes with every round. Figures only, never
a verdict.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fep.sim.his_content import Content
from fep.sim.his_load import Plan, run_load
from scripts import bench_cups
from tests.harness.books import ask
from tests.harness.processes import Failed, Fleet, free_ports, listens, wait_until
from tests.harness.town import Town, set_keys

PRINTERS = 50
PER_PRINTER_S = 2
BLOCK = 900_000
FEP_JOBS = 400
CUPS_JOBS = 60
FINISH_S = 120.0
FLEET_LONGER = 2  # a p99 of 30 ms is made of few sheets: rounds are longer than elsewhere


def measure(place: Path, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Return all figures."""
    place.mkdir(parents=True, exist_ok=True)
    return {**_queue(place / "queue", min(rounds, 3)), **_fleet(place / "fleet", rounds, seconds)}


# one queue
def _queue(place: Path, rounds: int) -> dict[str, Any]:
    lacking = bench_cups.missing()
    ours: list[float] = []
    theirs: list[float] = []
    with Fleet(place / "logs") as fleet:
        town = _town(place / "site", fleet)
        (other,) = free_ports(1)
        _printers(fleet, "printers", place, [str(town.printer_port), str(other)])
        _daemon(town)
        our, their = place / f"{town.printer_port}.tally", place / f"{other}.tally"
        _our_rate(town, our, 40)  # warm
        cups = None if lacking else _cups(fleet, other, our)
        try:
            for _ in range(rounds):
                ours.append(_our_rate(town, our, FEP_JOBS))
                if cups is not None:
                    theirs.append(_their_rate(cups, their))
        finally:
            fleet.stop_all()
            if cups is not None:
                shutil.rmtree(cups.place, ignore_errors=True)
    rate, peer = statistics.median(ours), statistics.median(theirs) if theirs else None
    return {
        "jobs_per_s": round(rate, 1),
        "cups_jobs_per_s": None if peer is None else round(peer, 1),
        "ratio_to_cups": None if peer is None else round(rate / peer, 2),
        "cups_lacks": lacking,
        "jobs_rounds_per_s": [round(one, 1) for one in ours],
        "cups_rounds_per_s": [round(one, 1) for one in theirs],
    }


def _town(place: Path, fleet: Fleet) -> Town:
    town = Town(place, fleet)
    town.found()
    (place / "keys" / "platform.crt").unlink()
    set_keys(town.config, "log", {"level": '"warning"'})
    return town


def _daemon(town: Town) -> None:
    town.start_daemon()
    town.fepctl(
        "numbers", "import", "--unit", town.unit, "--code", town.code, "--first", "0000000001",
        "--last", f"{BLOCK:010d}", "--approval", "BENCH", "--reason", "bench",
    )  # fmt: skip


def _printers(fleet: Fleet, name: str, place: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "scripts.bench_printers", "--tally", str(place), *words]
    child = fleet.start(name, command)
    wait_until(lambda: listens(int(words[-1])), "printers listen", timeout_s=30, children=[child])


def _cups(fleet: Fleet, port: int, our: Path) -> bench_cups.Cups:
    cups = bench_cups.Cups(Path(tempfile.mkdtemp(prefix="fep-cups-")), fleet, port)
    # A sheet as our daemon sends it; the question for proof, which CUPS does not ask, comes after.
    cups.job.write_bytes(our.with_suffix(".bin").read_bytes())
    cups.job.chmod(0o644)
    return cups


def _our_rate(town: Town, tally: Path, count: int) -> float:
    before = _sheets(tally)
    _load(town, _calls(town, [town.point], count, seed=100 + before), rate=0.0)
    issued = _sheets(tally)
    _wait_sheets(tally, before + count)
    open_jobs = "SELECT count(*) FROM print_job WHERE state <> 'printed'"
    wait_until(lambda: town.count(open_jobs) == 0, "every sheet is proved", timeout_s=FINISH_S)
    return _rate(tally, issued, before + count)


def _their_rate(cups: bench_cups.Cups, tally: Path) -> float:
    before = _sheets(tally)
    cups.fill(CUPS_JOBS)
    cups.release()
    _wait_sheets(tally, before + CUPS_JOBS)
    return _rate(tally, before, before + CUPS_JOBS)


def _sheets(tally: Path) -> int:
    return tally.read_bytes().count(b"\n")


def _wait_sheets(tally: Path, count: int) -> None:
    wait_until(lambda: _sheets(tally) >= count, f"{count} sheets", timeout_s=FINISH_S)


def _rate(tally: Path, first: int, last: int) -> float:
    """Return sheets a second between the sheet at index `first` and the one before `last`."""
    cut_ms = [int(line) for line in tally.read_text("ascii").split()[first:last]]
    return (len(cut_ms) - 1) / max(0.001, (cut_ms[-1] - cut_ms[0]) / 1000)


# the fleet
class Site:
    """One daemon and its 50 printers, one of them dead or none."""

    def __init__(self, place: Path, fleet: Fleet, *, dead: bool) -> None:
        self.town = town = _town(place, fleet)
        ports = free_ports(PRINTERS)
        self.points = [f"{number:03d}" for number in range(101, 101 + PRINTERS)]
        unit = sorted((place / "units").glob("*.toml"))[0]
        sections = [
            f'\n[[points]]\ncode = "{point}"\ngroup = "g{point}"\nprint = "on_request"\n'
            for point in self.points
        ]
        text = unit.read_text("utf-8").replace('"window-1"', f'"g{self.points[0]}"')
        unit.write_text(text + "".join(sections), "utf-8")
        for old in (place / "devices").glob("*.toml"):
            old.unlink()
        for point, port in zip(self.points, ports, strict=True):
            (place / "devices" / f"p{point}.toml").write_text(
                f'id = "p{point}"\ngroup = "g{point}"\nprofile = "epson-80"\n'
                f'[transport]\ntype = "tcp"\nhost = "127.0.0.1"\nport = {port}\n',
                "utf-8",
            )
        self.dead = self.points[-1] if dead else ""
        words = [str(port) for port in ports]
        if dead:
            words.insert(-1, "--dead")
        _printers(fleet, "printers-dead" if dead else "printers", place / "tally", words)
        _daemon(town)
        self._seed = 500 if dead else 900

    def round(self, seconds: float) -> float:
        """Load it; return the p99 of the queue time in ms."""
        self._seed += 1
        first = self.town.count("SELECT coalesce(max(id), 0) FROM print_job") + 1
        count = int(seconds * PRINTERS * PER_PRINTER_S)
        calls = _calls(self.town, self.points, count, seed=self._seed)
        _load(self.town, calls, rate=PRINTERS * PER_PRINTER_S)
        mine = f"id >= {first} AND device_group <> 'g{self.dead}'"
        wait_until(
            lambda: self.town.count(
                f"SELECT count(*) FROM print_job WHERE {mine} AND state IN ('due', 'streaming')"
            ) == 0,
            "the living printers are done", timeout_s=FINISH_S,
        )  # fmt: skip
        rows = ask(
            self.town.store,
            "SELECT j.state, a.ended_at - j.created_at FROM print_job j JOIN print_attempt a"
            f" ON a.job_id = j.id WHERE j.id >= {first} AND j.device_group <> 'g{self.dead}'",
        )
        if any(state != "printed" for state, _ in rows):
            raise Failed("a sheet of a living printer was not proved: that is no figure")
        waits = sorted(ms for _, ms in rows)
        return float(waits[int(len(waits) * 0.99)])


def _fleet(place: Path, rounds: int, seconds: float) -> dict[str, Any]:
    living: list[float] = []
    with_dead: list[float] = []
    with Fleet(place / "logs") as fleet:
        sites = [(Site(place / "all", fleet, dead=False), living),
                 (Site(place / "one-dead", fleet, dead=True), with_dead)]  # fmt: skip
        for site, _ in sites:
            site.round(2.0)  # warm: probes, code, the store's first pages
        for number in range(rounds):
            for site, found in sites[:: -1 if number % 2 else 1]:
                found.append(site.round(seconds * FLEET_LONGER))
    before, after = statistics.median(living), statistics.median(with_dead)
    return {
        "fleet_p99_ms": before,
        "fleet_p99_with_dead_ms": after,
        "fleet_change": round(after / before - 1, 3),
        "fleet_rounds_ms": living,
        "fleet_rounds_with_dead_ms": with_dead,
        "printers": PRINTERS,
        "jobs_offered_per_s": PRINTERS * PER_PRINTER_S,
        "rounds": rounds,
        "round_s": seconds * FLEET_LONGER,
        "load_average": round(os.getloadavg()[0], 2),
    }


def _calls(town: Town, points: list[str], count: int, *, seed: int) -> Any:
    at = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y%m%d%H%M%S000")
    contents = [
        Content(seed=seed, unit=town.unit, point=point, kind=town.kind, at=at, wants_print=True)
        for point in points
    ]
    return tuple(contents[n % len(contents)].call(n) for n in range(count))


def _load(town: Town, calls: Any, *, rate: float) -> None:
    key = (town.place / "keys" / "caller-his.key").read_text().strip().encode()
    plan = Plan(unit=town.unit, events=calls, rate=rate)
    report = run_load(
        f"tcp:127.0.0.1:{town.port}", "his", key, count=len(calls), concurrency=8, plan=plan
    )
    if report.refused or report.acked != len(calls):
        raise Failed(f"bench: {report.summary()}")


def show(found: dict[str, Any]) -> None:
    """Print the figures for a person."""
    print(f"print: one queue, proved and durable: {found['jobs_per_s']} jobs/s")
    if found["cups_jobs_per_s"] is None:
        print(f"  CUPS raw: not measured, this machine lacks {found['cups_lacks']}")
    else:
        print(f"  CUPS raw in the same run: {found['cups_jobs_per_s']} jobs/s,"
              f" ratio {found['ratio_to_cups']}")  # fmt: skip
    print(
        f"  {found['printers']} printers, {found['jobs_offered_per_s']} jobs/s:"
        f" p99 of queue time {found['fleet_p99_ms']} ms, with one dead"
        f" {found['fleet_p99_with_dead_ms']} ms ({found['fleet_change']:+.0%},"
        f" medians of {found['rounds']} rounds)"
    )
