"""Discovery: bounded, slow, and it prints nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fep.domain.faults import Refused
from fep.env import RealClock
from fep.services import devices_discover as looking

HERE = "127.0.0.1"


@contextmanager
def _door(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Listen once a connection, say `answer` to what comes, keep what came."""
    heard: list[bytes] = []
    door = socket.create_server((HERE, 0))

    def serve() -> None:
        while True:
            try:
                wire, _peer = door.accept()
            except OSError:
                return
            with wire:
                wire.settimeout(2)
                came = wire.recv(4096)
                heard.append(came)
                if came:
                    wire.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield door.getsockname()[1], heard
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


def test_a_raw_port_is_only_knocked_at(monkeypatch):
    with _door(b"") as (port, heard):
        found = looking.network([HERE], RealClock(), ports=(port,))

    assert [f"tcp:{HERE}:{port}"] == [one.address for one in found]
    assert [b""] == heard


def test_a_receipt_printer_that_may_be_asked_says_what_it_is():
    with _door(b"\x5fXprinter\0\x5fXP-N160II\0") as (port, heard):
        (found,) = looking.network([HERE], RealClock(), ask_raw=True, ports=(port,))

    assert ("Xprinter XP-N160II", "xprinter-80") == (found.about, found.profile)
    assert [b"\x1dI\x42\x1dI\x43"] == heard


def test_a_page_printer_is_asked_by_ipp(monkeypatch):
    said = b"\x02\0\0\0\0\0\0\1\x04\x41\0\x16printer-make-and-model\0\x09HP Laser \x03"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: %d\r\n\r\n"
    with _door(head % len(said) + said) as (port, heard):
        monkeypatch.setattr(looking, "IPP", port)
        (found,) = looking.network([HERE], RealClock(), ports=(port,))

    assert ("HP Laser ", "ipp", "a5") == (found.about, found.driver, found.profile)
    assert any(came.startswith(b"POST /ipp/print ") for came in heard)


def test_nobody_there_is_nothing_found():
    with _door(b"") as (port, _heard):
        pass

    assert [] == looking.network([HERE], RealClock(), ports=(port,))


def test_networks_are_bounded_and_every_address_is_asked_once():
    assert ["10.1.2.1", "10.1.2.2"] == looking.addresses(["10.1.2.0/30", "10.1.2.1"])
    for wanted, code in ((["10.0.0.0/8"], "DEV_NETWORK"), (["printer"], "DEV_ADDRESS"),
                         (["10.0.0.0/22", "10.1.0.0/22"], "DEV_NETWORK")):  # fmt: skip
        with pytest.raises(Refused) as refused:
            looking.addresses(wanted)
        assert code == refused.value.code


def test_no_more_knocks_than_the_rate_allows(monkeypatch):
    monkeypatch.setattr(looking, "RATE_PER_S", 20.0)
    monkeypatch.setattr(looking, "_raw", lambda host, port, ask: None)
    clock = RealClock()
    began = clock.mono()

    looking.network([f"10.0.0.{n}" for n in range(11)], clock, ports=(9100,))

    assert clock.mono() - began >= 0.45


def test_serial_ports_and_usb_printers_are_named_by_what_stays(tmp_path):
    by_id, dev, sys = tmp_path / "by-id", tmp_path / "usb", tmp_path / "sys"
    for place in (by_id, dev, sys / "lp0" / "device"):
        place.mkdir(parents=True)
    (by_id / "usb-Prolific_USB-Serial-if00").touch()
    (dev / "lp0").touch()
    (dev / "hiddev0").touch()
    told = "MFG:GPRINTER;CMD:ESC/POS;MDL:GP-80;SN:77;"
    (sys / "lp0" / "device" / "ieee1284_id").write_text(told)

    serial, usb = looking.serial_ports(by_id), looking.usb_printers(dev, sys)

    assert [f"serial:{by_id}/usb-Prolific_USB-Serial-if00"] == [one.address for one in serial]
    assert [("GPRINTER GP-80 77", "gprinter-80")] == [(one.about, one.profile) for one in usb]
    assert ([], []) == (
        looking.serial_ports(tmp_path / "no"),
        looking.usb_printers(tmp_path / "no"),
    )


def test_what_is_configured_already_is_told_so():
    found = [looking.Found("ipp:10.1.2.3:631/ipp/print", "", "ipp", "a5"),
             looking.Found("tcp:10.1.2.3:9100", "", "escpos", "epson-80")]  # fmt: skip

    told = looking.named(found, [("laser", "10.1.2.3:631"), ("w1", "tcp:10.1.2.4:9100")])

    assert ["laser", ""] == [one.device for one in told]
