"""Puts a driver and the peer at two ends of a real TCP connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from drivers import escpos
from drivers.transports import tcp
from fep.domain.faults import refuse
from fep.domain.printing import Columns, Qr, Rule, Slip, Text
from fep.env import RealClock
from tests.device.peer import Printer

FAST = escpos.Profile(
    status_timeout_s=0.05,
    status_tries=2,
    probe_timeout_s=0.05,
    fence_min_s=0.3,
    fence_margin_s=0.1,
    settle_s=0.05,
    poll_s=0.05,
    bytes_per_s=4000,
)


class FakeRasteriser:
    """Draws a full bar for every line; refuses what it was told to."""

    def __init__(self, missing: str = "") -> None:
        self.missing = missing
        self.asked: list[str] = []

    async def raster(self, text: str, height_dots: int, bold: bool) -> tuple[int, bytes]:
        """Return black dots of the right size."""
        self.asked.append(text)
        if set(text) & set(self.missing):
            raise refuse("PRN_CHAR", chars=self.missing)
        width = 12
        return width, b"\xff" * (width * height_dots)


@dataclass
class Bench:
    """One driver, one device."""

    reactor: Any
    port: int
    device: Printer
    printer: escpos.EscposPrinter
    rasteriser: FakeRasteriser

    def another(self, profile: escpos.Profile = FAST) -> escpos.EscposPrinter:
        """Return a second driver for the same device: another till, or after a restart."""
        return make(self.reactor, self.port, self.rasteriser, profile)


def make(
    reactor: Any, port: int, rasteriser: FakeRasteriser, profile: escpos.Profile = FAST
) -> escpos.EscposPrinter:
    """Return a driver."""
    options = escpos.Options(tcp.Options("127.0.0.1", port, 0.5, 1, 0.0))
    return escpos.create(reactor, RealClock(), options, rasteriser, profile)


@asynccontextmanager
async def bench(
    profile: escpos.Profile = FAST, missing: str = "", **abilities: bool
) -> AsyncIterator[Bench]:
    """Listen, connect, and clean up."""
    from twisted.internet import reactor

    device = Printer(**abilities)
    listening: Any = reactor.listenTCP(0, device, interface="127.0.0.1")
    rasteriser = FakeRasteriser(missing)
    port = listening.getHost().port
    printer = make(reactor, port, rasteriser, profile)
    try:
        yield Bench(reactor, port, device, printer, rasteriser)
    finally:
        printer.close()
        await listening.stopListening()
        if device.wire is not None:
            device.wire.transport.abortConnection()


def small(name: str) -> Slip:
    """Return a short slip that bears `name` in its first and its last line."""
    return Slip(
        (
            Text(f"{name} 首行", "center", bold=True, tall=True),
            Rule(),
            Columns((("诊察费", 24, "left"), ("20.00", 24, "right"))),
            Qr(f"qr-{name}"),
            Text(f"{name} 末行"),
        )
    )


def bearing(device: Printer, name: str) -> list[list[str]]:
    """Return the lines of every piece of paper that bears `name`, torn ones included."""
    return [
        sheet.lines
        for sheet in (*device.sheets, device.torn)
        if any(name in line for line in sheet.lines)
    ]


def whole(lines: list[str], name: str) -> bool:
    """Say whether a sheet has first and last line of `name` and nothing of another job."""
    shown = [line.strip() for line in lines if line.strip()]
    return shown[0] == f"{name} 首行" and shown[-1] == f"{name} 末行" and len(shown) == 4


def slower(profile: escpos.Profile, **changes: Any) -> escpos.Profile:
    """Return the profile with other values."""
    return replace(profile, **changes)
