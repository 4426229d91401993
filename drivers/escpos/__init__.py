"""ESC/POS receipt printers: Epson TM, Gprinter, Xprinter, HPRT, Sunmi, over any transport.

Tried on: the printer simulator of this project only; models named in the profiles are
taken from their manuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers import transports
from drivers.escpos.driver import EscposPrinter, Identity, Options
from drivers.escpos.profile import BadProfile, Profile, amended, load, names
from fep.ports import Clock, Rasteriser

API_VERSION = 1

__all__ = [
    "API_VERSION",
    "BadProfile",
    "EscposPrinter",
    "Identity",
    "Options",
    "Profile",
    "create",
    "load",
    "names",
    "parse_options",
]


def parse_options(raw: Mapping[str, Any]) -> Options:
    """Return options out of a device's settings: `transport`, `expect_*`, and in `options` the
    keys of a profile that this device does differently.

    Raises:
        ValueError: The transport is not one this driver can use.
    """
    return Options(
        transports.options(raw["transport"]),
        raw.get("expect_model", ""),
        raw.get("expect_serial", ""),
        raw.get("options") or {},
    )


def create(
    reactor: Any, clock: Clock, options: Options, rasteriser: Rasteriser, profile: Profile
) -> EscposPrinter:
    """Return the driver of one printer; nothing is opened yet. Raises BadProfile."""
    profile = amended(profile, options.quirks, "options")
    return EscposPrinter(reactor, clock, options, rasteriser, profile)
