"""Long tests.

`kill`: SIGKILL the loaded daemon at random moments, restart, count what is left. The HIS runs
throughout and repeats what was not answered with the same key. At the end everything drains,
and the store is held against the HIS's file, the province's ledger and the paper. The closing
line counts violations of I1 to I6 by what they mean to a hospital.
`strike`: SIGKILL at the n-th write, sync, rename or send of one issue, for every n.
`city`: seeded days of trouble for the whole system on a fake clock.
`gate`: the link alone through a gate that loses, repeats, delays by a day and mangles, on a
fake clock, either side killed at random.
`pay`: payments at terminals: random schedules on a fake clock, and real processes killed.
`ukey`: a UKEY pulled, refusing, hanging.
`kit`: drivers whose link is cut at every n-th byte in the test run, cut at every byte.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.device import skf_storm
from tests.harness import kit_soak, ledgers, pay_soak, strike
from tests.harness.checkers import check_all
from tests.harness.processes import Child, Failed, Fleet, wait_until
from tests.harness.town import Town

ACKED_LEAST = 5_000
INFLIGHT_SHARE = 0.8
WINDOWS = 16
BLOCK = 40_000
DRAIN_S = 180.0
PRINT_EVERY = 10


@dataclass
class Run:
    """What the loop remembers: when each kill happened, by the HIS's own clock."""

    kills_ms: list[int] = field(default_factory=list)
    restart_s: list[float] = field(default_factory=list)


