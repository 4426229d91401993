"""The MISPOS driver on a real pty pair and a real socket, against the simulator's own station."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from drivers.mispos import Mispos, Options, load
from drivers.mispos.codec import Frame
from drivers.mispos.relay import Relay
from drivers.transports import serial, tcp
from fep.env import RealClock
from fep.sim.pos.book import Book
from fep.sim.pos.host import Host
from fep.sim.pos.knobs import Knobs
from fep.sim.pos.server import Station
from fep.sim.pos.terminal import Terminal
from tests.device.pos_rig import order

reactor: Any = _reactor
WAIT_S = 10


@contextmanager
def cable(place: Path) -> Iterator[tuple[str, str]]:
    """Two ends of one serial cable."""
    ends = (place / "cashier", place / "terminal")
    words = ["socat", *(f"PTY,link={end},raw,echo=0" for end in ends)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until = time.monotonic() + WAIT_S
    try:
        while not all(end.exists() for end in ends):
            assert process.poll() is None, "socat ended"
            assert time.monotonic() < until, "socat gave no pty"
            time.sleep(0.01)
        yield str(ends[0]), str(ends[1])
    finally:
        process.kill()
        process.wait()


def station(**knobs: Any) -> Station:
    return Station(reactor, Terminal(reactor, Host(), Book(), Knobs(**knobs)))


def driver(transport: Any) -> Mispos:
    options = Options(transport, "105290053110001", "12345678", ack_timeout_s=1.0,
                      result_timeout_s=1.0)  # fmt: skip
    return Mispos(reactor, RealClock(), options, load("landfone"))


@pytest_twisted.ensureDeferred
async def test_a_payment_goes_over_a_serial_cable(tmp_path: Path):
    with cable(tmp_path) as (ours, theirs):
        there = station(card_s=0.05)
        there.plug(theirs)
        pos = driver(serial.Options(ours))

        assert "" == await pos.prepare()
        reply = await pos.run(order(), lambda: None)
        pos.close()
        await there.stop()

    assert ("approved", 1) == (reply.verdict.value, there.terminal.host.debits(order().serial))


@pytest_twisted.ensureDeferred
async def test_a_pulled_cable_is_silence_and_the_record_is_found_on_the_next(tmp_path: Path):
    with cable(tmp_path) as (ours, theirs):
        there = station(card_s=0.05)
        there.plug(theirs)
        pos = driver(serial.Options(ours))
        assert "" == await pos.prepare()
        there.terminal.knobs.lost_replies = 1
        reply = await pos.run(order(), lambda: None)
    gone = await pos.inquire(order())
    with cable(tmp_path) as (ours, theirs):
        there.line = None
        there.plug(theirs)
        found = await pos.inquire(order())
        pos.close()
        await there.stop()

    assert ("silent", "DEV_TIMEOUT") == (reply.verdict.value, reply.fault)
    assert "silent" == gone.verdict.value
    assert "approved" == found.verdict.value


@pytest_twisted.ensureDeferred
async def test_a_terminal_on_tcp_has_one_master():
    there = station(card_s=0.05)
    port = there.listen()
    first, second = (driver(tcp.Options("127.0.0.1", port)) for _ in range(2))

    assert "" == await first.prepare()
    assert await second.prepare() in ("DEV_LOST", "DEV_TIMEOUT", "DEV_UNREACHABLE")
    reply = await first.run(order(), lambda: None)
    first.close()
    second.close()
    await there.stop()

    assert "approved" == reply.verdict.value


class Acquirer(Protocol):
    """Answers every message with itself turned round, in two pieces."""

    def dataReceived(self, data: bytes) -> None:
        answer = data[:2] + data[:1:-1]
        self.transport.write(answer[:3])
        reactor.callLater(0.02, self.transport.write, answer[3:])


@pytest_twisted.ensureDeferred
async def test_a_message_for_the_acquirer_is_carried_unread_when_configured():
    listening = reactor.listenTCP(0, Factory.forProtocol(Acquirer), interface="127.0.0.1")
    told: Deferred[Frame] = Deferred()
    relay = Relay(reactor, "127.0.0.1", listening.getHost().port, told.callback)
    message = b"\x00\x04" + b"\x60\x02\x03\x1c"

    relay.carry(Frame(5, 7, message))
    relay.carry(Frame(5, 8, message))
    answer = await told
    await listening.stopListening()

    assert Frame(6, 7, b"\x00\x04\x1c\x03\x02\x60") == answer
