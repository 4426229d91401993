"""Faults at the n-th system call of a running daemon, by strace.

`strace` is attached when the daemon is ready, so that counting begins with the work that is
struck and not with the start. Counters of strace are per thread.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.harness.processes import Child, Failed, Fleet, wait_until

WRITES = "write,pwrite64,writev,pwritev"
SYNCS = "fsync,fdatasync"
RENAMES = "rename,renameat,renameat2"
SENDS = "sendto,sendmsg"
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
