"""Plug-ins by name: found, or one error with the reason, whatever is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fep import plug
from fep.plug import DIALECTS, DRIVERS, PlugError, Room

GOOD = "def create(): ...\ndef load(): ...\ndef parse_options(): ...\n"
ROOM = Room("plugs_of_test", "fep.test", ("create",), frozenset({"shared"}))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory on sys.path with an empty package for plug-ins."""
    package = tmp_path / ROOM.package
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith((ROOM.package, "outside_"))]:
        del sys.modules[name]


def built_in(shelf: Path, name: str, text: str) -> None:
    """Put a plug-in into the package."""
    (shelf / ROOM.package / f"{name}.py").write_text(text, "utf-8")


def installed(shelf: Path, name: str, text: str, *, package: str = "acme") -> None:
    """Install a distribution that offers a plug-in."""
    module = f"outside_{package}_{name}"
    (shelf / f"{module}.py").write_text(text, "utf-8")
    info = shelf / f"{package}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ROOM.group}]\n{name} = {module}\n")


def reason(name: str) -> str:
    """Return why a plug-in cannot be used."""
    with pytest.raises(PlugError) as raised:
        plug.load(ROOM, name)
    assert name == raised.value.name
    return raised.value.reason


def test_the_shipped_driver_is_found():
    assert "drivers.escpos" == plug.load_driver("escpos").__name__


def test_names_are_listed_without_importing_anything(shelf: Path):
    built_in(shelf, "one", "raise SystemExit")
    built_in(shelf, "_hidden", GOOD)
    built_in(shelf, "shared", GOOD)
    installed(shelf, "two", "raise SystemExit")

    assert ("one", "two") == plug.names(ROOM)
    assert "transports" not in plug.names(DRIVERS)


def test_a_plug_in_of_another_distribution_is_found(shelf: Path):
    installed(shelf, "two", GOOD)

    assert "outside_acme_two" == plug.load(ROOM, "two").__name__


def test_a_built_in_plug_in_goes_before_one_from_outside(shelf: Path):
    built_in(shelf, "one", GOOD)
    installed(shelf, "one", GOOD)

    assert f"{ROOM.package}.one" == plug.load(ROOM, "one").__name__


def test_a_misspelt_name_is_told_with_the_nearest():
    with pytest.raises(PlugError) as raised:
        plug.load_driver("escpso")

    assert "not installed: did you mean escpos?" == raised.value.reason


@pytest.mark.parametrize("name", ["", "../x", "os.path", "Escpos", "a" * 50, "shared", "a b"])
def test_what_is_no_name_is_not_imported(shelf: Path, name: str):
    built_in(shelf, "shared", GOOD)

    assert reason(name).startswith("not the name of a plug-in")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_vendor", "needs the module no_such_vendor"),
        ("def create(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from os import no_such", "ImportError"),
        ("x = 1", "has no create()"),
        ("create = 1", "has no create()"),
        (GOOD + "API_VERSION = 9", "made for plug-in API 9, this is 1"),
    ],
)
@pytest.mark.parametrize("where", [built_in, installed])
def test_whatever_is_wrong_is_one_error_with_the_reason(shelf: Path, where, text: str, why: str):
    where(shelf, "bad", text)

    assert why in reason("bad")


def test_a_reason_names_the_line_that_failed(shelf: Path):
    built_in(shelf, "bad", "x = 1\n\n1 / 0\n")

    assert "bad.py:3" in reason("bad")


def test_two_distributions_with_one_name_are_not_guessed_between(shelf: Path):
    installed(shelf, "two", GOOD)
    installed(shelf, "two", GOOD, package="other")

    assert "offered by several" in reason("two")


def test_a_package_that_does_not_exist_has_no_plug_ins():
    assert () == plug.names(Room("no_such_package", "no.such.group", ()))
    with pytest.raises(PlugError):
        plug.load(DIALECTS, "no-such-dialect")
