"""Faults at the n-th system call of a running daemon, by strace.

`strace` is attached when the daemon is ready, so that counting begins with the work that is
struck and not with the start. Counters of strace are per thread.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.harness.processes import Child, Failed, Fleet, wait_until
from tests.harness.town import Town

WRITES = "write,pwrite64,writev,pwritev"
SYNCS = "fsync,fdatasync"
RENAMES = "rename,renameat,renameat2"
SENDS = "sendto,sendmsg"
DRAIN_S = 60.0
CALLS = ",".join((WRITES, SYNCS, RENAMES, SENDS))


def available() -> bool:
    """Tell whether strace is here and allowed to trace."""
    return shutil.which("strace") is not None


def attach(fleet: Fleet, daemon: Child, calls: str, fault: str) -> Child:
    """Have strace inject `fault` (as `signal=KILL:when=3`) into calls of the daemon."""
    log = fleet.logs / "strace.out"
    log.unlink(missing_ok=True)
    tracer = fleet.start(
        "strace",
        [
            "strace", "-f", "-p", str(daemon.process.pid), "-o", str(log),
            "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}",
        ],
    )  # fmt: skip
    threads = Path(f"/proc/{daemon.process.pid}/task")

    def traced() -> bool:
        try:
            states = [(task / "status").read_text() for task in threads.iterdir()]
        except OSError as gone:
            raise Failed("the daemon ended before it was struck") from gone
        return all("TracerPid:\t0\n" not in state for state in states)

    wait_until(traced, "strace is attached", timeout_s=10, children=[tracer], poll_s=0.02)
    return tracer


def injected(fleet: Fleet) -> bool:
    """Tell whether an error was injected since strace was attached."""
    log = fleet.logs / "strace.out"
    return log.exists() and "(INJECTED)" in log.read_text("utf-8", "replace")


def once(town: Town, nth: int, daemon: Child | None = None, seed: int = 12) -> tuple[str, Child]:
    """Kill the daemon at the n-th call of one issue with paper and delivery, and recover.

    Strikes one that runs and has nothing to do, or a new one. Returns the outcome and the daemon
    that made all good again, which still runs and may be struck next.
    """
    daemon = daemon or town.start_daemon()
    tracer = attach(town.fleet, daemon, CALLS, f"signal=KILL:when={nth}")
    one = ("--count", "1", "--start", str(nth), "--retry", "--print", "--seed", str(seed))
    his = town.fleet.start("his", town.his(*one, "--phase", "struck"))
    wait_until(
        lambda: not daemon.running or (not his.running and town.drained()),
        "struck or done", timeout_s=30,
    )  # fmt: skip
    outcome = "done" if daemon.running else "killed"
    if outcome == "done":
        tracer.stop()
        daemon.stop()
    else:
        tracer.stop()
    for child in (tracer, daemon):
        town.fleet.forget(child)
    daemon = town.start_daemon()
    wait_until(lambda: not his.running, "the HIS has its answer", timeout_s=30, children=[daemon])
    if his.process.returncode != 0:
        raise Failed(f"the HIS was refused after the recovery\n{his.tail()}")
    town.fleet.forget(his)
    wait_until(town.drained, "drained", timeout_s=DRAIN_S, children=[daemon], poll_s=0.1)
    return outcome, daemon
