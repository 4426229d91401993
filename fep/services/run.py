"""`fepd run`: the real world around a node: reactor, signals, systemd, logs.

The only service module that takes the global reactor. The reactor's clock is made monotonic
before anything is scheduled: Twisted's default is the wall clock, and a backward step would
stall every timer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from fep import __version__, logs
from fep.domain.faults import Refused
from fep.env import RealClock, RealEntropy, calm_collector
from fep.render.rasteriser import ChildRasteriser
from fep.services.almanac import Almanac
from fep.services.node import Node
from fep.services.watch import Watch
from fep.settings import SettingsError, load

STOP_WITHIN_S = 60.0
EX_CONFIG = 78


def run(path: Path) -> int:
    """Run a node until it is told to stop; returns the exit code.

    0 after an ordered stop, 1 when it could not start, 70 after a store failure, 78 when the
    configuration is wrong (every problem is on standard error).
    """
    try:
        settings = load(path)
    except SettingsError as error:
        for problem in error.problems:
            what = f" [{problem.suggestion}]" if problem.suggestion else ""
            print(f"{problem.file}:{problem.line}: {problem.zh} / {problem.en}{what}",
                  file=sys.stderr)  # fmt: skip
        print(f"CTL_CONFIG_BAD  fepctl -c {path} config check", file=sys.stderr)
        return EX_CONFIG
    logs.configure(settings.log)
    os.umask(0o077)
    from twisted.internet import reactor as untyped

    clock = RealClock()
    reactor: Any = untyped
    reactor.seconds = clock.mono
    daemon = Daemon(reactor, clock, settings)
    reactor.callWhenRunning(daemon.start)
    reactor.run()
    return daemon.exit_code


class Daemon:
    """One node and what belongs to its process."""

    def __init__(self, reactor: Any, clock: RealClock, settings: Any) -> None:
        self._reactor = reactor
        self._log = logs.get("node")
        self._node = Node(
            settings, reactor, clock, RealEntropy(), self._log, ChildRasteriser(reactor)
        )
        self._node.on_fatal = self._fatal
        self._almanac = Almanac(reactor, self._log)
        self._watch = Watch(reactor, os.environ, lambda: not self._node.store.dead)
        self._minutes = settings.calendar.self_check_minutes
        self._close_minute = settings.calendar.day_close_minute
        self._reconcile = settings.reconcile
        self._up = False
        self.exit_code = 0

    def start(self) -> None:
        """Come up, or say why not and go."""
        # SIGTERM and SIGINT end in this trigger; the reactor waits for its Deferred.
        self._reactor.addSystemEventTrigger("before", "shutdown", self._drain)
        done = Deferred.fromCoroutine(self._node.start())
        done.addCallbacks(self._started, self._failed)

    def _started(self, _: None) -> None:
        self._up = True
        self._almanac.daily("new-day", 0, 0, self._node.new_day)
        self._almanac.daily("day-close", 0, self._close_minute, self._node.parts.accounts.new_day)
        at = self._reconcile
        self._almanac.daily("reconcile", at.hour, at.minute, self._node.parts.accounts.compare)
        self._almanac.every("self-check", self._minutes, self._node.self_check)
        self._almanac.start()
        self._node.self_check()
        calm_collector()
        self._watch.ready(f"fep {__version__}")

    def _failed(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, Refused):
            self._log.critical("node.not_started", fault=error.code, zh=error.zh, en=error.en)
            self._node.note_failure(str(error), f"{error.code} {error.zh}")
        else:
            self._log.critical("node.not_started", why=failure.getTraceback()[-3000:])
            self._node.note_failure(f"{type(error).__name__}: {error}", "")
        self.exit_code = 1
        self._reactor.stop()

    def _drain(self) -> Deferred[None] | None:
        if not self._up:
            return None
        self._watch.stopping()
        if self._almanac.running:
            self._almanac.stop()
        cut = self._reactor.callLater(STOP_WITHIN_S, self._cut)
        done = Deferred.fromCoroutine(self._node.stop("stop requested", "收到停止指令"))
        done.addErrback(lambda f: self._log.error("node.stop", failure=f.getTraceback()[-2000:]))
        return done.addBoth(lambda _: cut.cancel() if cut.active() else None)

    def _cut(self) -> None:
        """The drain took too long: leave as a crash would; the restart picks everything up."""
        self._log.error("node.stop_too_slow", limit_s=STOP_WITHIN_S)
        os._exit(75)

    def _fatal(self, _why: str) -> None:
        """The store failed: nothing may be issued, nothing can be written; systemd restarts."""
        self.exit_code = 70
        self._watch.status("store failed")
        self._reactor.callLater(0.2, os._exit, 70)
