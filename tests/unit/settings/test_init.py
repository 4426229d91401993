"""`fepctl init` makes a site that the daemon takes, and never spoils one."""

from __future__ import annotations

import os
import stat
import tomllib
from configparser import ConfigParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fep.crypto import certs, keyfile
from fep.domain.faults import Refused
from fep.env import RealClock, RealEntropy
from fep.services import site
from fep.services.site import Wanted, filled, found_site, trust
from fep.settings import load, survey, template_dir
from tests.unit.settings.place import certificate, tree

MADE = {"fep.toml", "keys/unit.key", "keys/unit.crt", "keys/node.key", "keys/node.crt",
        "keys/caller-his.key"}  # fmt: skip


class Clock:
    """A clock that stands."""

    def wall(self) -> datetime:
        return datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)

    def mono(self) -> float:
        return 0.0


def made(path: Path, platform: Path | None = None, **wanted: Any) -> site.Site:
    """Make a site."""
    return found_site(path, Wanted(**wanted), platform, Clock(), RealEntropy())


def fault(work: Any, *given: Any, **more: Any) -> str:
    """Return the code of a refusal."""
    with pytest.raises(Refused) as raised:
        work(*given, **more)
    assert raised.value.zh
    assert "{" not in raised.value.en
    return raised.value.code


def test_a_new_site_is_whole_private_and_without_an_error(tmp_path: Path):
    found = made(tmp_path / "site")

    assert [] == found.errors
    copied = {
        str(file.relative_to(template_dir()))
        for room in site.ROOMS for file in (template_dir() / room).glob("*.toml")
    }  # fmt: skip
    assert MADE | copied == set(tree(tmp_path / "site"))
    for path in (tmp_path / "site").rglob("*"):
        wanted = 0o700 if path.is_dir() else 0o600
        assert wanted == stat.S_IMODE(path.stat().st_mode), path
    places = ("data", "link/out", "link/in", "link/tmp", "link/quarantine")
    assert [] == [name for name in places if not (tmp_path / "site" / name).is_dir()]


def test_modes_do_not_depend_on_the_umask(tmp_path: Path):
    before = os.umask(0o000)
    try:
        made(tmp_path / "site")
    finally:
        os.umask(before)

    open_ones = [p for p in (tmp_path / "site").rglob("*") if p.stat().st_mode & 0o077]
    assert [] == open_ones


def test_keys_fit_their_certificates_and_name_their_owner(tmp_path: Path):
    found = made(tmp_path / "site")

    settings = load(tmp_path / "site")
    unit = settings.units[found.unit]
    for key, cert, name in (
        (Path(unit.signer_key), Path(unit.signer_cert), "示范医院"),
        (settings.node.key, settings.node.cert, "node-0001"),
    ):
        read = certs.parse(cert.read_bytes())
        assert f"CN={name}" == read.subject
        assert read.public_key.point == keyfile.load_private(key.read_bytes()).public.point
        assert certs.verify_link(read, read)
        assert read.not_before <= Clock().wall() < read.not_after
    shown = {identity.name: identity.fingerprint for identity in found.identities}
    assert shown["unit"] == certs.parse(Path(unit.signer_cert).read_bytes()).fingerprint.hex()


def test_two_sites_share_no_key(tmp_path: Path):
    made(tmp_path / "a")
    made(tmp_path / "b")

    one, other = tree(tmp_path / "a" / "keys"), tree(tmp_path / "b" / "keys")

    assert [] == [name for name in one if one[name] == other[name]]


def test_the_caller_key_is_thirty_two_random_bytes_as_hex(tmp_path: Path):
    made(tmp_path / "site")

    text = (tmp_path / "site" / "keys" / "caller-his.key").read_text("ascii").strip()

    assert 32 == len(bytes.fromhex(text))


def test_what_the_operator_said_is_filled_in_and_comments_stay(tmp_path: Path):
    made(tmp_path / "site", unit_name='孝感"某"医院', unit_code="XG1", area="420900",
         party_code="12420900MB1E2X0017", node_id="node-77", port=7777)  # fmt: skip

    settings = load(tmp_path / "site")
    unit = settings.units["XG1"]
    assert ('孝感"某"医院', "420900", "hubei", "", '孝感"某"医院财务专用章') == (
        unit.name, unit.area, unit.province, unit.rec_account, unit.seal.name,
    )  # fmt: skip
    assert ("node-77", ("tcp:7777:interface=127.0.0.1",)) == (
        settings.node.id, settings.api.listen,
    )  # fmt: skip
    text = (tmp_path / "site" / "units" / "XG1.toml").read_text("utf-8")
    assert "# 开票单位代码：统一社会信用代码" in text


def test_an_area_without_a_province_file_gets_the_generic_one(tmp_path: Path):
    made(tmp_path / "site", area="130100")

    (unit,) = load(tmp_path / "site").units.values()
    assert "generic" == unit.province


def test_keys_are_encrypted_when_a_passphrase_is_given(tmp_path: Path):
    secret = tmp_path / "pass"
    secret.write_text("geheim\n")
    secret.chmod(0o600)

    found = made(tmp_path / "site", passphrase="geheim", passphrase_file=secret)

    assert [] == found.errors
    for name in ("unit.key", "node.key"):
        pem = (tmp_path / "site" / "keys" / name).read_bytes()
        assert b"ENCRYPTED" in pem
        assert keyfile.load_private(pem, "geheim")


