"""Device settings -> driver. A broken driver is a fault of that device, never of the daemon."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

from fep.domain.printing import Outcome, Paper, PrintResult
from fep.plug import load_driver
from fep.ports import Clock, Rasteriser
from fep.settings_device import DeviceSettings


class SpoolPrinter(Protocol):
    """What the spool needs of a driver: the port, and how to start and end with it.

    A driver whose device says who it is has two more: `identify()`, awaited for a value with
    `maker`, `model`, `serial`, `proof` (text, empty where it says nothing), and
    `expect(model, serial)`, after which any other device is DEV_IDENTITY at every reconnect.
    """

    takes: str

    def print(self, paper: Paper, fence_id: str) -> Awaitable[PrintResult]:
        """Print one document; never raises for a device fault."""

    def status(self) -> Awaitable[tuple[str, ...]]:
        """Return the fault codes that hold now."""

    def distrust(self) -> None:
        """Take the device's buffer for unfinished business of an earlier run."""

    def close(self) -> None:
        """Give the device back."""


class Broken:
    """Stands in for a device whose driver or settings do not work."""

    takes = "slip"

    def __init__(self, why: str) -> None:
        self.why = why

    async def print(self, paper: Paper, fence_id: str) -> PrintResult:
        """Refuse."""
        return PrintResult(Outcome.NOT_PRINTED, "DEV_CONFIG", self.why)

    async def status(self) -> tuple[str, ...]:
        """Say that the configuration is wrong."""
        return ("DEV_CONFIG",)

    def distrust(self) -> None:
        """Nothing was ever sent."""

    def close(self) -> None:
        """Nothing was ever opened."""


def make_printer(
    reactor: Any, clock: Clock, settings: DeviceSettings, rasteriser: Rasteriser
) -> SpoolPrinter:
    """Return the driver named in the settings, or `Broken` saying why not."""
    try:
        driver: Any = load_driver(settings.driver)
        options = driver.parse_options(msgspec.to_builtins(settings))
        profile = driver.load(settings.profile)
        printer: SpoolPrinter = driver.create(reactor, clock, options, rasteriser, profile)
    except Exception as error:
        # A plug-in may fail in any way; what it said is shown with the device.
        return Broken(f"{type(error).__name__}: {error}")
    return printer
