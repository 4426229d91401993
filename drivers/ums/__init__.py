"""Driver of UMS terminals behind a vendor's POS library (`bankall`), called by a fep-bridge.

Tried on no hardware yet: the record is the one that public programs fill (facts/devices 3.2),
proved on a simulator with its own code. What is not public stands in a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers import transports
from drivers.transports import bridge
from drivers.ums.driver import Options, Ums
from drivers.ums.profile import BadProfile, Profile, load, names

__all__ = ["BadProfile", "Options", "Profile", "Ums", "create", "load", "names", "parse_options"]

_USABLE = frozenset({"bridge"})


def parse_options(raw: Mapping[str, Any]) -> Options:
    """Return options out of a device's settings; `code_…` correct the profile.

    Raises ValueError for what does not fit.
    """
    table = dict(raw.get("options") or {})
    given = [name for name in table if name.startswith("code_")]
    codes = {name.removeprefix("code_"): str(table.pop(name)) for name in given}
    Profile().with_codes(codes)
    transport = transports.options(raw["transport"], _USABLE)
    assert isinstance(transport, bridge.Options)
    if not transport.name:
        raise ValueError("transport bridge: name of the [port …] with kind = bankall")
    try:
        return Options(transport, codes=codes, **table)
    except TypeError as error:
        raise ValueError(f"options: {error}") from error


def create(reactor: Any, clock: Any, options: Options, _rasteriser: Any, profile: Profile) -> Ums:
    """Return the driver of one terminal; nothing is called yet."""
    return Ums(reactor, clock, options, profile.with_codes(options.codes))