def test_data_may_live_elsewhere(tmp_path: Path):
    found = made(tmp_path / "etc", data=tmp_path / "var")

    settings = load(tmp_path / "etc")
    assert ([], tmp_path / "var", tmp_path / "var" / "control.sock") == (
        found.errors, settings.node.data, settings.api.control,
    )  # fmt: skip
    assert str(tmp_path / "var" / "link") == settings.link.directory
    assert (tmp_path / "var" / "link" / "in").is_dir()
    assert not (tmp_path / "etc" / "data").exists()
    assert (tmp_path / "etc", tmp_path / "var") == found.homes


@pytest.mark.parametrize("name", ["fep.toml", "keys", "data", "units", "link"])
def test_a_directory_that_holds_anything_of_a_site_is_refused_untouched(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious").write_text("x")

    assert "SITE_EXISTS" == fault(made, tmp_path)
    assert {f"{name}/precious": b"x"} == tree(tmp_path)


def test_a_data_directory_of_another_site_is_refused(tmp_path: Path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "fep.db").write_text("x")

    assert "SITE_EXISTS" == fault(made, tmp_path / "etc", data=tmp_path / "var")
    assert not (tmp_path / "etc" / "fep.toml").exists()


def test_foreign_files_in_the_directory_are_left_alone(tmp_path: Path):
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "x").write_text("x")

    made(tmp_path)

    assert b"x" == tree(tmp_path)["world/x"]


def test_what_fails_half_way_leaves_nothing_behind(tmp_path: Path):
    class Broken(RealEntropy):
        def token(self, size: int) -> bytes:
            raise OSError(5, "no entropy")

    code = fault(found_site, tmp_path / "site", Wanted(), None, Clock(), Broken())

    assert "SITE_FILE" == code
    assert {} == tree(tmp_path / "site")
    made(tmp_path / "site")


def test_the_remains_of_a_killed_start_are_cleared(tmp_path: Path):
    (tmp_path / site.STAGE / "keys").mkdir(parents=True)
    (tmp_path / site.STAGE / "keys" / "unit.key").write_text("half")

    made(tmp_path)

    assert not (tmp_path / site.STAGE).exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x30\x03\x02\x01\x01", b"x" * 100_000])
def test_a_platform_certificate_that_is_none_is_refused_before_anything_is_made(
    tmp_path: Path, content: bytes
):
    (tmp_path / "bad.crt").write_bytes(content)

    assert "SITE_CERT" == fault(made, tmp_path / "site", tmp_path / "bad.crt")
    assert not (tmp_path / "site").exists()


def test_the_platform_certificate_is_imported_with_the_site(tmp_path: Path, platform: Path):
    found = made(tmp_path / "site", platform)

    wanted = certs.parse(platform.read_bytes())
    (theirs,) = [one for one in found.identities if one.name == "platform"]
    assert wanted.fingerprint.hex() == theirs.fingerprint
    assert wanted.der == certs.parse(theirs.path.read_bytes()).der
    assert [] == survey(tmp_path / "site").warnings


def test_the_platform_certificate_is_imported_into_a_site(tmp_path: Path, platform: Path):
    made(tmp_path / "site")
    before = tree(tmp_path / "site")

    found = trust(tmp_path / "site", platform, Clock())

    after = tree(tmp_path / "site")
    assert {"keys/platform.crt"} == {name for name in after if after[name] != before.get(name)}
    assert [certs.parse(platform.read_bytes()).fingerprint.hex()] == [
        one.fingerprint for one in found.identities
    ]


def test_a_replaced_platform_certificate_is_kept_aside(tmp_path: Path, platform: Path):
    made(tmp_path / "site", platform)
    old = (tmp_path / "site" / "keys" / "platform.crt").read_bytes()

    found = trust(tmp_path / "site", certificate(tmp_path / "new.crt"), Clock())
    again = trust(tmp_path / "site", tmp_path / "new.crt", Clock())

    assert "platform-20261121090000.crt" == (found.kept.name if found.kept else "")
    assert old == found.kept.read_bytes()
    assert again.kept is None


def test_our_own_certificate_is_not_the_platform(tmp_path: Path):
    made(tmp_path / "site")

    own = tmp_path / "site" / "keys" / "node.crt"

    assert "SITE_CERT_OWN" == fault(trust, tmp_path / "site", own, Clock())
    assert not (tmp_path / "site" / "keys" / "platform.crt").exists()


def test_a_directory_that_is_no_site_takes_no_certificate(tmp_path: Path, platform: Path):
    assert "SITE_NONE" == fault(trust, tmp_path, platform, RealClock())


def test_filling_in_changes_the_named_lines_alone():
    text = '# a\nx = 1 \n[t]\n  y = "old" # gone\n# b\nz = [\n 1]\n'

    assert '# a\nx = 1 \n[t]\n  y = "n\\"w"\n# b\nz = [\n 1]\n' == filled(text, {("t", "y"): 'n"w'})
    with pytest.raises(KeyError):
        filled(text, {("t", "q"): "x"})


def test_templates_are_there_for_an_installation_too(tmp_path: Path):
    """setup.cfg ships every template that the checkout has."""
    setup = ConfigParser()
    setup.optionxform = str  # type: ignore[method-assign,assignment]  # keys are paths
    setup.read(template_dir().parent / "setup.cfg", encoding="utf-8")
    shipped = setup["options.data_files"]
    for room in ("units", "kinds", "provinces", "devices"):
        assert f"conf/{room}/*" == shipped[f"share/fep/conf/{room}"].strip()
    files = sorted(path.name for path in template_dir().glob("*.toml"))
    assert ", ".join(f"conf/{name}" for name in files) == shipped["share/fep/conf"].strip()
    assert all(tomllib.loads((template_dir() / name).read_text("utf-8")) for name in files)
