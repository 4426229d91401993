"""From settings to the doors of business systems: where they are, how much they bear."""

from __future__ import annotations

from fep.services.connection import Bounds
from fep.services.intake import DoorSettings
from fep.settings import ApiSettings
from fep.settings_http import is_tls


def doors_of(api: ApiSettings) -> list[DoorSettings]:
    """Return the control socket and the doors of the socket API.

    On a plain network every frame carries its mac; TLS and this machine need none.
    """
    doors = [DoorSettings(str(api.control), control=True, frame_mac=False, token_ok=False)]
    for endpoint in api.listen:
        local = "interface=127." in endpoint or "interface=\\:\\:1" in endpoint
        tls = is_tls(endpoint)
        mac = api.frame_mac == "always" or (api.frame_mac == "auto" and not (local or tls))
        doors.append(DoorSettings(endpoint, control=False, frame_mac=mac, token_ok=local, tls=tls))
    return doors


def bounds_of(api: ApiSettings) -> Bounds:
    """Return the limits of one connection of the socket API."""
    return Bounds(
        api.max_line_bytes, api.max_outstanding, unsent_bytes=api.max_unsent_bytes,
        idle_s=api.idle_s,
    )  # fmt: skip
