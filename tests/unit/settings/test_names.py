"""What one file owes another: every name leads somewhere, every door is safe."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor

from fep.settings_places import Endpoint, parse_endpoint
from tests.unit.settings.place import Place

UNIT = "units/demo-hospital.toml"
KIND = "kinds/outpatient.toml"
LISTEN = '"tcp:7500:interface=127.0.0.1"'
OPEN = '"tcp:7500:interface=0.0.0.0"'


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "suggestion"),
    [
        (UNIT, 'kinds = ["outpatient"', 'kinds = ["outpatients"', "kinds[0]", "outpatient"),
        (UNIT, 'province = "hubei"', 'province = "hubai"', "province", "hubei"),
        (UNIT, 'dest = "province"', 'dest = "provinz"', "dest", "province"),
        (UNIT, 'group = "window-1"', 'group = "window-2"', "points[0].group", "window-1"),
        ("fep.toml", 'units = ["*"]', 'units = ["H01"]', "callers[0].units[0]", "H001"),
        ("fep.toml", 'points = ["*"]', 'points = ["01"]', "callers[0].points[0]", "001"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_told_with_the_nearest(
    place: Place, file: str, old: str, new: str, key: str, suggestion: str
):
    line = place.change(old, new, file)

    (found,) = place.errors()

    assert (file, line, key) == place.told(found)
    assert suggestion == found.suggestion


def test_a_group_of_a_switched_off_device_is_no_group(place: Place):
    place.change("enabled = true", "enabled = false", "devices/window-1.toml")

    assert [key for _file, _line, key in place.places()] == ["points[0].group"]


def test_a_point_that_prints_needs_a_group(place: Place):
    place.change('group = "window-1"', 'group = ""', UNIT)

    assert [key for _file, _line, key in place.places()] == ["points[0].print"]


def test_doubles_are_told(place: Place):
    place.add('[[points]]\ncode = "001"\n', UNIT)
    place.add('[[callers]]\nappid = "his"\nkey_file = "keys/node.key"\n')
    (place.root / "units" / "z.toml").write_text((place.root / UNIT).read_text())
    (place.root / "devices" / "z.toml").write_text(
        (place.root / "devices/window-1.toml").read_text()
    )
    place.change(LISTEN, f"{LISTEN}, {LISTEN}")
    place.change('"PayCode"', '"Age"', KIND)

    doubles = {(file, key) for file, _line, key in place.places()}

    assert {
        ("fep.toml", "api.listen[1]"), ("fep.toml", "callers[1].appid"),
        ("devices/z.toml", "id"), ("units/z.toml", "code"), (KIND, "main_ext[18]"),
        (UNIT, "points[1].code"), ("units/z.toml", "points[1].code"),
    } == doubles  # fmt: skip


def test_a_site_without_a_unit_is_no_site(place: Place):
    (place.root / UNIT).unlink()

    assert "units/" in place.errors()[0].en


@pytest.mark.parametrize(
    "endpoint",
    ["tcp", "tcp:", "tcp:x", "tcp:70000", "udp:1", "tcp:7500:intrface=1", "unix:", "7500", ""],
)
def test_an_endpoint_that_cannot_be_parsed_is_told(place: Place, endpoint: str):
    line = place.change(LISTEN, f'"{endpoint}"')

    (found,) = place.errors()

    assert ("fep.toml", line, "api.listen[0]") == place.told(found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tcp:7500:interface=127.0.0.1", Endpoint("tcp", "127.0.0.1", 7500)),
        ("tcp:7500", Endpoint("tcp", "", 7500)),
        ("tcp:port=7500:backlog=9", Endpoint("tcp", "", 7500)),
        (r"tcp6:7500:interface=\:\:1", Endpoint("tcp6", "::1", 7500)),
        (r"unix:/run/a\:b.sock:mode=660", Endpoint("unix", "/run/a:b.sock")),
    ],
)
def test_endpoints_are_read_as_twisted_reads_them(text: str, wanted: Endpoint):
    reactor = MemoryReactor()
    serverFromString(reactor, text).listen(Factory())
    opened = [Endpoint(wanted.kind, call[3], call[0]) for call in reactor.tcpServers]
    opened += [Endpoint("unix", call[0]) for call in reactor.unixServers]

    assert [wanted] == opened
    assert wanted == parse_endpoint(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("tcp:1:interface=127.0.0.2", True), (r"tcp6:1:interface=\:\:1", True), ("unix:x", True),
        ("tcp:1", False), ("tcp:1:interface=0.0.0.0", False), (r"tcp6:1:interface=\:\:", False),
    ],
)  # fmt: skip
def test_only_loopback_and_unix_doors_are_private(text: str, loopback: bool):
    assert loopback == parse_endpoint(text).loopback


def test_a_door_open_to_the_lan_needs_the_mac_of_every_frame(place: Place):
    place.change(LISTEN, OPEN)
    line = place.change('frame_mac = "auto"', 'frame_mac = "never"')

    assert [("fep.toml", line, "api.frame_mac")] == place.places()


def test_a_door_open_to_the_lan_needs_a_caller_with_hmac(place: Place):
    line = place.change(LISTEN, OPEN)
    place.change('auth = "hmac-sm3"', 'auth = "token"')

    assert [("fep.toml", line, "api.listen")] == place.places()


def test_a_token_beside_an_open_door_is_weak(place: Place):
    place.change(LISTEN, OPEN)
    place.add('[[callers]]\nappid = "lis"\nauth = "token"\nkey_file = "keys/node.key"\n')

    assert [] == place.errors()
    assert ["callers[1].auth"] == [problem.key for problem in place.warnings()]


def test_a_control_socket_with_a_path_too_long_for_the_kernel_is_told(place: Place):
    line = place.change('"data/control.sock"', f'"{"d" * 108}/control.sock"')

    assert [("fep.toml", line, "api.control")] == place.places()


def test_an_unknown_control_group_is_told(place: Place):
    line = place.change('control_group = ""', 'control_group = "no-such-group"')

    assert [("fep.toml", line, "api.control_group")] == place.places()


@pytest.mark.parametrize("template", ["{area2}601{yy}", "{area2}06{year}", "42O60126"])
def test_a_code_that_is_not_eight_digits_is_told(place: Place, template: str):
    line = place.change('"{area2}0601{yy}"', f'"{template}"', KIND)

    assert [(KIND, line, "code_template")] == [told for told in place.places() if told[0] == KIND]


def test_a_code_of_another_class_is_weak(place: Place):
    place.change('receipt_class = "06"', 'receipt_class = "05"', KIND)

    assert ["code_template"] == [problem.key for problem in place.warnings()]


def test_an_unknown_place_in_the_qr_text_is_told(place: Place):
    place.change("&number={number}", "&number={nummer}", "provinces/hubei.toml")

    (found,) = place.errors()

    assert "qr_template" == found.key
    assert "nummer" in found.en


@pytest.mark.parametrize("source", ["ext.Gender", "payer.age", "total", "ext.", "payer"])
def test_an_element_takes_its_text_from_known_members_alone(place: Place, source: str):
    line = place.change('"ext.gender"', f'"{source}"', KIND)

    assert (KIND, line, "main_ext[2].source") in place.places()


def test_an_area_outside_of_its_province_is_weak(place: Place):
    place.change('area = "420900"', 'area = "130100"', UNIT)

    assert ["area"] == [problem.key for problem in place.warnings()]


def test_a_driver_that_is_missing_stops_nobody(place: Place):
    """The daemon comes up; the device says what is wrong with it."""
    place.change('driver = "escpos"', 'driver = "escpso"', "devices/window-1.toml")

    assert [] == place.errors()
    assert ["driver"] == [problem.key for problem in place.warnings()]


def test_a_driver_of_another_house_is_known(place: Place, monkeypatch, tmp_path: Path):
    """What the guide for drivers says to do brings no warning."""
    info = tmp_path / "abacus_driver-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus-driver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fep.drivers]\nabacus = abacus\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    place.change('driver = "escpos"', 'driver = "abacus"', "devices/window-1.toml")

    assert [] == [problem.key for problem in place.warnings()]


def test_a_site_without_callers_is_weak(place: Place):
    text = place.config.read_text("utf-8")
    start, end = text.index("[[callers]]"), text.index("[issue]")
    place.config.write_text(text[:start] + text[end:], "utf-8")

    assert [] == place.errors()
    assert 1 == len(place.warnings())
