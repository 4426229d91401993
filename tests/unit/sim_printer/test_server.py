"""The printer on a real socket: one client, TCP that stalls, faults of the line and the power."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import task
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Protocol

from fep.sim.printer import orders
from fep.sim.printer.build import make_station
from fep.sim.printer.knobs import Knobs
from fep.sim.printer.server import Station
from tests.unit.sim_printer.bench import CUT, fence, fenced

WAIT_S = 5.0
TURN_S = 0.01


class Host(Protocol):
    """A client that remembers what it heard."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


class Site:
    """A station and its hosts."""

    def __init__(self, reactor: Any, paper: Path, station: Station) -> None:
        self.reactor, self.paper, self.station = reactor, paper, station
        self.hosts: list[Host] = []

    async def connect(self) -> Host:
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.station.port)
        self.hosts.append(await connectProtocol(endpoint, Host()))
        return self.hosts[-1]

    async def reconnect(self) -> Host:
        """Connect as soon as the printer listens again."""
        for _turn in range(int(WAIT_S / TURN_S)):
            try:
                return await self.connect()
            except ConnectionRefusedError:
                await task.deferLater(self.reactor, TURN_S)
        raise AssertionError("the printer does not listen")

    async def until(self, true: Callable[[], bool]) -> None:
        for _turn in range(int(WAIT_S / TURN_S)):
            if true():
                return
            await task.deferLater(self.reactor, TURN_S)
        raise AssertionError("it did not come true")

    async def order(self, words: str) -> dict[str, Any]:
        return await orders.obey(self.station, words.split())

    @property
    def sheets(self) -> int:
        return self.station.printer.tray.last


@asynccontextmanager
async def site(paper: Path, profile: str = "epson_full", **knobs: Any) -> AsyncIterator[Site]:
    from twisted.internet import reactor

    station = make_station(reactor, paper, profile=profile, knobs=Knobs(**knobs), png=False)
    made = Site(reactor, paper, station)
    await station.start()
    try:
        yield made
    finally:
        for host in made.hosts:
            host.transport.abortConnection()
        await made.until(lambda: all(host.lost for host in made.hosts))
        await station.stop()


@pytest_twisted.ensureDeferred
async def test_a_job_is_printed_and_its_fence_answered(tmp_path):
    async with site(tmp_path) as s:
        host = await s.connect()

        host.transport.write(b"hello\n" + CUT + fence(b"AAAA"))
        await s.until(lambda: bool(host.heard))

        assert (fenced(b"AAAA"), 1) == (host.heard, s.sheets)


@pytest_twisted.ensureDeferred
async def test_a_second_client_is_refused_until_the_first_is_gone(tmp_path):
    async with site(tmp_path) as s:
        first = await s.connect()
        await s.until(lambda: bool(s.station.printer.facts()["attached"]))
        await task.deferLater(s.reactor, TURN_S)

        with pytest.raises(ConnectionRefusedError):
            await s.connect()

        first.transport.loseConnection()
        second = await s.reconnect()
        second.transport.write(b"\x10\x04\x01")
        await s.until(lambda: second.heard == b"\x12")


@pytest_twisted.ensureDeferred
async def test_a_second_client_can_be_reset_or_left_hanging(tmp_path):
    for how, lost in (("reset", True), ("hang", False)):
        async with site(tmp_path / how, second_client=how) as s:
            first, second = await s.connect(), await s.connect()
            second.transport.write(b"\x10\x04\x01")
            first.transport.write(b"\x10\x04\x01")

            await s.until(lambda one=first: one.heard == b"\x12")
            await s.until(lambda one=second, lost=lost: one.lost == lost)
            assert b"" == second.heard


@pytest_twisted.ensureDeferred
async def test_a_full_buffer_stalls_the_host_until_there_is_paper(tmp_path):
    job = b"x\n" * 500_000
    async with site(tmp_path) as s:
        await s.order("paper end")
        host = await s.connect()
        host.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        host.transport.write(job)
        await s.until(lambda: s.station.printer.room == 0)
        await task.deferLater(s.reactor, 10 * TURN_S)

        assert 4096 == (await s.order("state"))["received_bytes"]
        assert host.transport.dataBuffer or host.transport._tempDataBuffer
        await s.order("paper load 500000")
        await s.until(lambda: s.station.printer.received_bytes > 20_000)


