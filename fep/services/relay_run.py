"""`fepd relay`: a relay in its process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fep import __version__, logs
from fep.env import RealClock, RealEntropy
from fep.services.process import EX_CONFIG, run_service, tell_problems
from fep.services.relay import Relay
from fep.settings import SettingsError
from fep.settings_relay import RelaySettings, load_relay


def read_settings(path: Path) -> RelaySettings | None:
    """Return the settings of a relay; None when every problem is on standard error."""
    try:
        return load_relay(path)
    except SettingsError as error:
        tell_problems(error)
        return None


def run_relay(path: Path) -> int:
    """Run a relay until it is told to stop; exit codes as `fepd run` has them."""
    settings = read_settings(path)
    if settings is None:
        return EX_CONFIG
    return run_service(
        settings.file.log, lambda reactor, clock: RelayService(reactor, clock, settings)
    )


class RelayService:
    """One relay as a service."""

    name = "relay"
    title = f"fep relay {__version__}"

    def __init__(self, reactor: Any, clock: RealClock, settings: RelaySettings) -> None:
        self._relay = Relay(settings, reactor, clock, RealEntropy(), logs.get(self.name))
        self._relay.on_fatal = lambda why: self.on_fatal(why)
        self.on_fatal: Callable[[str], None] = lambda why: None

    # from the process
    async def start(self) -> None:
        """Come up. Raises what `Relay.start` raises."""
        await self._relay.start()

    def started(self) -> None:
        """Nothing belongs to the process alone."""

    def not_started(self, _why: str, _why_zh: str) -> None:
        """Leave no thread; the log has said why."""
        self._relay.abandon()

    def alive(self) -> bool:
        """Say whether the store lives."""
        return not self._relay.store.dead

    async def stop(self) -> None:
        """Drain, then close."""
        await self._relay.stop()
