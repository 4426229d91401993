"""relay.toml: the far side of a gate. Owns `load_relay`.

Rules: an unknown key is an error; every problem is told at once, with file and line; paths
are relative to the directory of relay.toml; keys of a province come by reference.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.domain.platform import Why
from fep.settings_link import CarrierSettings, Seconds
from fep.settings_places import located, resolved
from fep.settings_read import read
from fep.settings_toml import Problem, SettingsError, Source, read_toml
from fep.settings_types import LogSettings, Name, Secret

RELAY_NAME = "relay.toml"
RELAY_LOCK = "relay.lock"
Party = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,16}$")]
Text = Annotated[str, Meta(max_length=100)]


class RelayPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[relay]: who we are towards the nodes, our store, and the paces of the link."""

    id: Party = "province"  # the nodes' [link] dest
    data: str = "data"
    key: str = "keys/relay.key"
    cert: str = "keys/relay.crt"
    passphrase: Secret = ""
    next_key: str = ""  # our next key and certificate: announced to every node, used once believed
    next_cert: str = ""
    ext: Annotated[str, Meta(pattern=r"^[a-z0-9]{1,8}$")] = "fpb"
    cipher: Literal["cbc", "gcm"] = "cbc"
    poll_s: Seconds = 1.0
    ack_s: Seconds = 0.3
    heartbeat_s: Seconds = 30.0
    gap_s: Seconds = 60.0
    resend_s: Seconds = 30.0
    part_timeout_s: Seconds = 900.0
    open_calls_max: Annotated[int, Meta(ge=64, le=100_000)] = 4000
    carrier: CarrierSettings = CarrierSettings()

    def __post_init__(self) -> None:
        """Refuse half a pair; msgspec names the key's place."""
        if bool(self.next_key) != bool(self.next_cert):
            raise ValueError("next_key and next_cert belong together")


class PeerPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[nodes]]: a front-end behind the gate, and the directory it is reached through."""

    id: Party
    cert: str
    directory: str = "link"


class DestinationPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[destinations]]: a platform, its dialect and how to reach it."""

    name: Name
    dialect: Literal["finance_rest", "cnnontax"]
    endpoint: Annotated[str, Meta(min_length=5)]  # Twisted client endpoint
    path: Annotated[str, Meta(pattern=r"^/[!-~]*$")] = "/"
    host: Text = ""
    app_id: Text = ""
    app_key: Secret = ""
    version: Text = ""
    sign_algorithm: Text = "1.2.156.10197.1.501"
    sign_format: Text = "DETACH"
    upper_mac: bool = False
    in_flight: Annotated[int, Meta(ge=1, le=64)] = 16
    answer_s: Seconds = 30.0
    idle_s: Seconds = 30.0
    settle_s: Seconds = 5.0
    codes: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse a word for a code that is none of ours; msgspec names the key's place."""
        known = {why.value for why in Why}
        strange = sorted(set(self.codes.values()) - known)
        if strange:
            raise ValueError(f"codes: {', '.join(strange)} ({' | '.join(sorted(known))})")


class UnitPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[units]]: how an issuing unit is known at its platform."""

    code: Name
    destination: Name
    agency_code: Annotated[str, Meta(min_length=1, max_length=60)]
    region_code: Text = ""
    place_code: Text = ""


class ReservePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[reserves]]: numbers to be fetched ahead where a platform gives one a call."""

    unit: Name
    code: Annotated[str, Meta(pattern=r"^[0-9]{8}$")]
    node: Party
    target: Annotated[int, Meta(ge=1, le=100_000)] = 200
    block: Annotated[int, Meta(ge=1, le=1000)] = 100
    every_s: Seconds = 10.0


class RelayFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of relay.toml."""

    relay: RelayPart = RelayPart()
    log: LogSettings = LogSettings()
    nodes: Annotated[tuple[PeerPart, ...], Meta(min_length=1)] = ()
    destinations: Annotated[tuple[DestinationPart, ...], Meta(min_length=1)] = ()
    units: Annotated[tuple[UnitPart, ...], Meta(min_length=1)] = ()
    reserves: tuple[ReservePart, ...] = ()


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The relay's configuration; `root` is where relative paths start."""

    root: Path
    environ: Mapping[str, str]
    file: RelayFile

    def path(self, reference: str) -> Path:
        """Return the absolute path of a file or credential."""
        return located(reference, self.root, self.environ)

    def secret(self, reference: str) -> str:
        """Return an absolute reference of a secret, empty for none."""
        return resolved(reference, self.root)


def load_relay(path: Path, environ: Mapping[str, str] = os.environ, *,
               direct: bool = False) -> RelaySettings:  # fmt: skip
    """Return the settings of relay.toml, or of the directory that holds it.

    `direct`: a front-end reads it for itself, and [[nodes]] are not needed.
    Raises SettingsError with every problem there is.
    """
    problems: list[Problem] = []
    path = (path / RELAY_NAME if path.is_dir() else path).resolve()
    source = read_toml(path, problems)
    found = read(RelayFile, source.values, source) if source is not None else None
    if source is not None and found is not None:
        _check(found, source, direct=direct)
    if problems or found is None:
        raise SettingsError(problems)
    log_file = found.log.file if found.log.file == "-" else str(path.parent / found.log.file)
    found = msgspec.structs.replace(found, log=msgspec.structs.replace(found.log, file=log_file))
    return RelaySettings(path.parent, environ, found)


def _check(found: RelayFile, source: Source, *, direct: bool) -> None:
    """Tell what names something that is not there, or names it twice."""
    rooms = {
        "nodes": [node.id for node in found.nodes],
        "destinations": [one.name for one in found.destinations],
        "units": [unit.code for unit in found.units],
    }
    for room, names in rooms.items():
        if not names and not (direct and room == "nodes"):
            source.wrong((room,), "至少要有一段", "needs at least one section")
        for place, name in enumerate(names):
            if name in names[:place]:
                source.wrong((room, place), f"重复：{name}", f"twice: {name}")
    directories = [node.directory for node in found.nodes]
    for place, directory in enumerate(directories):
        if directory in directories[:place]:
            source.wrong(("nodes", place, "directory"), "目录已被另一节点使用",
                         "the directory is another node's")  # fmt: skip
    for place, unit in enumerate(found.units):
        if unit.destination not in rooms["destinations"]:
            source.wrong(("units", place, "destination"), f"没有此平台：{unit.destination}",
                         f"no such destination: {unit.destination}")  # fmt: skip
    for place, reserve in enumerate(found.reserves):
        if reserve.unit not in rooms["units"]:
            source.wrong(("reserves", place, "unit"), f"没有此单位：{reserve.unit}",
                         f"no such unit: {reserve.unit}")  # fmt: skip
        if reserve.node not in rooms["nodes"]:
            source.wrong(("reserves", place, "node"), f"没有此节点：{reserve.node}",
                         f"no such node: {reserve.node}")  # fmt: skip