@pytest_twisted.ensureDeferred
async def test_what_is_buffered_is_printed_after_the_host_has_gone(tmp_path):
    async with site(tmp_path) as s:
        await s.order("cover open")
        host = await s.connect()
        host.transport.write(b"old\n" + CUT)
        await s.until(lambda: s.station.printer.received_bytes > 0)
        host.transport.loseConnection()
        await s.until(lambda: host.lost)
        assert 0 == s.sheets

        await s.order("cover close")

        assert 1 == s.sheets


@pytest_twisted.ensureDeferred
async def test_a_restart_drops_the_host_and_the_buffer(tmp_path):
    async with site(tmp_path) as s:
        await s.order("cover open")
        host = await s.connect()
        host.transport.write(b"old\n" + CUT)
        await s.until(lambda: s.station.printer.received_bytes > 0)

        await s.order("restart 0.05")
        await s.until(lambda: host.lost)
        with pytest.raises(ConnectionRefusedError):
            await s.connect()
        await s.order("cover close")
        again = await s.reconnect()
        again.transport.write(b"new\n" + CUT + fence(b"AAAA"))
        await s.until(lambda: bool(again.heard))

        assert (1, ["new"]) == (s.sheets, _lines(tmp_path, 1))


@pytest_twisted.ensureDeferred
async def test_hang_up_at_byte_n_prints_the_bytes_before_it(tmp_path):
    job = b"one\n" + CUT + b"two\n" + CUT
    async with site(tmp_path) as s:
        await s.order("hang-up-at 9")
        host = await s.connect()
        host.transport.write(job)
        await s.until(lambda: host.lost)

        assert (9, 1) == (s.station.printer.received_bytes, s.sheets)
        again = await s.reconnect()
        again.transport.write(b"o\n" + CUT)
        await s.until(lambda: s.sheets == 2)
        assert ["two"] == _lines(tmp_path, 2)


@pytest_twisted.ensureDeferred
async def test_a_host_that_resets_while_stalled_is_noticed(tmp_path):
    async with site(tmp_path) as s:
        await s.order("paper end")
        host = await s.connect()
        host.transport.write(b"x" * 50_000)
        await s.until(lambda: s.station.printer.room == 0)

        host.transport.abortConnection()

        await s.until(lambda: not s.station.printer.facts()["attached"])
        await s.reconnect()


@pytest_twisted.ensureDeferred
async def test_replies_come_late_and_split_but_in_order(tmp_path):
    async with site(tmp_path, latency_s=0.02, split_bytes=2, jitter=1.0) as s:
        host = await s.connect()

        host.transport.write(fence(b"AAAA") + fence(b"BBBB") + b"\x10\x04\x01")
        await s.until(lambda: len(host.heard) >= 15)

        assert b"\x12" + fenced(b"AAAA") + fenced(b"BBBB") == host.heard


@pytest_twisted.ensureDeferred
async def test_a_paced_cable_takes_its_time(tmp_path):
    async with site(tmp_path, pace_bytes_s=2000) as s:
        host = await s.connect()
        started = s.reactor.seconds()

        host.transport.write(b"x" * 400 + b"\n" + fence(b"AAAA"))
        await s.until(lambda: bool(host.heard))

        assert s.reactor.seconds() - started > 0.15


@pytest_twisted.ensureDeferred
async def test_an_idle_connection_is_closed(tmp_path):
    async with site(tmp_path, idle_close_s=0.05) as s:
        host = await s.connect()

        await s.until(lambda: host.lost)


@pytest_twisted.ensureDeferred
async def test_a_muted_printer_prints_and_says_nothing(tmp_path):
    async with site(tmp_path) as s:
        await s.order("mute")
        host = await s.connect()
        host.transport.write(b"x\n" + CUT + b"\x10\x04\x01")
        await s.until(lambda: s.sheets == 1)

        await s.order("mute off")
        host.transport.write(b"\x10\x04\x01")
        await s.until(lambda: bool(host.heard))

        assert b"\x12" == host.heard


@pytest.mark.parametrize("words", ["nonsense", "paper rows", "paper rows x", "byte rx eat 3"])
@pytest_twisted.ensureDeferred
async def test_an_order_that_makes_no_sense_is_refused(tmp_path, words):
    async with site(tmp_path) as s:
        with pytest.raises(orders.OrderRefused):
            await s.order(words)


def _lines(paper: Path, number: int) -> list[str]:
    return (paper / f"sheet-{number:06d}.txt").read_text().splitlines()
