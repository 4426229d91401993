"""`bench print`: one queue beside CUPS raw, and 50 printers of which one is dead.

One queue: receipts are issued through the socket faster than they print; each sheet is proved
by the printer and each outcome is durable before the next one begins. CUPS sends the bytes of
such a sheet over a raw queue to a printer of the same kind, with nothing proved. Both rates are
counted on the paper. Fleet: 50 printers at 2 jobs a second each, issued through the socket;
queue time is from the receipt to its stored outcome, of printers that live. Figures only.
"""

from __future__ import annotations

import json
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
from tests.harness.processes import Child, Failed, Fleet, free_ports, listens, wait_until
from tests.harness.town import Town, program, set_keys

PRINTERS = 50
PER_PRINTER_S = 2
BLOCK = 900_000
FEP_JOBS = 400
CUPS_JOBS = 60
FINISH_S = 120.0


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
        town.start_printer("--no-png", "--quiet")
        town.start_daemon()
        _numbers(town)
        cups, paper = (None, place / "paper") if lacking else _cups(place, fleet)
        try:
            for number in range(rounds):
                ours.append(_our_rate(town, number))
                if cups is not None:
                    theirs.append(_their_rate(cups, paper, town))
        finally:
            fleet.stop_all()
            if cups is not None:
                shutil.rmtree(cups.place, ignore_errors=True)
    rate = statistics.median(ours)
    if not theirs:
        return {"jobs_per_s": round(rate, 1), "cups_jobs_per_s": None, "ratio_to_cups": None,
                "cups_lacks": lacking, "queue_rounds": rounds}  # fmt: skip
    peer = statistics.median(theirs)
    return {
        "jobs_per_s": round(rate, 1),
        "cups_jobs_per_s": round(peer, 1),
        "ratio_to_cups": round(rate / peer, 2),
        "jobs_rounds_per_s": [round(one, 1) for one in ours],
        "cups_rounds_per_s": [round(one, 1) for one in theirs],
    }


def _town(place: Path, fleet: Fleet) -> Town:
    town = Town(place, fleet)
    town.found()
    (place / "keys" / "platform.crt").unlink()
    set_keys(town.config, "log", {"level": '"warning"'})
    return town


def _numbers(town: Town) -> None:
    town.fepctl(
        "numbers", "import", "--unit", town.unit, "--code", town.code, "--first", "0000000001",
        "--last", f"{BLOCK:010d}", "--approval", "BENCH", "--reason", "bench",
    )  # fmt: skip


def _cups(place: Path, fleet: Fleet) -> tuple[bench_cups.Cups, Path]:
    (port,) = free_ports(1)
    paper = place / "cups-paper"
    printer = fleet.start(
        "cups-printer",
        [program("fepsim"), "printer", "--port", str(port), "--paper", str(paper),
         "--no-png", "--quiet"],
    )  # fmt: skip
    wait_until(lambda: listens(port), "the printer listens", timeout_s=20, children=[printer])
    return bench_cups.Cups(Path(tempfile.mkdtemp(prefix="fep-cups-")), fleet, port), paper


def _our_rate(town: Town, number: int) -> float:
    before = _sheets(town.paper)
    _load(town, _calls(town, [town.point], FEP_JOBS, seed=100 + number), rate=0.0)
    issued = _sheets(town.paper)
    _wait_sheets(town.paper, before + FEP_JOBS)
    states = ask(town.store, "SELECT count(*) FROM print_job WHERE state <> 'printed'")
    if states[0][0]:
        sys.exit("bench: a sheet was not proved: that is no figure")
    return _rate(town.paper, issued + 1, before + FEP_JOBS)


def _their_rate(cups: bench_cups.Cups, paper: Path, town: Town) -> float:
    job = cups.place / "job.bin"
    job.write_bytes(_bytes_of_a_sheet(town))
    job.chmod(0o644)
    before = _sheets(paper)
    cups.fill(job, CUPS_JOBS)
    cups.release()
    _wait_sheets(paper, before + CUPS_JOBS)
    return _rate(paper, before + 1, before + CUPS_JOBS)


def _bytes_of_a_sheet(town: Town) -> bytes:
    """Return what our daemon sent for its last sheet, as the printer's journal has it."""
    received: list[bytes] = []
    last = b""
    with (town.paper / "journal.jsonl").open("rb") as journal:
        for line in journal:
            told = json.loads(line)
            if told["event"] == "received":
                received.append(bytes.fromhex(told["hex"]))
            elif told["event"] == "sheet":
                last, received = received[-1], []
    # Without the question for proof, which CUPS does not ask.
    return last[: last.rindex(b"\x1d(H")]


def _sheets(paper: Path) -> int:
    return sum(1 for _ in paper.glob("sheet-*.json"))


def _wait_sheets(paper: Path, count: int) -> None:
    wait_until(lambda: _sheets(paper) >= count, f"{count} sheets", timeout_s=FINISH_S)


def _rate(paper: Path, first: int, last: int) -> float:
    begun, ended = (
        json.loads((paper / f"sheet-{number:06d}.json").read_text())["at"]
        for number in (first, last)
    )
    return (last - first) / max(0.001, (ended - begun) / 1000)


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
        name = "printers-dead" if dead else "printers"
        child: Child = fleet.start(name, [sys.executable, "-m", "scripts.bench_printers", *words])
        wait_until(lambda: listens(ports[0]), "the printers listen", timeout_s=30, children=[child])
        town.start_daemon()
        _numbers(town)
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
        for _ in range(rounds):
            for site, found in sites:
                found.append(site.round(seconds))
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
        "round_s": seconds,
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
