"""Files that devices verbs write: a site that worked never stops working here."""

from __future__ import annotations

import tomllib

import pytest

from fep.domain.faults import Refused
from fep.services import devices_site as site
from fep.settings_device import TransportSettings
from tests.unit.settings.place import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("address", "table"),
    [
        ("tcp:10.1.2.3", {"type": "tcp", "host": "10.1.2.3"}),
        ("tcp:[fe80::1]:9101", {"type": "tcp", "host": "fe80::1", "port": 9101}),
        ("lpd:10.1.2.3:515/lp1", {"type": "lpd", "host": "10.1.2.3", "port": 515, "queue": "lp1"}),
        ("ipp:laser/ipp/print", {"type": "ipp", "host": "laser", "queue": "ipp/print"}),
        ("usblp:/dev/usb/lp0", {"type": "usblp", "path": "/dev/usb/lp0"}),
        ("serial:/dev/serial/by-id/usb-x@9600",
         {"type": "serial", "path": "/dev/serial/by-id/usb-x", "baud": 9600}),
        ("bridge:win01/COM3", {"type": "bridge", "bridge": "win01", "name": "COM3"}),
    ],
)  # fmt: skip
def test_an_address_becomes_a_transport_that_settings_take(address, table):
    assert table == site.transport_of(address)
    assert TransportSettings(**table).type == table["type"]


@pytest.mark.parametrize("address", ["", "10.1.2.3", "tcp:", "usb:/dev/x", "tcp::9100", "tcp:h:x"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(Refused) as refused:
        site.transport_of(address)

    assert "DEV_ADDRESS" == refused.value.code


def _text(device: str, group: str = "window-2", **transport) -> str:
    values = {"id": device, "group": group, "driver": "escpos", "profile": "hprt-80"}
    return site.device_text(values, {"type": "tcp", "host": "10.1.2.3", **transport})


def test_a_new_device_is_written_and_read_back(place):
    settings, path = site.add_device(place.root, _text("window-2", port=9101))

    assert ("window-2", "hprt-80", 9101) == (settings.id, settings.profile, settings.transport.port)
    assert settings == site.device_of(place.root, "window-2")
    assert path == place.root / "devices" / "window-2.toml"


def test_a_device_that_exists_or_makes_no_sense_leaves_no_file(place):
    before = sorted((place.root / "devices").iterdir())
    for text, code in (
        (_text("window-1"), "DEV_EXISTS"), (_text("w3", port=0), "DEV_FILE"), ("x = ", "DEV_FILE"),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            site.add_device(place.root, text)
        assert code == refused.value.code

    assert before == sorted((place.root / "devices").iterdir())


def _points(place) -> list[dict[str, str]]:
    (path,) = (place.root / "units").glob("*.toml")
    return tomllib.loads(path.read_text("utf-8"))["points"]


def test_a_point_gets_another_group_and_every_comment_stays(place):
    site.add_device(place.root, _text("window-2"))
    (path,) = (place.root / "units").glob("*.toml")
    before = path.read_text("utf-8").splitlines()
    point = _points(place)[0]["code"]

    unit, written, was = site.assign_point(place.root, "", point, "window-2")

    after = path.read_text("utf-8").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert "window-2" == _points(place)[0]["group"]
    assert 1 == len(changed)
    assert (path, "\n".join(before)) == (written, was.rstrip("\n"))
    site.write_back(path, was)
    assert before == path.read_text("utf-8").splitlines()
    assert unit == tomllib.loads(was)["code"]


def test_a_group_that_there_is_not_is_taken_back(place):
    before = _points(place)

    with pytest.raises(Refused) as refused:
        site.assign_point(place.root, "", before[0]["code"], "nowhere")

    assert "DEV_FILE" == refused.value.code
    assert "nowhere" in refused.value.zh
    assert before == _points(place)


def test_a_point_that_there_is_not_is_refused(place):
    with pytest.raises(Refused) as refused:
        site.assign_point(place.root, "", "no-such", "window-1")

    assert "DEV_POINT" == refused.value.code


def test_a_point_without_a_group_gets_its_line():
    text = 'x = 1\n[[points]]\ncode = "001"\nprint = "never"\n[[points]]\ncode = "002"\n'

    points = tomllib.loads(site._grouped(text, 1, "w2"))["points"]

    assert [{"code": "001", "print": "never"}, {"code": "002", "group": "w2"}] == points
