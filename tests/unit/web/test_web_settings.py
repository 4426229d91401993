"""[web] of fep.toml: what a QR code may say is checked before anybody prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fep.settings_web import PUBLIC_URL_MAX, URL_MAX, is_local
from tests.unit.settings.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site of the shipped templates."""
    return Place(tmp_path)


def _errors(place: Place) -> list[str]:
    return [problem.key for problem in place.errors()]


def test_nothing_listens_as_shipped(place: Place) -> None:
    web = place.load().web

    assert (web.listen, web.base) == ((), "")


def test_a_public_address_is_taken_without_its_last_slash(place: Place) -> None:
    place.change('public_url = ""', 'public_url = "https://p.example.org/fep/"')

    assert place.load().web.base == "https://p.example.org/fep"


def test_a_page_address_has_60_characters_at_most(place: Place) -> None:
    fits = "https://" + "a" * (PUBLIC_URL_MAX - 12) + ".org"
    place.change('public_url = ""', f'public_url = "{fits}"')
    assert (_errors(place), len(fits) + 19) == ([], URL_MAX)

    place.change(fits, fits.replace(".org", "a.org"))

    assert _errors(place) == ["web.public_url"]


@pytest.mark.parametrize("url", [
    "http://192.168.1.5:7580", "https://10.0.0.3", "http://localhost:7580", "https://fep",
    "https://fep.hospital.local", "http://127.0.0.1", "http://[fe80::1]", "https://100.64.0.1",
])  # fmt: skip
def test_an_address_of_the_lan_needs_a_word_of_its_own(place: Place, url: str) -> None:
    place.change('public_url = ""', f'public_url = "{url}"')
    assert _errors(place) == ["web.public_url"]

    place.change("allow_lan_url = false", "allow_lan_url = true")

    assert _errors(place) == []


@pytest.mark.parametrize("host", ["p.example.org", "8.8.8.8", "2400:3200::1", "票据.中国"])
def test_what_the_world_can_reach_is_not_local(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("url", [
    "p.example.org", "ftp://p.example.org", "https://p.example.org?x=1", "https://",
    "https://u@p.example.org", "https://p.example.org/#a", "https://p.example.org:port",
    "https://p.example.org/a b", "https://票据.中国",
])  # fmt: skip
def test_what_is_no_plain_address_is_refused(place: Place, url: str) -> None:
    place.change('public_url = ""', f'public_url = "{url}"')

    assert "web.public_url" in _errors(place)


def test_plain_http_and_an_address_nobody_listens_at_are_weak(place: Place) -> None:
    place.change('public_url = ""', 'public_url = "http://p.example.org"')

    weak = [problem.key for problem in place.warnings()]

    assert {"web.public_url", "web.listen"} <= set(weak)


def test_places_to_listen_and_proxies_are_checked(place: Place) -> None:
    place.change("\nlisten = []", '\nlisten = ["tcp:7580", "http:80"]')
    place.change("proxies = []", 'proxies = ["10.0.0.5", "proxy"]')

    assert _errors(place) == ["web.listen[1]", "web.proxies[1]"]


def test_a_qr_template_may_name_the_page_only_where_it_has_an_address(place: Place) -> None:
    place.change('qr_template = "', 'qr_template = "{url}', "provinces/hubei.toml")
    assert _errors(place) == ["qr_template"]

    place.change('public_url = ""', 'public_url = "https://p.example.org"')

    assert _errors(place) == []


def test_a_test_unit_delivers_nowhere(place: Place) -> None:
    assert place.load().units["H001"].dest == "province"

    place.change("test = false", "test = true", "units/demo-hospital.toml")

    unit = place.load().units["H001"]
    assert (unit.test, unit.dest) == (True, "")
