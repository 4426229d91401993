"""Simulators of receipt printers, as the device kit wants them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred

from fep.sim.printer.build import make_station
from fep.sim.printer.knobs import Knobs
from fep.testing.bench import Sheet
from tests.device.ipp_peer import Peer
from tests.device.peer import Printer

ROWS_A_LINE = 32


class PeerPrinter:
    """The small printer of the driver tests, written from the manuals alone."""

    def __init__(self, reactor: Any, **abilities: bool) -> None:
        self.device = Printer(**abilities)
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


class StationPrinter:
    """`fepsim printer` in this process."""

    def __init__(self, reactor: Any, place: Path, make: str) -> None:
        self._paper = place / "paper"
        knobs = Knobs(cut_s=0.0, second_client="reset")
        self.station = make_station(reactor, self._paper, profile=make, knobs=knobs, png=False)
        self._read: list[Sheet] = []
        self.port = 0

    async def start(self) -> StationPrinter:
        self.port = await self.station.start()
        return self

    def sheets(self) -> list[Sheet]:
        while (file := self._paper / f"sheet-{len(self._read) + 1:06d}.json").exists():
            told = json.loads(file.read_text("utf-8"))
            self._read.append(Sheet("\n".join(told["lines"]), told["cut"], tuple(told["qr"])))
        hanging = self.station.printer._piece
        loose = [Sheet("\n".join(hanging.lines), False, tuple(hanging.qr))]
        return self._read + loose * bool(hanging.lines)

    def paper_for(self, lines: int) -> None:
        self.station.printer.state.rows_left = lines * ROWS_A_LINE

    def load_paper(self) -> None:
        self.station.printer.load_paper(1_000_000)

    def cover_at_cut(self) -> None:
        """Open it as soon as the sheet has fallen."""
        state, journal = self.station.printer.state, self.station.printer.journal
        write = journal.write

        def opened(event: str, **facts: object) -> None:
            write(event, **facts)
            if event == "sheet":
                journal.write = write  # type: ignore[method-assign]  # a spy, once
                state.cover_open = True
                self.station.printer.settle()

        journal.write = opened  # type: ignore[method-assign]  # a spy, once

    def close_cover(self) -> None:
        self.station.printer.state.cover_open = False
        self.station.printer.settle()

    async def stop(self) -> None:
        await self.station.stop()


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
