"""`bridge.py --check` says what a technician would find out at the first slip."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fep import bridge


def _checked(place: Path, ports: str) -> int:
    (place / "bridge.key").write_text("0123456789abcdef" * 4, "ascii")
    head = "[bridge]\nid = pc-1\nserver = 127.0.0.1:7600\nkey_file = bridge.key\n"
    (place / "bridge.ini").write_text(head + ports, "utf-8")
    return bridge.main(["--check", str(place / "bridge.ini")])


def test_a_network_printer_that_is_not_there_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with socket.create_server(("127.0.0.1", 0)) as printer:
        lan = f"[port lan]\nkind = tcp\nhost = 127.0.0.1\nport = {printer.getsockname()[1]}\n"
        there = _checked(tmp_path, lan)
    gone = _checked(tmp_path, lan)

    assert (0, 1) == (there, gone)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("ok")
    assert "does not open" in second


def test_a_device_file_that_is_not_there_fails_the_check(tmp_path: Path):
    assert 1 == _checked(tmp_path, f"[port com]\nkind = serial\npath = {tmp_path}/ttyUSB9\n")
