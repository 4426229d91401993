"""The real world around a service: reactor, signals, systemd, logs; for node and relay alike.

The only place of the services that takes the global reactor. The reactor's clock is made
monotonic before anything is scheduled: Twisted's default is the wall clock, and a backward
step would stall every timer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred

from fep import logs
from fep.domain.faults import Refused
from fep.domain.faults_desk import desk_refuse
from fep.env import RealClock, calm_collector
from fep.services.watch import Watch
from fep.settings import SettingsError
from fep.settings_types import LogSettings

STOP_WITHIN_S: Final = 60.0
EX_CONFIG: Final = 78


class Served(Protocol):
    """What runs in a process."""

    name: str  # first word of its log events
    title: str  # as systemd shows it
    on_fatal: Callable[[str], None]
    """Called by it when its store has failed."""

    async def start(self) -> None:
        """Come up. Raises Refused and whatever else keeps it down."""

    def started(self) -> None:
        """It is up: set going what belongs to the process."""

    def not_started(self, why: str, why_zh: str) -> None:
        """It did not come up: leave a note where that is possible, and no thread."""

    def alive(self) -> bool:
        """Say whether its store lives."""

    async def stop(self) -> None:
        """Drain, then close."""


def tell_problems(error: SettingsError) -> None:
    """Write every problem of a configuration to standard error."""
    for problem in error.problems:
        what = f" [{problem.suggestion}]" if problem.suggestion else ""
        print(f"{problem.file}:{problem.line}: {problem.zh} / {problem.en}{what}",
              file=sys.stderr)  # fmt: skip


def _said(error: BaseException) -> BaseException:
    """Return a file that cannot be used as the refusal a person reads, others as they are."""
    if isinstance(error, SettingsError) and error.problems:
        one = error.problems[0]
        return desk_refuse("CTL_FILE", path=one.file, why=one.en, why_zh=one.zh)
    if isinstance(error, OSError) and error.filename is not None:
        return desk_refuse("CTL_FILE", path=error.filename, why=error.strerror)
    return error


def run_service(log: LogSettings, make: Callable[[Any, RealClock], Served]) -> int:
    """Run a service until it is told to stop; returns the exit code.

    0 after an ordered stop, 1 when it could not start, 70 after a store failure.
    """
    logs.configure(log)
    os.umask(0o077)
    from twisted.internet import reactor as untyped

    clock = RealClock()
    reactor: Any = untyped
    reactor.seconds = clock.mono
    process = Process(reactor, make(reactor, clock))
    reactor.callWhenRunning(process.start)
    reactor.run()
    return process.exit_code


class Process:
    """One service and what belongs to its process."""

    def __init__(self, reactor: Any, service: Served) -> None:
        self._reactor = reactor
        self._service = service
        self._log = logs.get(service.name)
        service.on_fatal = self._fatal
        self._watch = Watch(reactor, os.environ, service.alive)
        self._up = False
        self._coming_up: Deferred[None] | None = None
        self._ending = False
        self.exit_code = 0

    def start(self) -> None:
        """Come up, or say why not and go."""
        # SIGTERM and SIGINT end in this trigger; the reactor waits for its Deferred.
        self._reactor.addSystemEventTrigger("before", "shutdown", self._drain)
        self._coming_up = Deferred.fromCoroutine(self._service.start())
        self._coming_up.addCallbacks(self._started, self._failed)

    def _started(self, _: None) -> None:
        self._up = True
        self._service.started()
        calm_collector()
        self._watch.ready(self._service.title)

    def _failed(self, failure: Any) -> None:
        error, event = _said(failure.value), f"{self._service.name}.not_started"
        if isinstance(error, Refused):
            self._log.critical(event, fault=error.code, zh=error.zh, en=error.en)
            self._service.not_started(str(error), f"{error.code} {error.zh}")
        else:
            self._log.critical(event, why=failure.getTraceback()[-3000:])
            self._service.not_started(f"{type(error).__name__}: {error}", "")
        self.exit_code = 1
        if not self._ending:
            self._reactor.stop()

    def _drain(self) -> Deferred[None]:
        self._ending = True
        cut = self._reactor.callLater(STOP_WITHIN_S, self._cut)
        done = Deferred.fromCoroutine(self._end())
        done.addErrback(
            lambda f: self._log.error(
                f"{self._service.name}.stop", failure=f.getTraceback()[-2000:]
            )
        )
        return done.addBoth(lambda _: cut.cancel() if cut.active() else None)

    async def _end(self) -> None:
        # Told to stop while it comes up: half of it is there, so it comes up first.
        assert self._coming_up is not None
        await self._coming_up
        self._watch.stopping()
        if self._up:
            await self._service.stop()

    def _cut(self) -> None:
        """The drain took too long: leave as a crash would; the restart picks everything up."""
        self._log.error(f"{self._service.name}.stop_too_slow", limit_s=STOP_WITHIN_S)
        os._exit(75)

    def _fatal(self, _why: str) -> None:
        """The store failed: nothing may be issued, nothing can be written; systemd restarts."""
        self.exit_code = 70
        self._watch.status("store failed")
        self._reactor.callLater(0.2, os._exit, 70)
