"""A platform put together from a [[destinations]] section: dialect, terms, connections."""

from __future__ import annotations

from typing import Any

from fep.ports import Clock, Entropy
from fep.services.relay_lines import FrameFraming, Framing, HttpFraming, Lines
from fep.services.relay_platform import DIALECTS, DialectPlatform
from fep.settings import read_secret
from fep.settings_relay import DestinationPart, RelaySettings
from fep.wire.dialects.province import Place, Terms


def make_platform(reactor: Any, clock: Clock, entropy: Entropy, settings: RelaySettings,
                  part: DestinationPart) -> DialectPlatform:  # fmt: skip
    """Return the platform of a section; nothing connects before the first call.

    Raises SettingsError when its key cannot be read.
    """
    key = read_secret(part.app_key, settings.root) if part.app_key else ""
    places = {
        unit.code: Place(unit.agency_code, unit.region_code, unit.place_code)
        for unit in settings.file.units
        if unit.destination == part.name
    }
    terms = Terms(
        part.app_id, key, places, part.codes, part.version, part.sign_algorithm,
        part.sign_format, part.upper_mac,
    )  # fmt: skip
    framing: Framing = FrameFraming()
    if part.dialect == "finance_rest":
        framing = HttpFraming(part.host or _host(part.endpoint), part.path)
    lines = Lines(
        reactor, part.endpoint, framing, lines_max=part.in_flight, answer_s=part.answer_s,
        idle_s=part.idle_s,
    )  # fmt: skip
    return DialectPlatform(DIALECTS[part.dialect](terms), lines, clock, entropy)


def _host(endpoint: str) -> str:
    """Return host:port of a client endpoint string, for the Host header."""
    parts = [part for part in endpoint.split(":")[1:] if "=" not in part]
    return ":".join(parts[:2]) or "localhost"
