"""The same driver over every transport: real ptys, a real character device, a real socket."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
import time
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from drivers import escpos, transports
from drivers.transports import lpd, serial, usblp
from fep.domain.printing import Outcome
from fep.env import RealClock
from tests.device.bench import FAST, FakeRasteriser, bearing, bench, small, whole

reactor: Any = _reactor
WAIT_S = 10


@contextmanager
def pty_to(port: int, link: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run socat between a pty named `link` and the device's TCP port."""
    words = ["socat", f"PTY,link={link},raw,echo=0", f"TCP:127.0.0.1:{port}"]
    cable = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    end = time.monotonic() + WAIT_S
    while not link.exists():
        assert cable.poll() is None, "socat ended"
        assert time.monotonic() < end, "socat gave no pty"
        time.sleep(0.01)
    try:
        yield cable
    finally:
        cable.kill()
        cable.wait()


def driver(options: transports.Reached) -> escpos.EscposPrinter:
    """Return a driver over a transport."""
    return escpos.create(reactor, RealClock(), escpos.Options(options), FakeRasteriser(), FAST)


KINDS = {"serial": serial.Options, "usblp": usblp.Options}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest_twisted.ensureDeferred
async def test_a_job_over_a_character_device_is_printed_with_proof(kind: str, tmp_path: Path):
    async with bench(process_id=True) as b:
        with pty_to(b.port, tmp_path / "tty"):
            printer = driver(KINDS[kind](str(tmp_path / "tty")))

            result = await printer.print(small("甲1"), "id01")
            printer.close()

        assert Outcome.PRINTED is result.outcome
        assert [True] == [whole(lines, "甲1") for lines in bearing(b.device, "甲1")]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest_twisted.ensureDeferred
async def test_a_cable_pulled_in_the_middle_leaves_the_job_uncertain_and_the_next_one_whole(
    kind: str, tmp_path: Path
):
    async with bench(process_id=True) as b:
        with pty_to(b.port, tmp_path / "tty"):
            printer = driver(KINDS[kind](str(tmp_path / "tty")))
            await printer.print(small("甲0"), "id00")
            b.device.kill_after = b.device.received + 60  # socat ends with its connection

            cut = await printer.print(small("甲1"), "id01")
            b.device.kill_after = None
        with pty_to(b.port, tmp_path / "tty2"):
            os.replace(tmp_path / "tty2", tmp_path / "tty")
            after = await printer.print(small("甲2"), "id02")
            printer.close()

        assert (Outcome.UNCERTAIN, "DEV_LOST") == (cut.outcome, cut.fault)
        assert Outcome.PRINTED is after.outcome
        assert len(bearing(b.device, "甲1")) <= 1
        assert [True] == [whole(lines, "甲2") for lines in bearing(b.device, "甲2")]


@pytest_twisted.ensureDeferred
async def test_a_serial_port_in_other_hands_is_busy_and_one_that_is_not_there_is_unreachable(
    tmp_path: Path,
):
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    holder = serial.Options(path).line(reactor)
    wire = await holder.open(lambda data: None, lambda: None)
    try:
        busy = await driver(serial.Options(path)).print(small("甲1"), "id01")
        gone = await driver(serial.Options("/dev/serial/by-id/none")).print(small("甲1"), "id01")
    finally:
        wire.abort()
        os.close(master)
        os.close(slave)

    assert (Outcome.NOT_PRINTED, "DEV_BUSY") == (busy.outcome, busy.fault)
    assert (Outcome.NOT_PRINTED, "DEV_UNREACHABLE") == (gone.outcome, gone.fault)


