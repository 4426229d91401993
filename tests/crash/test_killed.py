"""kill -9 at random moments under load, and at each write, fsync, rename and send."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.harness import ledgers, strike
from tests.harness.books import read
from tests.harness.checkers import check_all
from tests.harness.processes import Child, wait_until
from tests.harness.town import Town

CYCLES = 10
# One issue cycle has about 100 calls; every fifth is struck here, all by `soak strike`.
STRUCK = tuple(range(1, 100, 5))
DRAIN_S = 60.0


def _violations(town: Town) -> list[str]:
    found = check_all(town.place, town.ledger, town.report(), town.paper)
    return [str(violation) for violation in found]


def _drain(town: Town, daemon: Child) -> None:
    wait_until(town.drained, "drained", timeout_s=DRAIN_S, children=[daemon], poll_s=0.1)


def _down(town: Town, daemon: Child) -> None:
    daemon.stop()
    town.fleet.forget(daemon)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_at_random_under_load_nothing_is_lost_or_doubled(town: Town):
    dice = random.Random(20261121)
    load = ("--seconds", "600", "--concurrency", "8", "--retry", "--seed", "11")
    his = town.fleet.start("his", town.his(*load, "--phase", "random"))
    for _cycle in range(CYCLES):
        daemon = town.start_daemon()
        wanted = len(ledgers.his(town.ledger)) + dice.randrange(5, 60)
        wait_until(
            lambda wanted=wanted: len(ledgers.his(town.ledger)) >= wanted,
            "answers", timeout_s=30, children=[daemon, his],
        )  # fmt: skip
        time.sleep(dice.uniform(0, 0.03))
        daemon.kill()
        town.fleet.forget(daemon)
    his.kill()
    town.fleet.forget(his)
    daemon = town.start_daemon()
    _drain(town, daemon)
    _down(town, daemon)

    told = ledgers.his(town.ledger)
    assert [] == _violations(town)
    assert len(told) >= 5 * CYCLES
    assert any(acked.repeated for acked in told), "no kill hit an unanswered event"


@pytest.mark.slow
@pytest.mark.skipif(not strike.available(), reason="strace is not installed")
@pytest.mark.timeout(420)
def test_killed_at_each_write_sync_rename_and_send_of_one_issue_cycle(town: Town):
    outcomes: Counter[str] = Counter()
    daemon = None
    for number in STRUCK:
        outcome, daemon = strike.once(town, number, daemon)
        outcomes[outcome] += 1

        assert [] == _violations(town), f"after SIGKILL at call {number}"
    assert daemon is not None
    _down(town, daemon)
    assert [] == _violations(town)

    assert outcomes["killed"] >= len(STRUCK) // 2, outcomes


@pytest.mark.slow
@pytest.mark.skipif(not strike.available(), reason="strace is not installed")
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("calls", "fault"),
    [("fdatasync", "error=EIO:when=1"), ("pwrite64", "error=ENOSPC:when=1"),
     ("fdatasync", "error=ENOSPC:when=2"), ("pwrite64", "error=EIO:when=3")],
)  # fmt: skip
def test_an_io_error_on_the_store_stops_issuing_until_recovery(town: Town, calls: str, fault: str):
    daemon = town.start_daemon()
    strike.attach(town.fleet, daemon, calls, fault)
    load = ("--seconds", "4", "--concurrency", "4", "--seed", fault[-1] + str(len(fault)))
    his = town.fleet.start("his", town.his(*load, "--phase", "io"))

    wait_until(lambda: not daemon.running, "the daemon stops by itself", timeout_s=20)
    stopped_ms = time.time_ns() // 1_000_000
    assert 0 != daemon.process.returncode
    assert strike.injected(town.fleet)
    issued = {row.ref for row in read(town.store)["receipt"] if row.state == "sealed"}
    wait_until(lambda: not his.running, "the HIS gives up", timeout_s=90)
    told = {acked.ref for acked in ledgers.his(town.ledger)}
    assert told <= issued

    outage = (stopped_ms, time.time_ns() // 1_000_000)
    daemon = town.start_daemon()
    _drain(town, daemon)
    _down(town, daemon)
    found = check_all(town.place, town.ledger, town.report(), town.paper, outages=(outage,))
    assert [] == [str(violation) for violation in found]
