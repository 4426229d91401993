"""Names to modules: drivers (and later dialects) by the name that configuration gives.

A broken plug-in is a fault of its device: `load` raises PlugError with the reason, never
what the plug-in raised, and never at import of the daemon.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from importlib.metadata import entry_points
from types import ModuleType

GROUP = "fep.drivers"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class PlugError(Exception):
    """The plug-in cannot be used; the message says why."""


def load(name: str) -> ModuleType:
    """Return the driver module `name`: ours, else one of the entry points `fep.drivers`."""
    if not _NAME.fullmatch(name):
        raise PlugError(f"not a driver name: {name!r}")
    try:
        if importlib.util.find_spec(f"drivers.{name}") is not None:
            return importlib.import_module(f"drivers.{name}")
        for entry in entry_points(group=GROUP, name=name):
            module = entry.load()
            if isinstance(module, ModuleType):
                return module
            raise PlugError(f"{name}: the entry point is no module")
    except PlugError:
        raise
    except Exception as error:
        # Foreign code may fail in any way; its device shows what it said.
        raise PlugError(f"{name}: {type(error).__name__}: {error}") from error
    raise PlugError(f"no driver is called {name!r}")
