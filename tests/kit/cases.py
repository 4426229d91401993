"""Our drivers at the device kit. The table of quality in the README is made from these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers import escpos, ipp
from drivers.escpos import status
from drivers.transports import Reached, lpd, serial, tcp, usblp
from fep.domain.printing import Outcome
from fep.env import RealClock
from fep.testing.bench import BarRasteriser
from fep.testing.cable import Cable, Way
from fep.testing.printers import PageKit, PrinterKit
from tests.device.bench import FAST, slower
from tests.kit.sims import EvePrinter, PeerPrinter, SpooledPrinter, StationPrinter
from tests.kit.usblp_cable import UsblpCable


def _transport(way: Way) -> Reached:
    if way.path:
        return serial.Options(way.path)
    return tcp.Options(way.host, way.port, 0.5, 1, 0.0)


class Escpos(PrinterKit):
    """What both ways to a receipt printer share."""

    driver = "escpos"
    profile = FAST

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> escpos.EscposPrinter:
        options = escpos.Options(_transport(way), model)
        return escpos.create(reactor, RealClock(), options, rasteriser, self.profile)

    def make_stranger(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser
    ) -> escpos.EscposPrinter:
        return self.make_driver(reactor, way, rasteriser, "another model")

    def make_parser(self) -> Callable[[bytes], Sequence[object]]:
        return status.Parser().feed


class EscposOverTcp(Escpos):
    """Receipt printers with process ids, on the network."""

    tried_on = "fepsim printer (epson_full)"

    async def make_simulator(self, reactor: Any, place: Path) -> StationPrinter:
        return await StationPrinter(reactor, place, "epson_full").start()


class EscposOverSerial(Escpos):
    """Receipt printers that only answer GS r, on a serial line."""

    way = "pty"
    tried_on = "a printer of the tests (GS r only)"
    profile = slower(FAST, settle_s=0.005, probe_process_id=False)
    exempt: Mapping[str, str] = {
        "test_the_answer_to_another_job_proves_nothing": "the answer to GS r bears no job's name",
    }

    async def make_simulator(self, reactor: Any, place: Path) -> PeerPrinter:
        return PeerPrinter(reactor, process_id=False)


class EscposOverUsblp(Escpos):
    """Receipt printers on the kernel's USB printer port; a terminal stands for the port."""

    way = "pty"
    over = "usblp"
    tried_on = "a printer of the tests; a pty stands for /dev/usb/lp*"
    profile = slower(FAST, settle_s=0.005)

    async def make_simulator(self, reactor: Any, place: Path) -> PeerPrinter:
        return PeerPrinter(reactor, process_id=True)

    def make_cable(self, reactor: Any, port: int, place: Path) -> Cable:
        return UsblpCable(reactor, port, place / "lp0")

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> escpos.EscposPrinter:
        options = escpos.Options(usblp.Options(way.path), model)
        return escpos.create(reactor, RealClock(), options, rasteriser, self.profile)


class EscposOverLpd(Escpos):
    """Receipt printers behind a print server; nothing comes back but that it has the job."""

    over = "lpd"
    tried_on = "fepsim printer behind its print server (RFC 1179)"
    proves = Outcome.ACCEPTED
    single = False
    exempt: Mapping[str, str] = {
        "test_a_device_in_other_hands_gets_no_byte": "a print server takes many clients",
        "test_paper_ends_at_every_line":
            "nothing comes back; the print server prints the rest when paper is in",
        "test_any_split_of_a_stream_gives_the_same_events":
            "an acknowledgement is one byte",
        "test_an_answer_that_comes_again_before_a_job_proves_nothing":
            "every job has a connection of its own",
    }  # fmt: skip

    async def make_simulator(self, reactor: Any, place: Path) -> SpooledPrinter:
        return await SpooledPrinter(reactor, place, "epson_full").start()

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> escpos.EscposPrinter:
        line = lpd.Options(way.host, "lp", way.port, 0.5, 0.0, ack_timeout_s=0.8)
        options = escpos.Options(line, model)
        return escpos.create(reactor, RealClock(), options, rasteriser, self.profile)


class IppOverTcp(PageKit):
    """Page printers."""

    driver = "ipp"
    tried_on = "ippeveprinter (CUPS)"
    single = False
    stride = 61
    exempt: Mapping[str, str] = {
        "test_paper_ends_at_every_line": "a page printer ends its paper between pages",
        "test_cover_opened_during_the_cut": "a page printer cuts nothing",
        "test_a_device_in_other_hands_gets_no_byte": "a print server takes many clients",
        "test_any_split_of_a_stream_gives_the_same_events": "an answer is one HTTP body",
        "test_the_answer_to_another_job_proves_nothing":
            "an answer comes on the connection of its own question",
        "test_an_answer_that_comes_again_before_a_job_proves_nothing":
            "an answer comes on the connection of its own question",
    }  # fmt: skip

    async def make_simulator(self, reactor: Any, place: Path) -> EvePrinter:
        return EvePrinter(place)

    def make_driver(
        self, reactor: Any, way: Way, rasteriser: BarRasteriser, model: str = ""
    ) -> ipp.IppPrinter:
        profile = ipp.Profile(answer_s=0.3, job_s=1.0, poll_s=0.02)
        options = ipp.Options(way.host, way.port, expect_model=model)
        return ipp.create(reactor, RealClock(), options, rasteriser, profile)

    def make_stranger(self, reactor: Any, way: Way, rasteriser: BarRasteriser) -> ipp.IppPrinter:
        return self.make_driver(reactor, way, rasteriser, "another model")
