"""One device file of conf/devices: where a printer is, what it is, which group it serves.

An unknown key is an error. Differences that are numbers live in drivers/profiles, not here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class TransportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach it. `shared`: give the socket back between jobs."""

    host: str
    type: Literal["tcp"] = "tcp"
    port: Port = 9100
    connect_timeout_s: Seconds = 3.0
    connect_tries: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    reopen_gap_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.2
    shared: bool = False


class DeviceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device. `expect_*` empty means: not checked."""

    id: Name
    group: Name
    transport: TransportSettings
    driver: Name = "escpos"
    profile: Name = "epson-80"
    expect_model: str = ""
    expect_serial: str = ""
    poll_s: Seconds = 10.0
    enabled: bool = True


def parse_device(text: str) -> DeviceSettings:
    """Return the device written in `text` (TOML).

    Raises:
        msgspec.ValidationError: An unknown key, a missing one, or a value out of range.
        msgspec.DecodeError: Not TOML.
    """
    return msgspec.toml.decode(text, type=DeviceSettings)
