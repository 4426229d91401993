"""[signer] and [signer.standby]: a key file or a UKEY, and every mistake is told at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fep.crypto.skf import Profile
from fep.settings import SettingsError
from fep.settings_signer import SkfFile, skf_profile
from tests.unit.settings.place import Place

UNIT = "units/demo-hospital.toml"
UKEY = """kind = "skf"
library = "libskf.so"
pin = "file:keys/unit.pin"
application = "APP"
"""


def ukey(place: Place, text: str = UKEY) -> None:
    """Write a UKEY into the unit, with library and PIN file there."""
    (place.root / "libskf.so").write_text("x")
    (place.root / "keys" / "unit.pin").write_text("12345678\n")
    (place.root / "keys" / "unit.pin").chmod(0o600)
    place.change('kind = "file"\n', text, UNIT)


def test_the_shipped_unit_has_one_signer_a_key_file(place: Place):
    (main,) = place.load().units["H001"].key_places()

    assert ("file", str(place.root / "keys/unit.key")) == (main.kind, main.key)


def test_a_ukey_is_read_with_its_paths_absolute_and_its_pin_by_reference(place: Place):
    ukey(place)

    (main,) = place.load().units["H001"].key_places()

    assert ("skf", "", str(place.root / "libskf.so"), "APP", "standard") == (
        main.kind, main.key, main.library, main.application, main.profile,
    )  # fmt: skip
    assert f"file:{place.root / 'keys/unit.pin'}" == main.passphrase


def test_a_second_signer_stands_by(place: Place):
    ukey(place)
    second = '\n[signer.standby]\nkind = "file"\nkey = "keys/unit.key"\ncert = "keys/unit.crt"\n'
    place.change("# 开票点，一段一个", f"{second}\n# 开票点，一段一个", UNIT)

    places = place.load().units["H001"].key_places()

    assert ["skf", "file"] == [each.kind for each in places]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ('kind = "skf"\nlibrary = "libskf.so"\n', "signer", "library, pin, cert"),
        (UKEY.replace("libskf.so", "none.so"), "signer.library", "there is no file"),
        (UKEY.replace("unit.pin", "none.pin"), "signer.pin", "there is no file"),
        (UKEY + 'profile = "haitai"\n', "signer.profile", "there is no profile haitai"),
        (UKEY.replace("library", "libary"), "signer.libary", "did you mean library"),
        (UKEY.replace('"file:keys/unit.pin"', '"12345678"'), "signer.pin", "must match"),
        (UKEY.replace("skf", "usb"), "signer.kind", "none of"),
    ],
)
def test_a_mistake_in_a_signer_is_told(place: Place, text: str, key: str, said: str):
    ukey(place, text)

    found = [problem for problem in place.errors() if problem.key == key]

    assert [True] == [said in problem.en for problem in found]
    assert all("12345678" not in str(problem) for problem in place.errors())


def test_a_second_signer_without_its_kind_is_told(place: Place):
    place.change("# 开票点", '[signer.standby]\nkey = "keys/unit.key"\n# 开票点', UNIT)

    assert ["signer.standby"] == [problem.key for problem in place.errors()]


def test_a_pin_file_that_others_may_read_is_an_error(place: Place):
    ukey(place)
    (place.root / "keys" / "unit.pin").chmod(0o644)

    assert ["signer.pin"] == [problem.key for problem in place.errors()]


def test_a_profile_of_the_site_goes_before_the_shipped_one(place: Place):
    (place.root / "skf").mkdir()
    (place.root / "skf" / "standard.toml").write_text("ulong_bytes = 8\n")

    assert 8 == skf_profile(place.root, "standard").ulong_bytes
    assert skf_profile(place.root, "packed").packed


def test_a_profile_with_a_wrong_number_is_told_where_it_is_named(place: Place):
    ukey(place)
    (place.root / "skf").mkdir()
    (place.root / "skf" / "standard.toml").write_text("ulong_bytes = 5\n")

    (problem,) = place.errors()

    assert "signer.profile" == problem.key
    assert "standard.toml:1 ulong_bytes" in problem.en


def test_what_a_profile_says_is_what_the_binding_takes(tmp_path: Path):
    numbers: dict[str, Any] = skf_profile(tmp_path, "standard").numbers()

    assert set(Profile.__dataclass_fields__) == set(numbers)
    assert set(SkfFile().numbers()) == set(numbers)
    with pytest.raises(SettingsError):
        skf_profile(tmp_path, "none")
