"""Where time, randomness, the reactor and floats may be; who may import what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.repo.tree import ROOT, Module, modules, product

WORLD = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
    "time.sleep", "time.clock_gettime", "datetime.now", "datetime.utcnow", "datetime.today",
    "date.today", "os.urandom", "uuid.uuid1", "uuid.uuid4",
}  # fmt: skip
RANDOM_MODULES = ("random", "secrets")
# Calls that only declare: an index belongs to its table by being made.
DECLARING = {"Index"}


def _may_ask_the_world(module: Module) -> bool:
    # fep/bridge.py runs alone on a cashier's PC, where there is no env to ask.
    alone = module.name in ("fep/env.py", "fep/bridge.py")
    return alone or module.name.startswith(("fep/sim/", "fep/cli/"))


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_time_and_randomness_come_from_env_alone():
    asked = []
    for module in product():
        if _may_ask_the_world(module):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute):
                name = ".".join(_dotted(node).split(".")[-2:])
                if name in WORLD or name.split(".")[0] in RANDOM_MODULES:
                    asked.append(f"{module.name}:{node.lineno} {name}")
        asked += [
            f"{module.name}:{line} import {name}"
            for line, name in module.imports()
            if name.split(".")[0] in RANDOM_MODULES or name in WORLD
        ]

    assert [] == asked


def test_the_reactor_is_imported_where_processes_begin():
    allowed = re.compile(r"fep/services/process\.py|fep/cli/.*|fep/sim/.*|fep/testing/plugin\.py")
    taken = [
        f"{module.name}:{line}"
        for module in product()
        for line, name in module.imports()
        if name == "twisted.internet.reactor" and not allowed.fullmatch(module.name)
    ]

    assert [] == taken


def test_no_float_near_money():
    """A float literal or float() in a line that names fen or money is a rounding error."""
    near = []
    for module in product():
        lines = module.text.splitlines()
        for node in ast.walk(module.tree):
            is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
            is_call = isinstance(node, ast.Call) and _dotted(node.func) == "float"
            if (is_float or is_call) and re.search(r"fen\b|money|amount", lines[node.lineno - 1]):
                near.append(f"{module.name}:{node.lineno} {lines[node.lineno - 1].strip()}")

    assert [] == near


def test_a_module_does_nothing_on_import():
    """No statement at module level opens, prints, starts or reads anything."""
    busy = re.compile(r"\b(open|print|exec|eval|Thread|Popen|read_text|read_bytes|mkdir)$")
    doing = []
    for module in product():
        for node in module.tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                if _dotted(node.value.func) in DECLARING:
                    continue
                doing.append(f"{module.name}:{node.lineno} a bare call")
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and busy.search(_dotted(call.func)):
                    doing.append(f"{module.name}:{node.lineno} {_dotted(call.func)}")

    assert [] == doing


def test_broad_excepts_carry_their_reason():
    """`except Exception` says beside it why nothing narrower will do, or raises again."""
    silent = []
    for module in product():
        lines = module.text.splitlines()
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or _dotted(node.type) in {"Exception", "BaseException"}
            swallows = all(isinstance(child, ast.Pass | ast.Continue) for child in node.body)
            if broad and swallows and "#" not in lines[node.lineno - 1]:
                silent.append(f"{module.name}:{node.lineno}")

    assert [] == silent


@pytest.mark.timeout(120)
def test_imports_run_one_way():
    program = ROOT / ".venv" / "bin" / "lint-imports"
    command = [str(program)] if program.exists() else [sys.executable, "-m", "importlinter.cli"]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == found.returncode, found.stdout + found.stderr


def test_simulators_import_nothing_they_test():
    foreign = [
        f"{module.name}:{line} {name}"
        for module in modules("fep")
        if module.name.startswith("fep/sim/")
        for line, name in module.imports()
        if re.match(r"(fep|drivers)\.", name)
        and not re.match(r"fep\.(sim|env|logs|settings)\b", name)
    ]

    assert [] == foreign
