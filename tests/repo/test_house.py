"""The house as a whole: faults complete, no machine in it, templates and commands real."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
import string
import subprocess
import sys
import tomllib

import pytest

import fep.domain
from fep.domain.faults import CATALOGUE, Fault, fault
from tests.repo.tree import ROOT, product, tracked

# Made of pieces, so that this file does not name a machine either.
PLACES = (
    "wo" + "rk",
    "fa" + "rm",
    "ro" + "ot",
    "tm" + "p/brief",
    "op" + "t/pypi",
    "op" + "t/wheels",
)
HOSTS = ("pypi" + r"\.org", "python" + r"hosted\.org", "index" + "-url", "trusted" + "-host")


def _catalogue() -> dict[str, Fault]:
    fault("BUSY")
    return CATALOGUE.faults


def test_every_part_of_the_catalogue_is_in_the_catalogue():
    parts: list[Fault] = []
    for module in pkgutil.iter_modules(fep.domain.__path__):
        if module.name.startswith("faults_"):
            parts += importlib.import_module(f"fep.domain.{module.name}").CATALOGUE

    assert sorted(entry.code for entry in parts) == sorted(_catalogue())


def test_every_fault_speaks_both_languages_and_says_what_to_do():
    poor = []
    for code, entry in _catalogue().items():
        if not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", code) or code != entry.code:
            poor.append(f"{code}: name")
        for field in ("zh", "action_zh"):
            if not re.search(r"[\u4e00-\u9fff]", getattr(entry, field)):
                poor.append(f"{code}: {field}")
        for field in ("en", "action_en"):
            if not re.search(r"[A-Za-z]{2}", getattr(entry, field)) or re.search(
                r"[\u4e00-\u9fff]", getattr(entry, field)
            ):
                poor.append(f"{code}: {field}")

    assert [] == poor


def test_both_languages_of_a_fault_name_the_same_details():
    differing = {}
    for code, entry in _catalogue().items():
        zh = _places(entry.zh + entry.action_zh)
        en = _places(entry.en + entry.action_en)
        if zh != en:
            differing[code] = (zh, en)

    assert {} == differing


def _places(sentence: str) -> set[str]:
    return {name for _text, name, _spec, _conv in string.Formatter().parse(sentence) if name}


def test_every_fault_raised_is_in_the_catalogue():
    unknown = []
    for module in product():
        for found in re.finditer(r"\b(?:refuse|fault)\(\s*\"([A-Z][A-Z0-9_]+)\"", module.text):
            if found.group(1) not in _catalogue():
                unknown.append(f"{module.name} {found.group(1)}")

    assert [] == unknown


def test_no_file_names_a_machine_or_a_registry():
    pattern = re.compile(
        r"(?<![\w.])/(?:" + "|".join(PLACES) + r")(?:/|\b)|" + "|".join(HOSTS), re.IGNORECASE
    )
    named = []
    for name in tracked():
        raw = (ROOT / name).read_bytes()
        if b"\0" in raw[:4096]:
            continue
        for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
            if pattern.search(line):
                named.append(f"{name}:{number} {line.strip()[:80]}")

    assert [] == named


def test_lock_files_pin_and_hash_everything():
    for name in ("run", "test"):
        lock = (ROOT / "scripts" / "lock" / f"{name}.txt").read_text("ascii")
        entries = [entry for entry in re.split(r"\n(?=\S)", lock) if entry[:1].isalnum()]

        bare = [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]

        assert entries
        assert [] == bare


def test_lock_files_cover_what_setup_cfg_asks_for():
    from configparser import ConfigParser

    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    wanted = {
        "run": setup["options"]["install_requires"],
        "test": "\n".join((setup["options"]["install_requires"], extras["test"], extras["check"])),
    }

    for name, lines in wanted.items():
        lock = (ROOT / "scripts" / "lock" / f"{name}.txt").read_text("ascii")
        locked = {_canonical(found) for found in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
        asked = {_canonical(line) for line in lines.split("\n") if line.strip()}

        assert set() == asked - locked, f"run scripts/relock ({name})"


def _canonical(requirement: str) -> str:
    found = re.match(r"\s*([\w.-]+)", requirement)
    return re.sub(r"[-_.]+", "-", found.group(1)).lower() if found else ""


def test_configuration_templates_are_toml():
    templates = [name for name in tracked() if name.startswith("conf/") and name.endswith(".toml")]

    for name in templates:
        tomllib.loads((ROOT / name).read_text("utf-8"))

    rooms = {name.split("/")[1] for name in templates}
    assert {"fep.toml", "units", "kinds", "provinces", "devices"} <= rooms


def test_systemd_units_are_there_and_sound():
    units = [
        name for name in tracked() if name.startswith("systemd/") and name.endswith(".service")
    ]
    assert "systemd/fep.service" in units
    text = (ROOT / "systemd/fep.service").read_text("utf-8")
    for directive in ("Type=notify", "WatchdogSec=", "StateDirectory=", "LoadCredential",
                      "ProtectSystem=strict", "NoNewPrivileges=yes"):  # fmt: skip
        assert directive in text, directive


README_COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/|\./)?(fepctl|fepd|fepsim|scripts/\w+)\b(.*)$")


def _readme_commands() -> list[tuple[str, str]]:
    text = (ROOT / "README.md").read_text("utf-8")
    found = []
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            match = README_COMMAND.match(line.strip())
            if match:
                found.append((match.group(1), match.group(2).strip()))
    return found


def test_readme_names_scripts_that_exist_and_run():
    scripts = {program for program, _rest in _readme_commands() if program.startswith("scripts/")}

    assert {"scripts/demo", "scripts/test"} <= scripts
    for name in scripts:
        assert (ROOT / name).stat().st_mode & 0o111, name


@pytest.mark.timeout(120)
def test_readme_names_verbs_that_exist():
    tried = set()
    for program, rest in _readme_commands():
        words = [word for word in rest.split() if re.fullmatch(r"[a-z][a-z-]*", word)][:1]
        if program.startswith("scripts/") or not words or (program, words[0]) in tried:
            continue
        tried.add((program, words[0]))
        executable = shutil.which(program, path=str(ROOT / ".venv" / "bin"))
        command = [executable] if executable else [sys.executable, "-m", f"fep.cli.{program}"]

        asked = subprocess.run(
            [*command, *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )

        assert 0 == asked.returncode, (program, words, asked.stderr)
