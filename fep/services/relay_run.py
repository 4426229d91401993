"""`fepd relay`: the real world around a relay: reactor, signals, systemd, logs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred

from fep import __version__, logs
from fep.domain.faults import Refused
from fep.env import RealClock, RealEntropy, calm_collector
from fep.services.relay import Relay
from fep.services.watch import Watch
from fep.settings import SettingsError
from fep.settings_relay import RelaySettings, load_relay

STOP_WITHIN_S: Final = 60.0
EX_CONFIG: Final = 78


def read_settings(path: Path) -> RelaySettings | None:
    """Return the settings of a relay; None when every problem is on standard error."""
    try:
        return load_relay(path)
    except SettingsError as error:
        for problem in error.problems:
            what = f" [{problem.suggestion}]" if problem.suggestion else ""
            print(f"{problem.file}:{problem.line}: {problem.zh} / {problem.en}{what}",
                  file=sys.stderr)  # fmt: skip
        return None


def run_relay(path: Path) -> int:
    """Run a relay until it is told to stop; exit codes as `fepd run` has them."""
    settings = read_settings(path)
    if settings is None:
        return EX_CONFIG
    logs.configure(settings.file.log)
    os.umask(0o077)
    from twisted.internet import reactor as untyped

    clock = RealClock()
    reactor: Any = untyped
    reactor.seconds = clock.mono
    process = RelayProcess(reactor, clock, settings)
    reactor.callWhenRunning(process.start)
    reactor.run()
    return process.exit_code


class RelayProcess:
    """One relay and what belongs to its process."""

    def __init__(self, reactor: Any, clock: RealClock, settings: RelaySettings) -> None:
        self._reactor = reactor
        self._log = logs.get("relay")
        self._relay = Relay(settings, reactor, clock, RealEntropy(), self._log)
        self._relay.on_fatal = self._fatal
        self._watch = Watch(reactor, os.environ, lambda: not self._relay.store.dead)
        self._up = False
        self.exit_code = 0

    def start(self) -> None:
        """Come up, or say why not and go."""
        self._reactor.addSystemEventTrigger("before", "shutdown", self._drain)
        done = Deferred.fromCoroutine(self._relay.start())
        done.addCallbacks(self._started, self._failed)

    def _started(self, _: None) -> None:
        self._up = True
        calm_collector()
        self._watch.ready(f"fep relay {__version__}")

    def _failed(self, failure: Any) -> None:
        error = failure.value
        why = error.code if isinstance(error, Refused) else failure.getTraceback()[-3000:]
        self._log.critical("relay.not_started", why=why)
        self.exit_code = 1
        self._reactor.callLater(0.1, os._exit, 1)

    def _drain(self) -> Deferred[None] | None:
        if not self._up:
            return None
        self._watch.stopping()
        cut = self._reactor.callLater(STOP_WITHIN_S, os._exit, 75)
        done = Deferred.fromCoroutine(self._relay.stop())
        done.addErrback(lambda f: self._log.error("relay.stop", failure=f.getTraceback()[-2000:]))
        return done.addBoth(lambda _: cut.cancel() if cut.active() else None)

    def _fatal(self, _why: str) -> None:
        self.exit_code = 70
        self._watch.status("store failed")
        self._reactor.callLater(0.2, os._exit, 70)
