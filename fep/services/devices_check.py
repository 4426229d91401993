"""The dry run of a device: driver, way, identity, condition, proof. No paper is used.

Called by the device's loop between two jobs. Each line says what was found; what is wrong
bears a code of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fep.domain.device import DeviceState, blocking
from fep.services.devices_life import DeviceLife
from fep.services.spool_devices import Broken

_WAY = frozenset({
    "DEV_UNREACHABLE", "DEV_BUSY", "DEV_REFUSED", "DEV_LOST", "DEV_TIMEOUT", "DEV_PROTOCOL",
})  # fmt: skip
# What the driver's word for its proof means for a job's outcome.
PROVED = frozenset({"process_id", "fence", "ipp_job"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. `codes` are faults and warnings of the catalogue."""

    name: str
    ok: bool
    detail: str = ""
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a dry run found; `ok` when a job could be printed now."""

    device: str
    ok: bool
    state: str
    lines: tuple[Line, ...]


async def report(life: DeviceLife) -> CheckReport:
    """Look at a device without using paper; never raises for a device fault."""
    lines = await _lines(life)
    if life.life.state is DeviceState.DISABLED:
        lines = (*lines, Line("state", False, life.note.reason, ("DEV_DISABLED",)))
    elif life.life.state is DeviceState.FAILED and all(line.ok for line in lines):
        lines = (*lines, Line("state", False, "", ("DEV_FAILED",)))
    ok = all(line.ok for line in lines)
    return CheckReport(life.settings.id, ok, life.life.state.value, lines)


async def _lines(life: DeviceLife) -> tuple[Line, ...]:
    settings, printer = life.settings, life.printer
    name = f"{settings.driver} {settings.profile}"
    if isinstance(printer, Broken):
        return (Line("driver", False, f"{name}: {printer.why}", ("DEV_CONFIG",)),)
    driver = Line("driver", True, name)
    way = f"{settings.transport.type}:{settings.transport.address}"
    try:
        faults = await printer.status()
    except Exception as error:
        life.crashed(error)
        return (Line("driver", False, f"{name}: {error!r}", ("DEV_DRIVER_CRASH",)),)
    faults = life.learn(faults, proved=True)
    lost = tuple(code for code in faults if code in _WAY)
    if lost:
        return driver, Line("open", False, way, lost)
    opened = Line("open", True, way)
    if "DEV_CONFIG" in faults:
        return driver, opened, Line("settings", False, name, ("DEV_CONFIG",))
    codes = tuple(code for code in faults if not code.startswith("DEV_"))
    if blocking(codes):  # a stopped device executes no question
        return driver, opened, Line("condition", False, "", codes)
    said, detail = await _asked(printer)
    if "DEV_IDENTITY" in faults:
        return driver, opened, Line("identity", False, detail, ("DEV_IDENTITY",))
    lines = (driver, opened, Line("identity", True, detail),
             Line("condition", True, "", codes))  # fmt: skip
    proof = getattr(said, "proof", "")
    return (*lines, Line("proof", True, proof)) if proof else lines


async def _asked(printer: Any) -> tuple[Any, str]:
    """Return what the device says of itself, and as one line."""
    identify = getattr(printer, "identify", None)
    if identify is None:
        return None, ""
    try:
        said = await identify()
    except Exception as error:
        # The reason a driver gives is the detail; the condition is told by its status.
        return None, str(getattr(error, "detail", "") or error)
    return said, " ".join(part for part in (said.maker, said.model, said.serial) if part)
