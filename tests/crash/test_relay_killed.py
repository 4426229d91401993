"""A relay that is killed at any moment delivers every receipt exactly once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.harness.far_side import FarSide
from tests.harness.processes import Fleet, wait_until

RECEIPTS = 60
DRAIN_S = 90.0


@pytest.mark.parametrize("dialect", ["finance_rest", "cnnontax"])
def test_a_relay_killed_again_and_again_delivers_each_receipt_once(tmp_path: Path, dialect: str):
    """Answers are lost on the way, and the relay dies while calls are under way."""
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, dialect=dialect, answer_s=0.5, settle_s=0.2)
        town.found()
        province = town.start_province("--latency-ms", "40", "--lost", "0.05", "--dropped", "0.05")
        gate = town.start_gate()
        relay = town.start_relay()
        daemon = town.start_daemon()
        town.import_numbers(RECEIPTS)
        town.load("--count", str(RECEIPTS), "--concurrency", "8")

        for _ in range(2):
            before = town.report()["applied"]
            wait_until(lambda n=before: town.report()["applied"] >= min(n + 10, RECEIPTS),
                       "some are delivered", timeout_s=DRAIN_S,
                       children=[province, gate, daemon, relay])  # fmt: skip
            relay.kill()
            fleet.forget(relay)
            time.sleep(0.05)  # calls on the wire take effect behind its back
            relay = town.start_relay()
        wait_until(town.drained, "everything is answered", timeout_s=DRAIN_S,
                   children=[province, gate, daemon, relay], poll_s=0.2)  # fmt: skip

        report = town.report()
        states = town.count(
            "SELECT count(*) FROM upload WHERE state = 'applied' AND receipt_id > 0"
        )

    refs = [(one["code"], one["number"]) for one in report["receipts"]]
    assert RECEIPTS == states == len(refs) == len(set(refs))
    assert [] == report["rejected"]


def test_a_red_receipt_never_overtakes_its_blue_one(tmp_path: Path):
    """With 16 calls in flight the platform still sees blue before red, or it would refuse."""
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, reserve=60)
        town.found()
        children = [town.start_province("--latency-ms", "30"), town.start_gate(),
                    town.start_relay(), town.start_daemon()]  # fmt: skip
        # Nobody but the relay has numbers: they are fetched ahead, one a call.
        wait_until(
            lambda: town.count("SELECT coalesce(sum(last - next + 1), 0) FROM number_block") >= 40,
            "numbers were fetched ahead", timeout_s=60, children=children,
        )  # fmt: skip
        town.gate("cut")
        town.load("--count", "10", "--concurrency", "4")
        blues = [one.split("|") for one in _names(town)]
        for code, number in blues:
            town.fepctl("receipts", "reverse", f"{code}-{number}", "--reason", "test")
        town.gate("heal")
        wait_until(town.drained, "everything is answered", timeout_s=DRAIN_S, children=children,
                   poll_s=0.2)  # fmt: skip
        report = town.report()

    assert [] == report["rejected"]
    assert (20, 10, 0) == (report["applied"], len(report["reds"]), report["money_fen"])


def _names(town: FarSide) -> list[str]:
    from tests.harness.books import ask

    rows = ask(town.store, "SELECT code || '|' || number FROM receipt WHERE amount_fen > 0")
    return [str(row[0]) for row in rows]
