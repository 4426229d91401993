"""Plug-ins by name: drivers of devices, dialects of business systems and provinces.

A name is looked for in the built-in package first, then among the entry points of installed
distributions (`fep.drivers`, `fep.dialects`). Rules: whatever is wrong with a plug-in is one
`PlugError` with the reason; loading one never loads another; there is no table to edit.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
import sys
import traceback
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

API_VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class PlugError(Exception):
    """A plug-in cannot be used. `reason` is one line that a technician can act on."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Room:
    """A kind of plug-in: where it lives, its entry points, and what a module must have."""

    package: str
    group: str
    needs: tuple[str, ...]
    not_plugs: frozenset[str] = frozenset()


DRIVERS = Room(
    "drivers", "fep.drivers", ("create", "load", "parse_options"),
    frozenset({"transports", "profiles"}),
)  # fmt: skip
DIALECTS = Room("fep.wire.dialects", "fep.dialects", ())


def load_driver(name: str) -> ModuleType:
    """Return the module of a device driver. Raises PlugError."""
    return load(DRIVERS, name)


def load(room: Room, name: str) -> ModuleType:
    """Return the module of a plug-in. Raises PlugError and nothing else."""
    if not _NAME.fullmatch(name) or name in room.not_plugs:
        raise PlugError(name, f"not the name of a plug-in: {_near(room, name)}")
    module = _built_in(room, name)
    if module is None:
        module = _installed(room, name)
    missing = [part for part in room.needs if not callable(getattr(module, part, None))]
    if missing:
        raise PlugError(name, f"{module.__name__} has no {', '.join(missing)}()")
    version = getattr(module, "API_VERSION", API_VERSION)
    if version != API_VERSION:
        raise PlugError(name, f"made for plug-in API {version}, this is {API_VERSION}")
    return module


def names(room: Room) -> tuple[str, ...]:
    """Return the names there are, sound or not; nothing of them is imported."""
    found = {point.name for point in entry_points(group=room.group)}
    package = sys.modules.get(room.package)
    if package is None:
        try:
            package = importlib.import_module(room.package)
        except ImportError:
            return tuple(sorted(found))
    found |= {module.name for module in pkgutil.iter_modules(package.__path__)}
    return tuple(sorted(name for name in found - room.not_plugs if not name.startswith("_")))


def _built_in(room: Room, name: str) -> ModuleType | None:
    path = f"{room.package}.{name.replace('-', '_')}"
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as missing:
        # Only the plug-in itself not being there means "look elsewhere".
        if missing.name in (path, room.package):
            return None
        raise PlugError(name, f"needs the module {missing.name}") from missing
    except Exception as broken:
        # An import runs code of a stranger; it may fail in any way.
        raise PlugError(name, _reason(broken)) from broken


def _installed(room: Room, name: str) -> ModuleType:
    points = [point for point in entry_points(group=room.group) if point.name == name]
    if not points:
        raise PlugError(name, f"not installed: {_near(room, name)}")
    if len({point.value for point in points}) > 1:
        raise PlugError(name, f"offered by several: {', '.join(map(_origin, points))}")
    try:
        module = points[0].load()
    except ModuleNotFoundError as missing:
        raise PlugError(name, f"{_origin(points[0])} needs the module {missing.name}") from missing
    except Exception as broken:
        # An import runs code of a stranger; it may fail in any way.
        raise PlugError(name, f"{_origin(points[0])}: {_reason(broken)}") from broken
    if not isinstance(module, ModuleType):
        raise PlugError(name, f"{_origin(points[0])} is not a module")
    return module


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _near(room: Room, name: str) -> str:
    known = names(room)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"


def _reason(broken: BaseException) -> str:
    frames = traceback.extract_tb(broken.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    first = (str(broken).splitlines() or [""])[0]
    return f"{type(broken).__name__}: {first}{where}"[:300]