def acked_lines(ledger: Path) -> int:
    """Return how many acknowledgements are on disk."""
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def kill_loop(
    town: Town, run: Run, dice: random.Random, cycles: int, hospital: list[Child]
) -> None:
    """Kill and restart `cycles` times; the daemon runs at the end."""
    share = ACKED_LEAST * 1.15 / 100
    daemon = town.start_daemon()
    for cycle in range(1, cycles + 1):
        # Most kills come under load; some while the daemon is still coming up.
        if dice.random() < 0.9:
            before = acked_lines(town.ledger)
            wanted = before + round(dice.uniform(0.2, 1.8) * share)
            wait_until(
                lambda wanted=wanted: acked_lines(town.ledger) >= wanted,
                "the HIS gets answers",
                timeout_s=60,
                children=[daemon, *hospital],
                poll_s=0.01,
            )
            time.sleep(dice.uniform(0, 0.03))
        else:
            time.sleep(dice.uniform(0, 0.8))
        daemon.kill()
        run.kills_ms.append(time.time_ns() // 1_000_000)
        town.fleet.forget(daemon)
        if cycle % PRINT_EVERY == 0:
            print(f"  {cycle:4d} 次 kills, {acked_lines(town.ledger)} 笔 acked", flush=True)
        started = time.monotonic()
        late = dice.random() < 0.1 and cycle < cycles
        daemon = town.start_daemon(wait=not late)
        if not late:
            run.restart_s.append(time.monotonic() - started)
    town.wait_ready(daemon)


def inflight_kills(run: Run, told: list[ledgers.Acked]) -> int:
    """Count kills that left an event durable but unanswered, by the HIS's own file.

    After such a kill the HIS repeats the key and is told `repeated`: the event was there,
    its answer was not. A kill before any answer left what the kill before it had left.
    """
    times = sorted(acked.acked_at for acked in told)
    repeated = sorted(acked.acked_at for acked in told if acked.repeated)
    kills = [*run.kills_ms, sys.maxsize]
    count = 0
    for n, at_ms in enumerate(run.kills_ms):
        # The next kill before which anything was answered at all ends this one's share.
        until = next(
            (later for later in kills[n + 1 :] if _any_between(times, at_ms, later)), at_ms
        )
        count += _any_between(repeated, at_ms, until)
    return count


def _any_between(times: list[int], after: int, until: int) -> bool:
    return bisect_right(times, until) > bisect_right(times, after)


def closing_line(run: Run, town: Town) -> tuple[str, bool, list[str]]:
    """Return the line, whether it is good, and what is wrong."""
    told = ledgers.his(town.ledger)
    violations = check_all(town.place, town.ledger, town.report(), town.paper)
    kinds = Counter(violation.invariant for violation in violations)
    cycles, inflight = len(run.kills_ms), inflight_kills(run, told)
    refs: dict[str, set[str]] = {}
    for acked in told:
        refs.setdefault(acked.ref, set()).add(acked.key)
    acked_keys = {(acked.unit, acked.key) for acked in told}
    figures = {
        "cycles": cycles,
        "inflight": inflight,
        "acked": len(acked_keys),
        "lost": kinds["I4"],
        "doubled": kinds["I5"],
        "reused": kinds["I1"] + sum(len(keys) - 1 for keys in refs.values()),
        "gaps": kinds["I3"],
        "undelivered": kinds["I6"],
    }
    line = "soak: " + " ".join(f"{name}={value}" for name, value in figures.items())
    least = ACKED_LEAST * min(1.0, cycles / 100)
    good = not violations and inflight >= INFLIGHT_SHARE * cycles and len(acked_keys) >= least
    return line, good, [str(violation) for violation in violations]


def soak_kill(options: argparse.Namespace) -> int:
    """Run the whole of it in a directory of its own."""
    place = (options.keep or Path(tempfile.mkdtemp(prefix="fep-soak-"))).resolve()
    place.mkdir(parents=True, exist_ok=True)
    dice = random.Random(options.seed)
    started = time.monotonic()
    run = Run()
    print(f"soak kill: {options.cycles} cycles, seed {options.seed}, {place}", flush=True)
    try:
        with Fleet(place / "world" / "logs") as fleet:
            town = Town(place, fleet)
            _open(town)
            hospital = _start_his(town, options.seed)
            kill_loop(town, run, dice, options.cycles, hospital)
            for his in hospital:
                _close_his(town, his)
            _drain(town)
            fleet.stop_all()
        line, good, wrong = closing_line(run, town)
    except Failed as failed:
        print(f"soak: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    slowest = max(run.restart_s, default=0.0)
    print(f"  {time.monotonic() - started:.0f} s, slowest restart {slowest:.1f} s")
    for text in wrong[:30]:
        print(f"  {text}")
    print(line, flush=True)
    return 0 if good else 1


def soak_strike(options: argparse.Namespace) -> int:
    """Strike call after call until one cycle has no such call any more."""
    place = Path(tempfile.mkdtemp(prefix="fep-soak-")).resolve()
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        with Fleet(place / "world" / "logs") as fleet:
            town = Town(place, fleet)
            _open(town)
            for nth in range(1, options.calls + 1):
                outcome, daemon = strike.once(town, nth)
                daemon.stop()
                town.fleet.forget(daemon)
                outcomes[outcome] += 1
                found = check_all(town.place, town.ledger, town.report(), town.paper)
                wrong += [f"call {nth}: {violation}" for violation in found]
                if found or nth % PRINT_EVERY == 0:
                    print(f"  {nth:4d} {dict(outcomes)}", flush=True)
                if found or outcome == "done":
                    break
    except Failed as failed:
        print(f"soak: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(place, ignore_errors=True)
    for text in wrong[:30]:
        print(f"  {text}")
    print(f"soak: struck={outcomes['killed']} violations={len(wrong)}", flush=True)
    return 1 if wrong or not outcomes["killed"] else 0


def soak_city(options: argparse.Namespace) -> int:
    """Live through the days of many seeds."""
    # The simulated city loads the whole node into this process.
    from tests.simulation.trouble import live

    bad = []
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory(prefix="fep-soak-") as place:
            try:
                wrong = live(Path(place) / "site", seed)
            except KeyboardInterrupt:
                return 130
            except Exception as error:  # whatever a seed finds, the next one is still tried
                wrong = [f"{type(error).__name__}: {error}"]
        if wrong:
            bad.append(seed)
            print(f"  seed {seed}: {wrong[:3]}", flush=True)
    print(f"soak: seeds={options.seeds} failed={len(bad)}", flush=True)
    return 1 if bad else 0


def soak_gate(options: argparse.Namespace) -> int:
    """Torture the link; every record must have taken effect once within two hours of healing."""
    from tests.simulation.torture import runs

    shared = Path("/dev/shm")  # two hundred stores are made and thrown away
    did: Counter[str] = Counter()
    total: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        try:
            for outcome in runs(Path(place), options.runs, options.first):
                did += outcome.did
                slowest = max(slowest, outcome.healed_s)
                total.update(records=outcome.records, lost=outcome.lost, doubled=outcome.doubled,
                             stuck=outcome.stuck or int(bool(outcome.why)))  # fmt: skip
                total["runs"] += 1
                if not outcome.good:
                    print(f"  seed {outcome.seed}: {outcome}", flush=True)
                if total["runs"] % PRINT_EVERY == 0:
                    print(f"  {total['runs']:4d} 次 runs, {dict(total)}", flush=True)
        except KeyboardInterrupt:
            return 130
    print(f"  the gate: {dict(did)}; slowest healing {slowest / 60:.0f} min", flush=True)
    names = ("records", "lost", "doubled", "stuck")
    figures = " ".join(f"{name}={total[name]}" for name in names)
    print(f"soak: runs={options.runs} {figures}", flush=True)
    return 1 if total["lost"] or total["doubled"] or total["stuck"] else 0


def _open(town: Town) -> None:
    town.found()
    town.start_province()
    town.start_gate()
    town.start_printer("--no-png", "--quiet")
    daemon = town.start_daemon()
    town.grant(BLOCK)
    wait_until(town.has_numbers, "the numbers arrive", timeout_s=30, children=[daemon])
    daemon.stop()
    town.fleet.forget(daemon)


def _start_his(town: Town, seed: int) -> list[Child]:
    """Most windows want no paper: a printer is slower than a hundred windows."""
    load = ("--seconds", "3600", "--retry", "--phase", "soak")
    many = ("--concurrency", str(WINDOWS), "--seed", str(seed))
    paper = ("--concurrency", "1", "--rate", "2", "--print", "--seed", str(seed + 1))
    return [
        town.fleet.start("his", town.his(*load, *many)),
        town.fleet.start("his-paper", town.his(*load, *paper)),
    ]


def _close_his(town: Town, his: Child) -> None:
    """Let every window finish its call: SIGINT would leave some of them unanswered."""
    his.process.send_signal(signal.SIGTERM)
    try:
        his.process.wait(30)
    except subprocess.TimeoutExpired as error:
        raise Failed("the HIS does not stop") from error
    town.fleet.forget(his)


def _drain(town: Town) -> None:
    wait_until(
        town.drained,
        "everything is delivered",
        timeout_s=DRAIN_S,
        children=list(town.fleet.children),
        poll_s=0.5,
    )


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Choose the soak."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    kill = kinds.add_parser("kill", help="SIGKILL under load, again and again")
    kill.add_argument("--cycles", type=int, default=100)
    kill.add_argument("--seed", type=int, default=1)
    kill.add_argument("--keep", metavar="DIR", type=Path, help="keep the data in DIR")
    hit = kinds.add_parser("strike", help="SIGKILL at the n-th system call of one issue")
    hit.add_argument("--calls", type=int, default=400)
    city = kinds.add_parser("city", help="seeded days on a fake clock")
    city.add_argument("--seeds", type=int, default=100)
    city.add_argument("--first", type=int, default=1)
    torture = kinds.add_parser("gate", help="a gate that loses, repeats, delays and mangles")
    torture.add_argument("--runs", type=int, default=200)
    torture.add_argument("--first", type=int, default=1, help="the first seed")
    pay_soak.arguments(kinds.add_parser("pay", help="payments, and deaths with money under way"))
    skf_storm.arguments(kinds.add_parser("ukey", help="a UKEY pulled, refusing, hanging"))
    kit_soak.arguments(kinds.add_parser("kit", help="drivers, cut at every byte"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    soaks = {"kill": soak_kill, "strike": soak_strike, "city": soak_city, "gate": soak_gate,
             "pay": pay_soak.soak_pay, "ukey": skf_storm.soak_ukey,
             "kit": kit_soak.soak_kit}  # fmt: skip
    return soaks[options.what](options)


if __name__ == "__main__":
    sys.exit(main())
