"""A daemon that calls the province itself: numbers one by one, a kill in between, a reserve."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.harness.far_side import FarSide
from tests.harness.processes import Fleet, wait_until

COUNT = 30
DRAIN_S = 60.0


def test_a_daemon_killed_while_it_calls_delivers_each_receipt_once(tmp_path: Path):
    """Numbers come from the platform one an event; answers are lost; the daemon is killed."""
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, answer_s=0.5, settle_s=0.2)
        town.found()
        town.go_direct()
        province = town.start_province("--latency-ms", "30", "--lost", "0.1")
        daemon = town.start_daemon()
        wait_until(lambda: "online" in town.fepctl("link", "--json"), "the platform answers",
                   timeout_s=20, children=[daemon, province])  # fmt: skip

        his = subprocess.Popen(
            town.his("--count", str(COUNT), "--rate", "30", "--retry", "--concurrency", "2"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.5)
        daemon.kill()
        fleet.forget(daemon)
        daemon = town.start_daemon()
        assert 0 == his.wait(60)
        wait_until(town.drained, "everything is answered", timeout_s=DRAIN_S,
                   children=[daemon, province], poll_s=0.2)  # fmt: skip
        report = town.report()
        granted = town.count("SELECT count(*) FROM number_block WHERE source = 'platform'")

    refs = {(one["code"], one["number"]) for one in report["receipts"]}
    keys = {one["event_key"] for one in report["receipts"]}
    assert COUNT == report["applied"] == len(refs) == len(keys)
    assert [] == report["rejected"]
    assert granted >= COUNT


def test_without_the_platform_the_reserve_is_used_within_two_seconds(tmp_path: Path):
    """The platform is away: a kind that may be issued offline takes from the blocks in hand."""
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, answer_s=5.0)
        town.found()
        town.go_direct()
        daemon = town.start_daemon()
        town.import_numbers(10)

        told = town.load("--count", "5")
        waiting = town.count("SELECT count(*) FROM upload WHERE state IN ('due', 'sent')")
        province = town.start_province()
        wait_until(town.drained, "everything is answered", timeout_s=DRAIN_S,
                   children=[daemon, province], poll_s=0.2)  # fmt: skip
        report = town.report()

    assert (5, 5, 5) == (told["acked"], waiting, report["applied"])
    assert told["p99_ms"] < 2900
