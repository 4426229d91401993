"""`fepd run`: a node in its process, and the almanac that gives it its days."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fep import __version__, logs
from fep.env import RealClock, RealEntropy
from fep.render.rasteriser import ChildRasteriser
from fep.services.almanac import Almanac
from fep.services.node import Node
from fep.services.process import EX_CONFIG, run_service, tell_problems
from fep.settings import Settings, SettingsError, load


def run(path: Path) -> int:
    """Run a node until it is told to stop; returns the exit code.

    78 when the configuration is wrong (every problem is on standard error), else what
    `run_service` returns.
    """
    try:
        settings = load(path)
    except SettingsError as error:
        tell_problems(error)
        print(f"CTL_CONFIG_BAD  fepctl -c {path} config check", file=sys.stderr)
        return EX_CONFIG
    return run_service(settings.log, lambda reactor, clock: Daemon(reactor, clock, settings))


class Daemon:
    """One node as a service."""

    name = "node"
    title = f"fep {__version__}"

    def __init__(self, reactor: Any, clock: RealClock, settings: Settings) -> None:
        log = logs.get(self.name)
        self._settings = settings
        self._node = Node(settings, reactor, clock, RealEntropy(), log, ChildRasteriser(reactor))
        self._node.on_fatal = lambda why: self.on_fatal(why)
        self._almanac = Almanac(reactor, log)
        self.on_fatal: Callable[[str], None] = lambda why: None

    # from the process
    async def start(self) -> None:
        """Come up. Raises what `Node.start` raises."""
        await self._node.start()

    def started(self) -> None:
        """Give the node its days and its checks."""
        calendar, reconcile = self._settings.calendar, self._settings.reconcile
        accounts = self._node.parts.accounts
        self._almanac.daily("new-day", 0, 0, self._node.new_day)
        self._almanac.daily("day-close", 0, calendar.day_close_minute, accounts.new_day)
        self._almanac.daily("reconcile", reconcile.hour, reconcile.minute, accounts.compare)
        self._almanac.every("self-check", calendar.self_check_minutes, self._node.self_check)
        self._almanac.start()
        self._node.self_check()

    def not_started(self, why: str, why_zh: str) -> None:
        """Leave a note of why the start failed."""
        self._node.note_failure(why, why_zh)

    def alive(self) -> bool:
        """Say whether the store lives."""
        return not self._node.store.dead

    async def stop(self) -> None:
        """Drain, then close."""
        if self._almanac.running:
            self._almanac.stop()
        await self._node.stop("stop requested", "收到停止指令")
