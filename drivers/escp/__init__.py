"""Form printers (套打) that speak ESC/P with 24 pins: Epson LQ, and what emulates it.

Tried on: the form printer simulator of this project only; 得实 and 映美 are taken from their
manuals' claim to emulate the LQ series. There is no acknowledgement in ESC/P.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers import transports
from drivers.escp.codec import Offset
from drivers.escp.driver import EscpPrinter, Options
from drivers.escp.profile import BadProfile, Profile, load, names
from fep.ports import Clock, Rasteriser

API_VERSION = 1
TAKES = "form"
OFFSET_MAX_MM = 50.0

__all__ = [
    "API_VERSION",
    "TAKES",
    "BadProfile",
    "EscpPrinter",
    "Offset",
    "Options",
    "Profile",
    "create",
    "load",
    "names",
    "parse_options",
]


def parse_options(raw: Mapping[str, Any]) -> Options:
    """Return options out of a device's settings: `transport`, and of `options` the offset.

    Raises:
        ValueError: A transport this driver cannot use, or an offset that is none.
    """
    own = dict(raw.get("options") or {})
    offset = Offset(_tenths(own, "offset_x_mm"), _tenths(own, "offset_y_mm"))
    if own:
        raise ValueError(f"options: unknown {min(own)}; known: offset_x_mm, offset_y_mm")
    return Options(transports.options(raw["transport"]), offset)


def create(
    reactor: Any, clock: Clock, options: Options, rasteriser: Rasteriser, profile: Profile
) -> EscpPrinter:
    """Return the driver of one printer; nothing is opened yet."""
    return EscpPrinter(reactor, clock, options, rasteriser, profile)


def _tenths(own: dict[str, Any], name: str) -> float:
    value = own.pop(name, 0.0)
    if isinstance(value, bool | str) or not -OFFSET_MAX_MM <= value <= OFFSET_MAX_MM:
        raise ValueError(f"options.{name}: a number within {OFFSET_MAX_MM:g} mm")
    return round(float(value), 1)
