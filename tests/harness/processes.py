"""Real processes under one roof: started, waited for with a bound, always stopped.

Used by scripts/demo, scripts/soak and the crash tests. A child dies with its parent (the
kernel's parent-death signal), so that not even SIGKILL of a script leaves one behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_S = 0.05
STOP_S = 15.0
_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl


class Failed(Exception):
    """Something that had to happen did not; the message says what and where to look."""


def _die_with_parent() -> None:
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Child:
    """One running process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Tell whether it is still there."""
        return self.process.poll() is None

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = STOP_S) -> int:
        """Ask it to stop, kill it after `timeout_s`; return its exit code."""
        if self.running:
            self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode


@dataclass
class Fleet:
    """All children of one story; leaving the context stops them, last started first."""

    logs: Path
    children: list[Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_all()

    def start(
        self, name: str, command: Sequence[str], *, environment: dict[str, str] | None = None
    ) -> Child:
        """Start a process whose output goes to `logs/name.log`."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                # A Ctrl-C is for the story, which then stops its children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def stop_all(self) -> None:
        """Stop every child, the last one first."""
        while self.children:
            self.children.pop().stop()

    def forget(self, child: Child) -> None:
        """Take a child that has ended off the list."""
        self.children.remove(child)


def run(command: Sequence[str], *, timeout_s: float = 60) -> str:
    """Run a command to its end; return its output. Raises Failed with what it said."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no answer in {timeout_s:.0f} s: {' '.join(command)}") from error
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip()[-1500:]
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return done.stdout


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    timeout_s: float,
    children: Sequence[Child] = (),
    poll_s: float = POLL_S,
) -> float:
    """Poll until true; return the seconds it took. Raises Failed, with logs, when not."""
    started = time.monotonic()
    while not condition():
        ended = [child for child in children if not child.running]
        if ended:
            raise Failed(f"{ended[0].name} ended while waiting: {what}\n{ended[0].tail()}")
        if time.monotonic() - started > timeout_s:
            tails = "\n".join(f"--- {child.name}\n{child.tail()}" for child in children)
            raise Failed(f"not within {timeout_s:.0f} s: {what}\n{tails}")
        time.sleep(poll_s)
    return time.monotonic() - started


def free_ports(count: int) -> list[int]:
    """Return loopback ports nobody uses now."""
    held = []
    for _ in range(count):
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        held.append(taken)
    ports = [taken.getsockname()[1] for taken in held]
    for taken in held:
        taken.close()
    return ports


def listens(port: int) -> bool:
    """Tell whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
