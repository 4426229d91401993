"""The working tree as the rules see it: what git tracks, parsed once."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file; `name` is relative to the root, with slashes."""

    name: str
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function, methods and nested ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield (line, dotted name) of everything imported, `from a import b` as a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@functools.cache
def tracked() -> tuple[str, ...]:
    """Return every file of the project: tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(sorted({name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}))


@functools.cache
def modules(*rooms: str) -> tuple[Module, ...]:
    """Return the Python files below the given directories."""
    found = []
    for name in tracked():
        if name.endswith(".py") and name.split("/", 1)[0] in rooms:
            text = (ROOT / name).read_text("utf-8")
            found.append(Module(name, text, ast.parse(text)))
    return tuple(found)


def product() -> tuple[Module, ...]:
    """Return the modules that are installed: fep and drivers."""
    return modules("fep", "drivers")
