"""One device file of conf/devices: where a printer is, what it is, which group it serves.

An unknown key is an error. Differences that are numbers live in drivers/profiles, not here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


# What each transport takes besides `type`, the first one being what it cannot do without.
TAKES = {
    "tcp": ("host", "port", "connect_timeout_s", "connect_tries", "reopen_gap_s", "shared"),
    "lpd": ("host", "port", "queue", "connect_timeout_s", "reopen_gap_s"),
    "serial": ("path", "baud", "parity", "flow", "shared"),
    "usblp": ("path", "shared"),
    "ipp": ("host", "port", "queue", "tls", "connect_timeout_s"),
    "bridge": ("bridge", "name", "queue", "shared"),
}
_PORTS = {"tcp": 9100, "lpd": 515, "ipp": 631}


class TransportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach it; None is the transport's own default. Raises ValueError for a key that
    the type does not know or lacks. `shared`: give the line back between jobs."""

    type: Literal["tcp", "serial", "usblp", "lpd", "ipp", "bridge"] = "tcp"
    host: str | None = None
    port: Port | None = None
    queue: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_./-]{1,63}$")] | None = None
    tls: bool | None = None
    connect_timeout_s: Seconds | None = None
    connect_tries: Annotated[int, msgspec.Meta(ge=1, le=10)] | None = None
    reopen_gap_s: Annotated[float, msgspec.Meta(ge=0, le=10)] | None = None
    path: Annotated[str, msgspec.Meta(pattern=r"^/dev/")] | None = None
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] | None = None
    parity: Literal["none", "even", "odd"] | None = None
    flow: Literal["none", "xonxoff", "rtscts", "dsrdtr"] | None = None
    shared: bool | None = None
    bridge: Name | None = None
    name: Name | None = None

    def __post_init__(self) -> None:
        """Compare the keys given with what the type takes."""
        takes = TAKES[self.type]
        given = [
            name
            for name in self.__struct_fields__
            if name != "type" and getattr(self, name) is not None
        ]
        foreign = [name for name in given if name not in takes]
        if foreign:
            raise ValueError(f"{self.type} takes no {foreign[0]}, only {', '.join(takes)}")
        if takes[0] not in given:
            raise ValueError(f"{self.type} needs {takes[0]}")
        if self.type == "bridge" and (self.name is None) is (self.queue is None):
            raise ValueError("bridge needs either name (a port) or queue (a print queue)")

    @property
    def address(self) -> str:
        """Return host and port, or the path of the port."""
        if self.path is not None:
            return self.path
        if self.bridge is not None:
            return f"{self.bridge}/{self.name or self.queue}"
        return f"{self.host}:{self.port or _PORTS[self.type]}"

    @property
    def may_be_off(self) -> bool:
        """Say whether a refusal may also mean that it is off, or that the port is wrong."""
        return self.type in ("tcp", "lpd")

    @property
    def lent(self) -> bool:
        """Say whether the line is given back between jobs, and not asked while idle."""
        return bool(self.shared) or self.type == "lpd" or bool(self.bridge and self.queue)


class DeviceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device. `expect_*` empty means: not checked. `options` are the driver's own. A network
    connection refused for `refused_max_s` no longer means that somebody else has the device."""

    id: Name
    group: Name
    transport: TransportSettings
    driver: Name = "escpos"
    profile: Name = "epson-80"
    expect_model: str = ""
    expect_serial: str = ""
    poll_s: Seconds = 10.0
    refused_max_s: Seconds = 60.0
    enabled: bool = True
    kind: Literal["printer", "terminal"] = "printer"
    options: dict[str, str | int | float | bool] = {}


def parse_device(text: str) -> DeviceSettings:
    """Return the device written in `text` (TOML).

    Raises:
        msgspec.ValidationError: An unknown key, a missing one, or a value out of range.
        msgspec.DecodeError: Not TOML.
    """
    return msgspec.toml.decode(text, type=DeviceSettings)
