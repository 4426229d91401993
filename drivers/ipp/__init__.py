"""Page printers by IPP (RFC 8010, 8011): the receipt's A5 page as PDF.

Tried on: ippeveprinter of cups-ipp-utils, an implementation that is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.ipp.driver import IppPrinter, Options
from drivers.ipp.profile import BadProfile, Profile, amended, load, names
from fep.ports import Clock, Rasteriser

API_VERSION = 1
TAKES = "page"

__all__ = [
    "API_VERSION",
    "TAKES",
    "BadProfile",
    "IppPrinter",
    "Options",
    "Profile",
    "create",
    "load",
    "names",
    "parse_options",
]


def parse_options(raw: Mapping[str, Any]) -> Options:
    """Return options out of a device's settings. Raises ValueError for a foreign transport."""
    table = {name: value for name, value in raw["transport"].items() if value is not None}
    if table.pop("type") != "ipp":
        raise ValueError("transport.type: this driver speaks ipp")
    return Options(
        **table, expect_model=raw.get("expect_model", ""), quirks=raw.get("options") or {}
    )


def create(
    reactor: Any, clock: Clock, options: Options, rasteriser: Rasteriser, profile: Profile
) -> IppPrinter:
    """Return the driver of one printer; nothing is sent yet. Raises BadProfile."""
    return IppPrinter(reactor, clock, options, amended(profile, options.quirks))
