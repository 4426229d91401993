"""Files of a site that concern devices: a new device, a point's group. Written by the person.

Rules: the whole configuration is read back after every change; what it refuses is taken back
at once, so that a site that worked never stops working here. Comments stay.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from fep.domain.faults import refuse
from fep.env import write_durably
from fep.settings import load
from fep.settings_device import DeviceSettings, parse_device
from fep.settings_toml import SettingsError, lines_of

ROOM = "devices"
FILE_MAX_BYTES = 65536
_KINDS = ("tcp", "lpd", "serial", "usblp", "ipp", "bridge")
_GROUP = re.compile(r"(\s*group\s*=\s*)(\"(?:[^\"\\]|\\.)*\"|'[^']*')(.*)", re.DOTALL)


def device_of(root: Path, device: str) -> DeviceSettings:
    """Return a printer as its file says now. Raises Refused DEV_UNKNOWN, DEV_KIND, DEV_FILE."""
    found = None
    for path in sorted((root / ROOM).glob("*.toml")):
        try:
            settings = parse_device(path.read_text("utf-8")[:FILE_MAX_BYTES])
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            if path.stem == device:
                raise refuse("DEV_FILE", file=f"{ROOM}/{path.name}", why=error) from error
            continue
        if settings.id == device:
            found = settings
    if found is None:
        raise refuse("DEV_UNKNOWN", device=device)
    if found.kind != "printer":
        raise refuse("DEV_KIND", device=device)
    if not found.enabled:
        raise refuse("DEV_FILE", file=ROOM, why="enabled = false")
    return found


def transport_of(address: str) -> dict[str, Any]:
    """Return the [transport] table of an address as a technician writes it.

    tcp:HOST[:PORT], lpd:HOST[:PORT]/QUEUE, ipp:HOST[:PORT]/PATH, serial:PATH[@BAUD],
    usblp:PATH, bridge:BRIDGE/PORT. Raises Refused DEV_ADDRESS.
    """
    kind, _colon, rest = address.strip().partition(":")
    if kind not in _KINDS or not rest:
        raise refuse("DEV_ADDRESS", why=address[:60] or "-")
    if kind in ("serial", "usblp"):
        path, _at, baud = (
            rest.rpartition("@") if kind == "serial" and "@" in rest else (rest, "", "")
        )
        table: dict[str, Any] = {"type": kind, "path": path}
        if baud:
            table["baud"] = _number(baud, address)
        return table
    place, _slash, queue = rest.partition("/")
    if kind == "bridge":
        return {"type": kind, "bridge": place, "name": queue}
    host, port = _host(place, address)
    table = {"type": kind, "host": host}
    if port:
        table["port"] = port
    if queue and kind != "tcp":
        table["queue"] = queue
    return table


def _host(place: str, address: str) -> tuple[str, int]:
    if place.startswith("["):  # IPv6 in brackets
        host, _close, rest = place[1:].partition("]")
        return host, _number(rest[1:], address) if rest else 0
    host, colon, port = place.partition(":")
    if not host:
        raise refuse("DEV_ADDRESS", why=address[:60])
    return host, _number(port, address) if colon else 0


def _number(text: str, address: str) -> int:
    if not text.isdecimal():
        raise refuse("DEV_ADDRESS", why=address[:60])
    return int(text)


def device_text(values: dict[str, Any], transport: dict[str, Any]) -> str:
    """Return the file of a new device."""
    # A JSON string, number or truth is a TOML one.
    rows = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    rows += ["", "[transport]"]
    rows += [f"{name} = {json.dumps(value)}" for name, value in transport.items()]
    about = (
        "# 由 fepctl devices add 写成；各项的说明见随附的 devices/window-1.toml。\n"
        "# Written by fepctl devices add; every key is explained in devices/window-1.toml.\n"
    )
    return about + "\n".join(rows) + "\n"


def add_device(root: Path, text: str) -> tuple[DeviceSettings, Path]:
    """Write the file of a new device; returns it as read back.

    Raises Refused DEV_FILE, DEV_EXISTS, OSError.
    """
    try:
        settings = parse_device(text)
    except msgspec.MsgspecError as error:
        raise refuse("DEV_FILE", file=ROOM, why=error) from error
    path = root / ROOM / f"{settings.id}.toml"
    if path.exists() or any(_id(other) == settings.id for other in path.parent.glob("*.toml")):
        raise refuse("DEV_EXISTS", device=settings.id)
    _try(path, text, None, root)
    return settings, path


def _id(path: Path) -> str:
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("id")
    except (OSError, ValueError):
        return ""
    return found if isinstance(found, str) else ""


def assign_point(root: Path, unit: str, point: str, group: str) -> tuple[str, Path, str]:
    """Write a point's group into its unit's file; returns unit, file, and the text it was.

    `unit` may be empty when only one unit has the point. Raises Refused DEV_POINT, DEV_FILE.
    """
    found = [
        (values["code"], path, text, place)
        for path in sorted((root / "units").glob("*.toml"))
        for text in [path.read_text("utf-8")]
        for values in [_values(text, path)]
        for place, one in enumerate(values.get("points", ()))
        if one.get("code") == point and unit in ("", values.get("code"))
    ]
    if len(found) != 1:
        # Without --unit the point is nobody's, or that of several.
        several = "/".join(sorted(code for code, *_ in found))
        raise refuse("DEV_POINT", unit=unit or several or "units/", point=point)
    code, path, text, place = found[0]
    _try(path, _grouped(text, place, group), text, root)
    return code, path, text


def _values(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise refuse("DEV_FILE", file=f"units/{path.name}", why=error) from error


def _grouped(text: str, place: int, group: str) -> str:
    """Return the text with another group at a point; a point without one gets the line."""
    where = lines_of(text)
    lines = text.split("\n")
    value = json.dumps(group)
    at = where.get(("points", place, "group"))
    if at is None:
        lines.insert(where["points", place, "code"], f"group = {value}")
        return "\n".join(lines)
    match = _GROUP.match(lines[at - 1])
    if match is None:  # an inline table: points = [{code = …, group = …}]
        raise refuse("DEV_FILE", file="units", why=f"points[{place}]")
    lines[at - 1] = f"{match[1]}{value}{match[3]}"
    return "\n".join(lines)


def write_back(path: Path, text: str) -> None:
    """Write a file as it was before a change that was refused. Raises OSError."""
    _write(path, text)


def _write(path: Path, text: str) -> None:
    """Write a file that its owner, and whoever runs the daemon, may read as before."""
    like = path.stat() if path.exists() else None
    house = path.parent.stat()
    write_durably(path, text.encode(), mode=like.st_mode & 0o777 if like else 0o640)
    if os.geteuid() == 0:
        os.chown(path, like.st_uid if like else house.st_uid, like.st_gid if like else house.st_gid)


def _try(path: Path, text: str, before: str | None, root: Path) -> None:
    """Write a file, read the whole site back, and take the file back if that fails."""
    _write(path, text)
    try:
        load(root)
    except SettingsError as error:
        if before is None:
            path.unlink()
        else:
            write_back(path, before)
        first = error.problems[0]
        name = f"{path.parent.name}/{path.name}"
        raise refuse("DEV_FILE", file=name, why=f"{first.key}: {first.zh} ({first.en})") from error
