"""fep/bridge.py is installed by copying one file: it must need nothing but an old Python."""

from __future__ import annotations

import ast
import sys

from tests.repo.tree import ROOT, modules

BRIDGE = "fep/bridge.py"
# Of the standard library of one system only, and imported only there.
OF_WINDOWS = {"msvcrt"}


def _bridge() -> str:
    return (ROOT / BRIDGE).read_text("utf-8")


def test_the_bridge_imports_the_standard_library_alone():
    module = next(one for one in modules("fep") if one.name == BRIDGE)

    foreign = {
        name
        for _line, name in module.imports()
        if name.split(".")[0] not in sys.stdlib_module_names | OF_WINDOWS
    }

    assert set() == foreign


def test_the_bridge_is_python_3_8():
    ast.parse(_bridge(), feature_version=(3, 8))


def test_nothing_of_the_daemon_leans_on_the_bridge():
    leaning = [
        f"{module.name}:{line}"
        for module in modules("fep", "drivers")
        for line, name in module.imports()
        if name.split(".")[:2] == ["fep", "bridge"]
    ]

    assert [] == leaning
