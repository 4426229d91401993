"""[http] and [tls]: off by default, and every mistake told before the daemon starts."""

from __future__ import annotations

import pytest

from fep.settings_http import HttpSettings
from tests.unit.settings.place import Place


def _listen(place: Place, *endpoints: str) -> None:
    text = place.config.read_text("utf-8")
    start = text.index("[http]")
    listed = ", ".join(f'"{one}"' for one in endpoints)
    changed = text[start:].replace("listen = []", f"listen = [{listed}]", 1)
    place.config.write_text(text[:start] + changed, "utf-8")


def test_nothing_listens_until_somebody_says_where(place: Place):
    assert HttpSettings() == place.load().http
    assert () == place.load().http.listen


@pytest.mark.parametrize("endpoint", ["http:17001", "tcp:", "tcp:99999", "17001", ""])
def test_an_endpoint_that_is_none_is_told(place: Place, endpoint: str):
    _listen(place, endpoint)

    assert ["http.listen[0]"] == [problem.key for problem in place.errors()]


def test_a_door_that_is_listed_twice_is_told(place: Place):
    _listen(place, "tcp:17001", "tcp:17001", "tcp:7500:interface=127.0.0.1")

    assert ["http.listen[1]", "http.listen[2]"] == [problem.key for problem in place.errors()]


def test_tls_needs_both_files_and_a_private_key_that_is_private(place: Place):
    _listen(place, "ssl:17443")
    missing = [problem.key for problem in place.errors()]
    keys = place.root / "keys"
    for name in ("tls.crt", "tls.key"):
        (keys / name).write_text("pem")
    (keys / "tls.key").chmod(0o644)
    open_key = place.errors()
    (keys / "tls.key").chmod(0o600)

    assert {"tls.key", "tls.cert"} == set(missing)
    assert ["tls.key"] == [problem.key for problem in open_key]
    assert "0644" in open_key[0].en
    assert [] == place.errors()
    assert place.root.resolve() / "keys" / "tls.crt" == place.load().tls.cert


def test_a_proxy_is_an_address_and_memory_holds_one_request_at_least(place: Place):
    text = place.config.read_text("utf-8")
    head, tail = text.split("[http]")
    tail = tail.replace("proxies = []", 'proxies = ["gateway"]', 1)
    tail = tail.replace("max_held_bytes = 67108864", "max_held_bytes = 100000", 1)
    place.config.write_text(f"{head}[http]{tail}", "utf-8")

    assert {"http.proxies[0]", "http.max_held_bytes"} == {problem.key for problem in place.errors()}


def test_an_open_api_door_may_do_without_frame_macs_over_tls_alone(place: Place):
    place.change('frame_mac = "auto"', 'frame_mac = "never"')
    line = place.change('listen = ["tcp:7500:interface=127.0.0.1"]', 'listen = ["ssl:7500"]')
    for name in ("tls.crt", "tls.key"):
        (place.root / "keys" / name).write_text("pem")
        (place.root / "keys" / name).chmod(0o600)

    assert line
    assert [] == place.errors()
