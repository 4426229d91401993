"""ESC/POS receipt printers: Epson TM, Gprinter, Xprinter, HPRT, Sunmi over TCP 9100.

Tried on: the printer simulator of this project only; models named in the profiles are
taken from their manuals.
"""

from __future__ import annotations

from typing import Any

from drivers.escpos.driver import EscposPrinter, Identity, Options
from drivers.escpos.profile import BadProfile, Profile, load, names
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
]


def create(
    reactor: Any, clock: Clock, options: Options, rasteriser: Rasteriser, profile: Profile
) -> EscposPrinter:
    """Return the driver of one printer; nothing is opened yet."""
    return EscposPrinter(reactor, clock, options, rasteriser, profile)
