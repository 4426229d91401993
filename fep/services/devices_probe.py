"""The dry run of a device while the daemon is stopped: a reactor of our own, for one report."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from fep.env import RealClock, RealEntropy
from fep.services.devices_check import CheckReport, report
from fep.services.devices_life import DeviceLife
from fep.services.spool_devices import make_printer
from fep.settings_device import DeviceSettings

LIMIT_S = 60.0


class Quiet:
    """A log that nobody reads: the report says what there is to say."""

    def info(self, _event: str, **_keys: Any) -> None:
        """Say nothing."""

    warning = info


def probe(running: Any, settings: DeviceSettings) -> CheckReport:
    """Return what a dry run finds; blocks for a minute at most. Raises what went wrong.

    `running` is the reactor of this process, which does nothing else: none runs twice.
    """
    clock = RealClock()
    nothing: Any = None  # no store to learn into, no lines to draw
    life = DeviceLife(
        running, clock, RealEntropy(), nothing, Quiet(), settings,
        lambda told: make_printer(running, clock, told, nothing),
    )  # fmt: skip
    outcome: list[Any] = []

    def ended(result: Any) -> None:
        outcome.append(result)
        life.close()
        running.callLater(0, running.stop)

    def begin() -> None:
        done = Deferred.fromCoroutine(report(life))
        done.addTimeout(LIMIT_S, running).addBoth(ended)

    running.callWhenRunning(begin)
    running.run()
    if not outcome:  # somebody pressed Ctrl-C
        raise KeyboardInterrupt
    (result,) = outcome
    if not isinstance(result, CheckReport):
        result.raiseException()
    told: CheckReport = result
    return told
