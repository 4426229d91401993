"""Puts a printer together: directory, journal, machine, cable, socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fep.env import RealClock
from fep.sim.dice import Dice
from fep.sim.printer.cable import Cable
from fep.sim.printer.glyphs import typeface
from fep.sim.printer.journal import Journal, Teller
from fep.sim.printer.knobs import Knobs
from fep.sim.printer.machine import Printer
from fep.sim.printer.profiles import PROFILES
from fep.sim.printer.server import Station
from fep.sim.printer.sheets import Tray


def make_printer(
    clock: Any,
    paper: Path,
    *,
    profile: str = "epson_full",
    knobs: Knobs | None = None,
    png: bool = True,
    now_ms: Callable[[], int] | None = None,
    tell: Teller | None = None,
) -> Printer:
    """Return a printer that prints into the directory `paper`.

    Raises FontMissing without a Chinese font, KeyError for an unknown profile.
    """
    typeface()
    now = now_ms or _now_ms
    chosen = PROFILES[profile]
    tray = Tray(paper, chosen.width_dots, now, png=png)
    journal = Journal(paper, now, tell=tell) if tell else Journal(paper, now)
    return Printer(clock, chosen, tray, journal, knobs or Knobs())


def make_station(
    reactor: Any,
    paper: Path,
    *,
    profile: str = "epson_full",
    knobs: Knobs | None = None,
    seed: int = 0,
    png: bool = True,
    now_ms: Callable[[], int] | None = None,
    tell: Teller | None = None,
) -> Station:
    """Return a printer with a network socket that does not listen yet; see `Station.start`."""
    printer = make_printer(
        reactor, paper, profile=profile, knobs=knobs, png=png, now_ms=now_ms, tell=tell
    )
    return Station(reactor, printer, Cable(printer.knobs, Dice("printer", seed)))


def _now_ms() -> int:
    return int(RealClock().wall().timestamp() * 1000)