@pytest_twisted.ensureDeferred
async def test_aborting_a_serial_line_drops_what_a_stalled_printer_has_not_taken():
    master, slave = pty.openpty()
    tty.setraw(slave, termios.TCSANOW)
    path = os.ttyname(slave)
    wire = await serial.Options(path).line(reactor).open(lambda data: None, lambda: None)
    wire.write(b"x" * 1_000_000)  # nobody reads: the port's buffer is soon full
    await deferLater(reactor, 0.05)

    wire.abort()
    again = await serial.Options(path).line(reactor).open(lambda data: None, lambda: None)
    again.write(b"NEXT")
    await deferLater(reactor, 0.05)
    os.set_blocking(master, False)
    received = bytearray()
    while not received.endswith(b"NEXT"):
        received += os.read(master, 65536)
        await deferLater(reactor, 0.01)
    again.abort()
    os.close(master)
    os.close(slave)

    assert len(received) < 100_000


class _Daemon(Protocol):
    """The other end of RFC 1179, written from its text."""

    jobs: list[bytes]
    deny = b""

    def connectionMade(self) -> None:
        self._held = b""
        self._want = 0
        self._data = False

    def dataReceived(self, data: bytes) -> None:
        self._held += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self._want:
            if len(self._held) < self._want + 1:
                return False
            file, self._held = self._held[: self._want], self._held[self._want + 1 :]
            self._want = 0
            if self._data:
                self.jobs.append(file)
                if self.deny == b"silent":
                    self.transport.abortConnection()
                    return False
            self.transport.write(b"\0")
            return True
        line, end, rest = self._held.partition(b"\n")
        if not end:
            return False
        self._held = rest
        if line[0] == 2 and not self._want and line[1:].isalnum() and b" " not in line:
            self.transport.write(b"\1" if self.deny == b"queue" else b"\0")
            return True
        size, _, name = line[1:].partition(b" ")
        self._want, self._data = int(size), name.startswith(b"df")
        self.transport.write(b"\0")
        return True


@asynccontextmanager
async def daemon(deny: bytes = b"") -> AsyncIterator[tuple[int, list[bytes]]]:
    """Listen as a line printer daemon."""
    jobs: list[bytes] = []
    kind = type("Daemon", (_Daemon,), {"jobs": jobs, "deny": deny})
    factory: Any = Factory.forProtocol(kind)
    door = reactor.listenTCP(0, factory, interface="127.0.0.1")
    try:
        yield door.getHost().port, jobs
    finally:
        await door.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_job_over_lpd_is_accepted_and_never_called_printed():
    async with daemon() as (port, jobs):
        printer = driver(lpd.Options("127.0.0.1", "lp", port, reopen_gap_s=0))
        first = await printer.print(small("甲1"), "id01")
        second = await printer.print(small("甲2"), "id02")
        printer.close()

    assert [Outcome.ACCEPTED, Outcome.ACCEPTED] == [first.outcome, second.outcome]
    held = [f"甲{name} 末行".encode("gbk") in job for name, job in zip("12", jobs, strict=True)]
    assert [True, True] == held


@pytest.mark.parametrize(
    ("deny", "outcome", "fault"),
    [(b"queue", Outcome.NOT_PRINTED, "DEV_BUSY"), (b"silent", Outcome.UNCERTAIN, "DEV_LOST")],
)
@pytest_twisted.ensureDeferred
async def test_an_lpd_queue_that_refuses_has_nothing_and_one_that_dies_leaves_doubt(
    deny: bytes, outcome: Outcome, fault: str
):
    async with daemon(deny) as (port, _jobs):
        printer = driver(lpd.Options("127.0.0.1", "lp", port, reopen_gap_s=0))
        result = await printer.print(small("甲1"), "id01")
        printer.close()

    assert (outcome, fault) == (result.outcome, result.fault)


@pytest.mark.parametrize(
    "table",
    [
        {"type": "fax", "host": "h"}, {"type": "serial"}, {"type": "tcp", "path": "/dev/lp0"},
        {"type": "usblp", "path": "/dev/usb/lp0", "baud": 9600},
    ],
)  # fmt: skip
def test_a_transport_table_with_a_foreign_or_missing_key_is_refused(table: dict[str, Any]):
    with pytest.raises(ValueError, match="transport"):
        transports.options(table)
