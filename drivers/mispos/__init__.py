"""Driver of MISPOS payment terminals: UnionPay PIN-pad modules on a serial line or TCP.

Tried on no hardware yet: written after the public kit of one vendor, proved on a simulator with
its own code. What differs between vendors stands in a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers import transports
from drivers.mispos.driver import Mispos, Options
from drivers.mispos.profile import BadProfile, Profile, load, names

__all__ = [
    "BadProfile",
    "Mispos",
    "Options",
    "Profile",
    "create",
    "load",
    "names",
    "parse_options",
]

_USABLE = frozenset({"tcp", "serial"})


def parse_options(raw: Mapping[str, Any]) -> Options:
    """Return options out of a device's settings; `code_…` correct the profile.

    Raises ValueError for what does not fit.
    """
    table = dict(raw.get("options") or {})
    codes = {
        name.removeprefix("code_"): str(table.pop(name))
        for name in tuple(table)
        if name.startswith("code_")
    }
    Profile().with_codes(codes)
    try:
        return Options(transports.options(raw["transport"], _USABLE), codes=codes, **table)
    except TypeError as error:
        raise ValueError(f"options: {error}") from error


def create(
    reactor: Any, clock: Any, options: Options, _rasteriser: Any, profile: Profile
) -> Mispos:
    """Return the driver of one terminal; nothing is opened yet."""
    return Mispos(reactor, clock, options, profile.with_codes(options.codes))
