"""Ways to a device, below the drivers: bytes there and back, and the loss of the line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.transports import bridge, lpd, serial, tcp, usblp
from drivers.transports.line import Line, Occupied, Reached, Unreachable

__all__ = ["KINDS", "Line", "Occupied", "Reached", "Unreachable", "options"]

KINDS: Mapping[str, type[Any]] = {
    "tcp": tcp.Options,
    "serial": serial.Options,
    "usblp": usblp.Options,
    "lpd": lpd.Options,
    "bridge": bridge.Options,
}


def options(raw: Mapping[str, Any], usable: frozenset[str] = frozenset(KINDS)) -> Reached:
    """Return the options out of a device's `transport` table.

    Raises:
        ValueError: An unknown type, one the driver cannot use, or a key missing or too many.
    """
    table = {name: value for name, value in raw.items() if value is not None}
    kind = table.pop("type", "tcp")
    if kind not in KINDS or kind not in usable:
        raise ValueError(f"transport.type: {kind}; usable: {', '.join(sorted(usable))}")
    try:
        made: Reached = KINDS[kind](**table)
    except TypeError as error:
        raise ValueError(f"transport {kind}: {error}") from error
    return made
