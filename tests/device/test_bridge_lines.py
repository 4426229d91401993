"""Ports lent by a bridge in a process of its own: bytes both ways, one user, loss, hostility."""

from __future__ import annotations

import os
import pty
import subprocess
import tty

import pytest
import pytest_twisted

from drivers import transports
from drivers.transports import Occupied, Unreachable
from drivers.transports.bridge import Options
from fep.domain.printing import Outcome
from fep.env import RealClock
from fep.settings_http import TlsSettings
from tests.device.bench import FAST, FakeRasteriser, bearing, small
from tests.device.bridge_rig import Rig, rig
from tests.device.peer import Printer as Device


class Heard:
    """What a wire brought."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = 0

    def on_data(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def on_lost(self) -> None:
        """Count it."""
        self.lost += 1


async def _opened(found: Rig, name: str = "com") -> tuple[object, Heard]:
    heard = Heard()
    line = transports.options({"type": "bridge", "bridge": "pc", "name": name}).line(found.reactor)
    return await line.open(heard.on_data, heard.on_lost), heard


@pytest.fixture
def cable():
    """Yield the device's end of a serial line and the path of ours."""
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    os.set_blocking(ours, False)
    yield ours, os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except BlockingIOError:
        return b""


@pytest_twisted.ensureDeferred
async def test_a_serial_port_of_another_pc_carries_bytes_both_ways(tmp_path, cable):
    device, path = cable
    async with rig(tmp_path) as found:
        found.write(f"[port com]\nkind = serial\npath = {path}\nbaud = 115200\n")
        found.run()
        await found.connected()
        wire, heard = await _opened(found)
        sent = bytes(range(256)) * 1200

        done = wire.drain(sent)
        got = bytearray()
        await found.until(lambda: got.extend(_read(device)) or len(got) >= len(sent))
        await done
        os.write(device, b"\x12\x00answer")
        await found.until(lambda: heard.data == b"\x12\x00answer")
        wire.close()

        assert (bytes(got), heard.lost) == (sent, 0)


@pytest_twisted.ensureDeferred
async def test_a_lent_port_has_one_user_and_is_free_again_after_it(tmp_path, cable):
    _device, path = cable
    async with rig(tmp_path) as found:
        found.write(f"[port com]\nkind = serial\npath = {path}\n")
        found.run()
        await found.connected()
        first, _heard = await _opened(found)

        with pytest.raises(Occupied):
            await _opened(found)
        first.close()
        second, _heard = await _opened(found)
        second.abort()
        with pytest.raises(Unreachable):
            await _opened(found, "none")


@pytest_twisted.ensureDeferred
async def test_a_killed_bridge_is_a_lost_line_told_once_and_comes_back(tmp_path, cable):
    _device, path = cable
    async with rig(tmp_path) as found:
        found.write(f"[port com]\nkind = serial\npath = {path}\n")
        found.run()
        await found.connected()
        _wire, heard = await _opened(found)

        found.kill()
        await found.until(lambda: heard.lost)
        with pytest.raises(Unreachable):
            await _opened(found)
        found.run()
        await found.connected()
        again, _heard = await _opened(found)
        again.close()

        assert 1 == heard.lost


@pytest_twisted.ensureDeferred
async def test_a_receipt_printer_behind_a_bridge_proves_its_paper(tmp_path):
    async with rig(tmp_path) as found:
        device = Device()
        listening = found.reactor.listenTCP(0, device, interface="127.0.0.1")
        port = listening.getHost().port
        found.write(f"[port slip]\nkind = tcp\nhost = 127.0.0.1\nport = {port}\n")
        found.run()
        await found.connected()
        from drivers import escpos

        options = escpos.Options(Options("pc", "slip"))
        printer = escpos.create(found.reactor, RealClock(), options, FakeRasteriser(), FAST)

        result = await printer.print(small("甲1"), "id01")
        printer.close()
        await listening.stopListening()

        assert (Outcome.PRINTED, 1) == (result.outcome, len(bearing(device, "甲1")))


@pytest_twisted.ensureDeferred
async def test_over_tls_it_talks_only_to_the_certificate_it_was_given(tmp_path, cable):
    device, path = cable
    for name in ("right", "wrong"):
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=fep",
            "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.crt"),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    tls = TlsSettings(cert=tmp_path / "right.crt", key=tmp_path / "right.key")
    async with rig(tmp_path, tls=tls) as found:
        port = f"[port com]\nkind = serial\npath = {path}\n"
        found.write(port, tls="yes", ca_file="wrong.crt")
        found.run()
        log = tmp_path / "bridge.log"
        await found.until(lambda: "CERTIFICATE_VERIFY_FAILED" in log.read_text())
        stranger = found.bridge.connected
        found.kill()
        found.write(port, tls="yes", ca_file="right.crt")
        found.run()
        await found.connected()
        wire, heard = await _opened(found)
        done = wire.drain(b"x" * 100_000)
        got = bytearray()
        await found.until(lambda: got.extend(_read(device)) or len(got) >= 100_000)
        await done
        found.kill()
        await found.until(lambda: heard.lost)

        assert (False, 1) == (stranger, heard.lost)


@pytest_twisted.ensureDeferred
async def test_a_bridge_from_a_foreign_address_is_not_let_in(tmp_path):
    async with rig(tmp_path, addresses=("10.9.8.7",)) as found:
        found.write("")
        found.run()
        await found.until(lambda: any(e == "bridge.cut" for e, _facts in found.log.lines))

        assert not found.bridge.connected
