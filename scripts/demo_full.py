"""The demonstration in full: a relay and a province that speaks its own dialect, behind a gate.

Each of daemon, gate, relay and province is killed with SIGKILL while receipts are issued, and
started again; in the end the independent ledgers must agree.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from scripts import demo
from tests.harness.far_side import FarSide
from tests.harness.processes import Child, wait_until

__all__ = ["FarSide", "tell_full"]

DRAIN_S = 120.0
HIS_S = 120.0
DOORS = {"fepd": "前置机 daemon", "gate": "网闸 gate", "relay": "中继 relay",
         "province": "平台 province"}  # fmt: skip


def tell_full(
    story: demo.Story, town: demo.Town, receipts: int, seed: int
) -> tuple[demo.Figures, list[str]]:
    """Live through the day; return the figures and everything that is wrong."""
    assert isinstance(town, FarSide)
    offline = receipts // 2
    children = _open(story, town, receipts)
    start, share = 0, (receipts - offline) // 4
    healed_ms = 0
    for victim, name in DOORS.items():
        count = share if victim != "province" else receipts - offline - 3 * share
        story.step(f"击杀 {name}", "SIGKILL while receipts are issued")
        if count:
            told = _struck(town, children, victim, start, count, seed, "online")
            story.say(f"{told['acked']} 张, 重试 {told['retried']}, p99 {told['p99_ms']} ms")
        start += count

    story.step("断开网闸", "the gate is cut and killed; the cashier does not notice")
    town.gate("cut")
    if offline:
        told = _struck(town, children, "gate", start, offline, seed, "offline")
        story.say(f"{told['acked']} 张离线开具, p99 {told['p99_ms']} ms")
    healed_ms = time.time_ns() // 1_000_000
    town.gate("heal")
    wait_until(lambda: town.report()["applied"] >= receipts, f"the province holds {receipts}",
               timeout_s=DRAIN_S, children=list(children.values()), poll_s=0.3)  # fmt: skip
    wait_until(town.drained, "printed and acknowledged", timeout_s=DRAIN_S,
               children=list(children.values()), poll_s=0.2)  # fmt: skip
    story.good(f"{receipts} 张全部上报 all delivered, all off the print queue")

    story.step("停机核对", "stop in order, then compare the independent ledgers")
    town.fleet.stop_all()
    return demo.audit(story, town, healed_ms)


def _open(story: demo.Story, town: FarSide, receipts: int) -> dict[str, Child]:
    story.step("建站", "a new site, a relay, a province")
    town.found()
    story.say(f"单位 {town.unit}, 方言 {town.dialect}, 配置 {town.config}")
    story.step("启动", "province, gate, relay, printer and front-end, each a process of its own")
    children = {
        "province": town.start_province(), "gate": town.start_gate(), "relay": town.start_relay(),
    }  # fmt: skip
    town.start_printer()
    children["fepd"] = town.start_daemon()
    town.import_numbers(receipts + 40)
    story.good(f"号段 {receipts + 40} 张")
    return children


def _struck(town: FarSide, children: dict[str, Child], victim: str, start: int, count: int,
            seed: int, phase: str) -> dict[str, Any]:  # fmt: skip
    """Issue while one process is killed and started again; return what the HIS says."""
    # A slip under way when its daemon dies is a person's to judge: that part prints nothing.
    wish = () if victim == "fepd" else ("--print",)
    command = town.his(
        "--count", str(count), "--start", str(start), "--seed", str(seed), "--phase", phase,
        *wish, "--retry", "--concurrency", "2", "--rate", str(max(5, count)),
    )  # fmt: skip
    his = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    time.sleep(0.4)
    children[victim].kill()
    town.fleet.forget(children[victim])
    time.sleep(0.3)
    children[victim] = {
        "fepd": town.start_daemon, "gate": town.start_gate, "relay": town.start_relay,
        "province": town.start_province,
    }[victim]()  # fmt: skip
    out, _ = his.communicate(timeout=HIS_S)
    told: dict[str, Any] = json.loads(out)
    return told
