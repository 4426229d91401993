"""Simulators of receipt printers, as the device kit wants them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred

from fep.sim.printer.build import make_printer, make_station
from fep.sim.printer.knobs import Knobs
from fep.sim.printer.machine import Printer
from fep.sim.printer.spooler import Spooler
from fep.testing.bench import Sheet
from tests.device import peer
from tests.device.ipp_peer import Peer

ROWS_A_LINE = 32


class PeerPrinter:
    """The small printer of the driver tests, written from the manuals alone."""

    def __init__(self, reactor: Any, **abilities: bool) -> None:
        self.device = peer.Printer(**abilities)
        self._listening = reactor.listenTCP(0, self.device, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    def sheets(self) -> list[Sheet]:
        found = [(sheet, True) for sheet in self.device.sheets]
        found += [(self.device.torn, False)] if not self.device.torn.blank else []
        return [Sheet("\n".join(s.lines), whole, tuple(s.qr)) for s, whole in found]

    def paper_for(self, lines: int) -> None:
        self.device.lines_left = lines

    def load_paper(self) -> None:
        self.device.load_paper()

    def cover_at_cut(self) -> None:
        self.device.open_cover_at_cut = True

    def close_cover(self) -> None:
        self.device.close_cover()

    async def stop(self) -> None:
        await maybeDeferred(self._listening.stopListening)
        if self.device.wire is not None:
            self.device.wire.transport.abortConnection()


class Simulated:
    """The paper of a `fepsim printer` in this process."""

    def __init__(self, printer: Printer, paper: Path) -> None:
        self.printer = printer
        self._paper = paper
        self._read: list[Sheet] = []
        self.port = 0

    def sheets(self) -> list[Sheet]:
        while (file := self._paper / f"sheet-{len(self._read) + 1:06d}.json").exists():
            told = json.loads(file.read_text("utf-8"))
            self._read.append(Sheet("\n".join(told["lines"]), told["cut"], tuple(told["qr"])))
        hanging = self.printer._piece
        loose = [Sheet("\n".join(hanging.lines), False, tuple(hanging.qr))]
        return self._read + loose * bool(hanging.lines)

    def paper_for(self, lines: int) -> None:
        self.printer.state.rows_left = lines * ROWS_A_LINE

    def load_paper(self) -> None:
        self.printer.load_paper(1_000_000)

    def cover_at_cut(self) -> None:
        """Open it as soon as the sheet has fallen."""
        state, journal = self.printer.state, self.printer.journal
        write = journal.write

        def opened(event: str, **facts: object) -> None:
            write(event, **facts)
            if event == "sheet":
                journal.write = write  # type: ignore[method-assign]  # a spy, once
                state.cover_open = True
                self.printer.settle()

        journal.write = opened  # type: ignore[method-assign]  # a spy, once

    def close_cover(self) -> None:
        self.printer.state.cover_open = False
        self.printer.settle()


class StationPrinter(Simulated):
    """`fepsim printer` on the network."""

    def __init__(self, reactor: Any, place: Path, make: str) -> None:
        knobs = Knobs(cut_s=0.0, second_client="reset")
        self.station = make_station(reactor, place / "paper", profile=make, knobs=knobs, png=False)
        super().__init__(self.station.printer, place / "paper")

    async def start(self) -> StationPrinter:
        self.port = await self.station.start()
        return self

    async def stop(self) -> None:
        await self.station.stop()


class SpooledPrinter(Simulated):
    """`fepsim printer` behind a print server."""

    def __init__(self, reactor: Any, place: Path, make: str) -> None:
        knobs = Knobs(cut_s=0.0)
        printer = make_printer(reactor, place / "paper", profile=make, knobs=knobs, png=False)
        self._spooler = Spooler(reactor, printer)
        super().__init__(printer, place / "paper")

    async def start(self) -> SpooledPrinter:
        self.port = await self._spooler.start()
        return self

    async def stop(self) -> None:
        await self._spooler.stop()
        self.printer.put_away()


class EvePrinter:
    """ippeveprinter; its sheets are the PDF files it was given."""

    def __init__(self, place: Path) -> None:
        home = place / "eve"
        home.mkdir()
        self._peer = Peer(home)
        self.port = self._peer.port

    def sheets(self) -> list[Sheet]:
        return [Sheet(page.decode("utf-8", "replace"), True) for page in self._peer.pages()]

    def paper_for(self, lines: int) -> None:
        (self._peer.place / "empty").touch()

    def load_paper(self) -> None:
        (self._peer.place / "empty").unlink()

    def cover_at_cut(self) -> None:
        """It has no cover."""

    def close_cover(self) -> None:
        """It has no cover."""

    async def stop(self) -> None:
        self._peer.close()
