"""`soak pay`: money under way and deaths, on a fake clock and with real processes.

Schedules: random ones by number, each site of them on a store of its own, first with a MISPOS
terminal, then with a UMS one behind a bridge. Kills: a real daemon
and two terminals, on TCP and on a serial cable; one side, or both, is killed at a random moment
of every payment. At the end the acquirer's ledgers and our books agree, or what does not is
unknown and listed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from fep.client import RemoteFault, Unreachable
from tests.harness.pos_town import PosTown
from tests.harness.processes import Failed, Fleet, wait_until

SITE, UMS_SITE = 500, 50  # schedules a site lives through; UMS leaves more that nobody knows
LATEST_S = 2.5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--schedules", type=int, default=5000)
    parser.add_argument("--first", type=int, default=1000, help="the first one's number")
    parser.add_argument("--kills", type=int, default=60, help="with real processes")
    parser.add_argument("--seed", type=int, default=1)


def soak_pay(options: argparse.Namespace) -> int:
    """Run both; 0 when nothing is wrong."""
    try:
        wrong = schedules(options.first, options.schedules)
        wrong += kills(options.kills, random.Random(options.seed)) if options.kills else []
    except Failed as failed:
        wrong = [str(failed)]
    except KeyboardInterrupt:
        return 130
    for text in wrong[:30]:
        print(f"  {text}")
    print(f"soak: schedules={options.schedules} kills={options.kills} wrong={len(wrong)}",
          flush=True)  # fmt: skip
    return 1 if wrong else 0


def schedules(first: int, count: int) -> list[str]:
    """Live through schedules on the fake clock; return what is wrong."""
    # The till and its store are loaded into this process.
    from tests.device.pay_schedules import Schedules
    from tests.device.ums_schedules import UmsSchedules

    wrong = _live(Schedules, first, count, SITE)
    return wrong + _live(UmsSchedules, first, count, UMS_SITE)


def _live(kind: type[Any], first: int, count: int, site: int) -> list[str]:
    wrong: list[str] = []
    did: Counter[str] = Counter()
    shared = Path("/dev/shm")
    for start in range(first, first + count, site):
        numbers = range(start, min(start + site, first + count))
        with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
            run = kind(Path(place))
            run.play(numbers)
            wrong += [f"{kind.__name__} {numbers}: {text}" for text in run.wrong()]
            did += run.did
            run.close()
        if (numbers.stop - first) % SITE == 0 or numbers.stop == first + count:
            print(f"  {kind.__name__} {numbers.stop - first:6d}, {len(wrong)} wrong", flush=True)
    print(f"  {dict(did)}")
    return wrong


def kills(count: int, dice: random.Random) -> list[str]:
    """Kill daemon, terminal or both with money under way; return what is wrong."""
    struck: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="fep-soak-") as place,
        Fleet(Path(place) / "world" / "logs") as fleet,
    ):
        town = PosTown(Path(place), fleet)
        town.open()
        for pos in town.terminals.values():
            pos.turn("card_s=0.6", "host_s=0.6")
        for number in range(count):
            struck[_kill(town, number, dice)] += 1
        wait_until(lambda: not _open(town), "every payment is known or listed", timeout_s=120,
                   children=[town.daemon])  # fmt: skip
        wrong = [str(violation) for violation in town.wrong()]
        unknown = [row["key"] for row in _rows(town) if row["state"] == "unknown"]
    print(f"  killed: {dict(struck)}; unknown and listed at the end: {len(unknown)}")
    return wrong


def _kill(town: PosTown, number: int, dice: random.Random) -> str:
    terminal, who = dice.choice(("pos-1", "pos-2")), dice.choice(("driver", "terminal", "both"))
    pos = town.terminals[terminal]
    asking = threading.Thread(target=_pay, args=(town, f"K{number}", terminal), daemon=True)
    asking.start()
    time.sleep(dice.uniform(0, LATEST_S))
    if who != "driver":
        pos.kill()
    if who != "terminal":
        town.again()
    if who != "driver":
        pos.start("card_s=0.6", "host_s=0.6")
    asking.join(30)
    return who


def _pay(town: PosTown, key: str, terminal: str) -> None:
    try:
        town.pay(key, "1.00", terminal, wait_s=5)
    except (RemoteFault, Unreachable, OSError):
        return


def _rows(town: PosTown) -> list[dict[str, str]]:
    told = json.loads(town.fepctl("payments", "list", "--limit", "500", "--json"))
    return list(told["payments"])


def _open(town: PosTown) -> list[str]:
    """Return what is under way, and what is unknown and was not asked for since the start."""
    rows = _rows(town)
    asked = json.loads(town.fepctl("payments", "terminals", "--json"))["terminals"]
    late = [row["id"] for row in asked if row["state"] in ("recovering", "busy")]
    return [row["key"] for row in rows if row["state"] in ("created", "sent", "acked")] + late
