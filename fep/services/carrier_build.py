"""The carrier a configuration asks for. Both sides of a gate use the same modules."""

from __future__ import annotations

from pathlib import Path

from fep.services.carrier_belt import Tools
from fep.services.carrier_lift import Lift
from fep.services.carrier_tcp import TcpCarrier
from fep.services.ferry import Ferry
from fep.settings_link import CarrierSettings


def make_carrier(tools: Tools, settings: CarrierSettings, root: Path, site: Path) -> Ferry:
    """Return a carrier over the directories in `root`, which are made; not open yet.

    Paths in `settings` are relative to `site`. Raises OSError.
    """
    limits = settings.limits()
    carrier: Ferry
    if settings.kind == "tcp":
        carrier = TcpCarrier(root, tools, settings, limits)
    elif settings.kind == "https":
        from fep.services.carrier_https import HttpsCarrier

        carrier = HttpsCarrier(root, tools, settings, limits, site)
    elif limits.any():
        carrier = Lift(root, tools, settings, limits)
    else:
        carrier = Ferry(root, settings.form)
    carrier.prepare()
    return carrier
