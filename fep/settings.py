"""The configuration of a site: fep.toml and the files beside it, checked as a whole.

Owns `load`. Rules: an unknown key is an error; every problem is told at once, with file and
line; all relative paths are relative to the directory of fep.toml; secrets come by reference.
It never writes, and never opens a key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from fep.domain.kind import Kind, Province, Unit
from fep.settings_books import ReconcileSettings
from fep.settings_bridge import BridgeSettings
from fep.settings_callers import ROOM as CALLERS_ROOM
from fep.settings_callers import belongs
from fep.settings_check import Found, check
from fep.settings_device import DeviceSettings
from fep.settings_forms import FormSheet
from fep.settings_http import HttpSettings, TlsSettings
from fep.settings_link import LinkSettings, OfflineSettings
from fep.settings_places import located, read_secret, resolved, template_dir
from fep.settings_read import read
from fep.settings_site import KindFile, ProvinceFile, UnitFile
from fep.settings_toml import Problem, SettingsError, Source, read_toml
from fep.settings_types import (
    ApiSettings,
    CalendarSettings,
    CallerSettings,
    ClockSettings,
    FepFile,
    IssueSettings,
    LifeSettings,
    LogSettings,
    NodeSettings,
    NumbersSettings,
)
from fep.settings_web import WebSettings

__all__ = [
    "ApiSettings",
    "CalendarSettings",
    "CallerSettings",
    "ClockSettings",
    "DeviceSettings",
    "HttpSettings",
    "IssueSettings",
    "LifeSettings",
    "LinkSettings",
    "LogSettings",
    "NodeSettings",
    "NumbersSettings",
    "OfflineSettings",
    "Problem",
    "Settings",
    "SettingsError",
    "Survey",
    "TlsSettings",
    "WebSettings",
    "load",
    "read_secret",
    "survey",
    "template_dir",
]

S = TypeVar("S", bound=msgspec.Struct)
CONFIG_NAME = "fep.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """A site's configuration; every path in it is absolute."""

    root: Path
    node: NodeSettings
    log: LogSettings
    api: ApiSettings
    callers: tuple[CallerSettings, ...]
    issue: IssueSettings
    link: LinkSettings
    offline: OfflineSettings
    calendar: CalendarSettings
    devices: tuple[DeviceSettings, ...]
    units: dict[str, Unit]
    kinds: dict[str, Kind]
    provinces: dict[str, Province]
    web: WebSettings = field(default_factory=WebSettings)
    life: LifeSettings = field(default_factory=LifeSettings)
    reconcile: ReconcileSettings = field(default_factory=ReconcileSettings)
    numbers: NumbersSettings = field(default_factory=NumbersSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    bridge: BridgeSettings = field(default_factory=BridgeSettings)
    terminals: tuple[DeviceSettings, ...] = ()
    forms: dict[str, FormSheet] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there: settings unless an error forbids them, errors, and weak spots."""

    settings: Settings | None
    errors: list[Problem]
    warnings: list[Problem]


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of fep.toml, or of the directory that holds it.

    Raises SettingsError with every problem there is.
    """
    seen = survey(path, environ)
    if seen.settings is None:
        raise SettingsError(seen.errors)
    return seen.settings


def survey(path: Path, environ: Mapping[str, str] = os.environ) -> Survey:
    """Return all that can be said of a configuration; raises nothing."""
    problems: list[Problem] = []
    settings = _read(path, problems, environ)
    errors = [problem for problem in problems if not problem.weak]
    return Survey(
        None if errors else settings, errors, [problem for problem in problems if problem.weak]
    )


def callers_now(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[CallerSettings, ...]:
    """Return the callers as they are written now, whatever else of the site is wrong.

    Raises SettingsError with what is wrong of the callers.
    """
    problems: list[Problem] = []
    settings = _read(path, problems, environ)
    errors = [problem for problem in problems if not problem.weak]
    concern = [problem for problem in errors if belongs(problem.file, problem.key)]
    if concern or settings is None:
        raise SettingsError(concern or errors)
    return settings.callers


def _read(path: Path, problems: list[Problem], environ: Mapping[str, str]) -> Settings | None:
    path = (path / CONFIG_NAME if path.is_dir() else path).resolve()
    source = read_toml(path, problems)
    if source is None:
        return None
    fep = read(FepFile, source.values, source)
    root = path.parent
    broken: set[str] = set()
    found = Found(
        root=root,
        environ=environ,
        source=source,
        fep=fep if fep is not None else FepFile(),
        units=list(_room(root, "units", UnitFile, problems, broken)),
        kinds=list(_room(root, "kinds", KindFile, problems, broken)),
        provinces=list(_room(root, "provinces", ProvinceFile, problems, broken)),
        devices=list(_room(root, "devices", DeviceSettings, problems, broken)),
        broken=frozenset(broken),
        callers=list(_room(root, CALLERS_ROOM, CallerSettings, problems, broken)),
        forms=list(_room(root, "forms", FormSheet, problems, broken)),
    )
    check(found)
    return _settings(found)


def _room(
    root: Path, room: str, kind: type[S], problems: list[Problem], broken: set[str]
) -> Iterator[tuple[Source, S]]:
    """Yield the files of a directory that can be read; `broken` takes the room if one cannot."""
    for path in sorted((root / room).glob("*.toml")):
        if path.name.startswith("."):
            continue
        source = read_toml(path, problems)
        table = read(kind, source.values, source) if source is not None else None
        if source is None or table is None:
            broken.add(room)
        else:
            yield source, table


def _settings(found: Found) -> Settings:
    root, fep = found.root, found.fep

    def key(reference: Path | str) -> Path:
        return located(str(reference), root, found.environ)

    node = msgspec.structs.replace(
        fep.node, data=root / fep.node.data, key=key(fep.node.key), cert=key(fep.node.cert),
        passphrase=resolved(fep.node.passphrase, root), witness=root / fep.node.witness,
    )  # fmt: skip
    log_file = fep.log.file if fep.log.file == "-" else str(root / fep.log.file)
    return Settings(
        root=root,
        node=node,
        log=msgspec.structs.replace(fep.log, file=log_file),
        api=msgspec.structs.replace(fep.api, control=root / fep.api.control),
        callers=tuple(
            msgspec.structs.replace(
                caller,
                key_file=key(caller.key_file),
                upstream_key_file=str(key(caller.upstream_key_file))
                if caller.upstream_key_file
                else "",
            )
            for caller in (*fep.callers, *(caller for _source, caller in found.callers))
        ),
        issue=fep.issue,
        link=fep.link,
        offline=fep.offline,
        calendar=fep.calendar,
        clock=fep.clock,
        devices=tuple(d for _source, d in found.devices if d.kind == "printer"),
        terminals=tuple(d for _source, d in found.devices if d.kind == "terminal"),
        units={
            unit.code: unit.unit(
                key(unit.signer.key),
                key(unit.signer.cert),
                resolved(unit.signer.passphrase, root),
                unit.signer.places(key, root),
            )
            for _source, unit in found.units
        },
        kinds={source.path.stem: kind.kind(source.path.stem) for source, kind in found.kinds},
        provinces={
            source.path.stem: province.province(source.path.stem)
            for source, province in found.provinces
        },
        web=fep.web,
        http=fep.http,
        bridge=fep.bridge,
        tls=msgspec.structs.replace(fep.tls, cert=key(fep.tls.cert), key=key(fep.tls.key)),
        life=fep.life,
        reconcile=fep.reconcile,
        numbers=fep.numbers,
        forms={source.path.stem: form for source, form in found.forms},
    )
