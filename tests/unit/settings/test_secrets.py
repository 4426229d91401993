"""Keys are there, private and named, never written; credentials come from systemd."""

from __future__ import annotations

from pathlib import Path

import pytest

from fep.settings import SettingsError, load, read_secret, survey
from tests.unit.settings.place import Place

UNIT = "units/demo-hospital.toml"


@pytest.mark.parametrize(
    ("name", "file", "key"),
    [
        ("node.key", "fep.toml", "node.key"),
        ("unit.key", UNIT, "signer.key"),
        ("caller-his.key", "fep.toml", "callers[0].key_file"),
    ],
)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secret_that_others_may_read_is_an_error(
    place: Place, name: str, file: str, key: str, mode: int
):
    path = place.root / "keys" / name
    path.chmod(mode)

    (found,) = place.errors()

    assert (file, key) == (place.told(found)[0], found.key)
    assert f"chmod 600 {path.resolve()}" == found.suggestion
    assert f"{mode:04o}" in found.zh


@pytest.mark.parametrize("name", ["node.key", "node.crt", "unit.key", "unit.crt", "caller-his.key"])
@pytest.mark.parametrize("how", ["missing", "empty", "directory"])
def test_a_key_or_certificate_that_is_not_there_is_an_error(place: Place, name: str, how: str):
    path = place.root / "keys" / name
    path.unlink()
    if how == "empty":
        path.touch(0o600)
    elif how == "directory":
        path.mkdir(0o700)

    (found,) = place.errors()

    assert found.line > 0
    assert name in found.en


def test_a_certificate_may_be_read_by_everybody(place: Place):
    (place.root / "keys" / "unit.crt").chmod(0o644)

    assert [] == place.errors()


def test_a_platform_certificate_that_is_missing_is_weak_and_says_how_to_get_it(place: Place):
    (place.root / "keys" / "platform.crt").unlink()

    assert [] == place.errors()
    assert "--platform-cert" in place.warnings()[0].suggestion


@pytest.mark.parametrize("content", ["short", "密" * 40, "x" * 600])
def test_a_weak_or_garbled_caller_key_is_an_error(place: Place, content: str):
    (place.root / "keys" / "caller-his.key").write_text(content, "utf-8")

    assert ["callers[0].key_file"] == [problem.key for problem in place.errors()]


def test_no_message_holds_a_secret(place: Place):
    (place.root / "keys" / "caller-his.key").write_text("hunter2-hunter2", "ascii")
    (place.root / "keys" / "node.key").chmod(0o644)

    assert "hunter2" not in repr(place.errors())


def test_two_callers_with_one_key_are_weak(place: Place):
    place.add('[[callers]]\nappid = "lis"\nkey_file = "keys/caller-his.key"\n')

    assert ["callers[1].key_file"] == [problem.key for problem in place.warnings()]


def test_a_passphrase_itself_is_no_reference(place: Place):
    line = place.change('passphrase = ""', 'passphrase = "hunter2"')

    assert [("fep.toml", line, "node.passphrase")] == place.places()
    assert "hunter2" not in repr(place.errors())


def test_a_passphrase_file_is_looked_at_like_a_key(place: Place):
    place.change('passphrase = ""', 'passphrase = "file:keys/pass"', UNIT)
    assert ["signer.passphrase"] == [problem.key for problem in place.errors()]

    path = place.root / "keys" / "pass"
    path.write_text("geheim\n", "utf-8")
    path.chmod(0o600)

    (unit,) = place.load().units.values()
    assert f"file:{path.resolve()}" == unit.signer_passphrase
    assert "geheim" == read_secret(unit.signer_passphrase, Path("/nowhere"))


def test_a_credential_is_found_where_systemd_puts_it(place: Place, tmp_path_factory):
    credentials = tmp_path_factory.mktemp("credentials")
    (credentials / "unit.key").write_text("key", "ascii")
    (credentials / "unit.key").chmod(0o440)  # what an access list looks like from outside
    place.change('key = "keys/unit.key"', 'key = "credential:unit.key"', UNIT)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}

    (unit,) = load(place.config, environ).units.values()

    assert str(credentials / "unit.key") == unit.signer_key


def test_a_credential_cannot_be_checked_from_outside_and_is_not_blamed(place: Place):
    place.change('passphrase = ""', 'passphrase = "credential:unit-pass"', UNIT)

    seen = survey(place.config, {})

    assert ([], ["signer.passphrase"]) == (seen.errors, [p.key for p in seen.warnings])
    assert seen.settings is not None
    assert "credential:unit-pass" == seen.settings.units["H001"].signer_passphrase


def test_a_credential_that_systemd_did_not_give_is_an_error(place: Place, tmp_path: Path):
    place.change('key = "keys/unit.key"', 'key = "credential:unit.key"', UNIT)

    errors = survey(place.config, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).errors

    assert ["signer.key"] == [problem.key for problem in errors]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 5000])
def test_a_secret_that_is_empty_garbled_or_too_long_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "pass").write_bytes(content)

    with pytest.raises(SettingsError):
        read_secret("file:pass", tmp_path, {})


def test_a_secret_loses_its_line_end_and_nothing_else(tmp_path: Path):
    (tmp_path / "pass").write_bytes(b" a b \r\n")

    assert " a b " == read_secret("file:pass", tmp_path, {})


def test_a_secret_that_is_missing_is_refused_by_name(tmp_path: Path):
    with pytest.raises(SettingsError) as raised:
        read_secret("credential:gone", tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert "credential:gone" == raised.value.problems[0].key
