"""The life of a simulator process: one at a time, until SIGTERM or SIGINT; and `ctl` for it.

Two forms: `Loop` repeats a step, `serve` runs a reactor. Nothing here knows a simulator.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import click

Step = Callable[[], Coroutine[Any, Any, None]]


def claim(lock: Path, taken: str) -> BinaryIO:
    """Lock a file and return it; closing lets go. Raises ClickException `taken`."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise click.ClickException(f"{lock.parent}: {taken}") from error
    return file


def say(**facts: object) -> None:
    """Tell on standard output, in one JSON line, that the simulator listens and where."""
    click.echo(json.dumps(facts))
    sys.stdout.flush()


def serve(reactor: Any, start: Step, stop: Step) -> None:
    """Run the reactor until it is told to stop. Raises ClickException when `start` fails."""
    from twisted.internet.defer import Deferred

    failed: list[str] = []

    def give_up(failure: Any) -> None:
        failed.append(failure.getErrorMessage())
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(start()).addErrback(give_up))
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(stop()))
    reactor.run()
    if failed:
        raise click.ClickException(failed[0])


def add_ctl(group: click.Group, about: str) -> click.Command:
    """Give a simulator its verb `ctl`, which passes an order to the running process."""

    @group.command("ctl", help=about)
    @click.option("--control", required=True, help="Unix socket path or TCP port of the simulator.")
    @click.argument("order", nargs=-1, required=True)
    def ctl(control: str, order: tuple[str, ...]) -> None:
        from fep.sim.control import ask

        try:
            answer = ask(control, order)
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{control}: {error}") from error
        if not answer.get("ok"):
            raise click.ClickException(str(answer.get("error")))
        click.echo(json.dumps(answer["state"]))

    return ctl


class Loop:
    """Holds the lock of a state directory and repeats a step until told to stop."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._stop = threading.Event()

    def __enter__(self) -> Loop:
        self._file = claim(self._lock, "already running")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def run(self, step: Callable[[], int], poll_s: float) -> None:
        """Repeat `step`; pause `poll_s` seconds whenever it had nothing to do."""
        while not self._stop.is_set():
            if step() == 0:
                self._stop.wait(poll_s)
