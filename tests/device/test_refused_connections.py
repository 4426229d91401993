"""A refused connection over real TCP: in other hands at first, lost when it lasts, and back."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.task import deferLater

from fep.domain.payment import PayReply, Totals
from fep.env import RealClock
from fep.services.till_terminal import Guarded, make_terminal
from fep.settings_device import DeviceSettings, TransportSettings
from tests.device.test_spool_paper import _site
from tests.unit.printing.world import QuietLog


def _closed_port() -> socket.socket:
    """Return a port that is taken and refuses every connection."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder


@pytest_twisted.ensureDeferred
async def test_a_printer_that_keeps_refusing_is_lost_and_comes_back_by_itself(tmp_path: Path):
    async with _site(tmp_path, "epson_full", "epson-80") as (r, site):
        life = site.spool.loop("p1").life
        life.settings = replace(life.settings, refused_max_s=0.5)
        await site.until(lambda: life.life.state.value == "ready")
        await r.station.power_off()
        await site.until(lambda: life.life.faults == ("DEV_BUSY",))
        at_first = life.life.state.value
        await site.add(1)
        await site.until(lambda: life.life.faults == ("DEV_REFUSED",))
        later, due = life.life.state.value, dict(site.states())
        r.station.power_on()
        await site.until(lambda: site.states() == {"printed": 1})

        assert ("degraded", "lost", {"due": 1}) == (at_first, later, due)
        assert 1 == len(r.sheets())


@pytest_twisted.ensureDeferred
async def test_a_terminal_that_keeps_refusing_is_told_with_both_causes():
    holder = _closed_port()
    port = holder.getsockname()[1]
    settings = DeviceSettings(
        "pos-1", "window-1", TransportSettings(host="127.0.0.1", port=port), "mispos", "landfone",
        kind="terminal", refused_max_s=0.2,
    )  # fmt: skip
    terminal = Guarded(reactor, RealClock(), settings, make_terminal, QuietLog())
    told: list[str | PayReply | Totals] = [await terminal.prepare()]
    await deferLater(reactor, 0.25)
    told += [await terminal.prepare(), await terminal.settle()]
    terminal.close()
    holder.close()

    assert ["POS_LINE_BUSY", "POS_REFUSED", "POS_REFUSED"] == told
