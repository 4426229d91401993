"""Form printers (套打) at the device kit: the driver, and its simulator with a person beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers import escp
from drivers.transports import tcp
from fep.domain.printing import Form, FormText, Outcome, Paper
from fep.env import RealClock
from fep.sim.form.picture import Blank
from fep.sim.form.station import Line, Station, Tray
from fep.testing.bench import GOOD, PERSON, PERSON_ID, BarRasteriser, Sheet, head, tail
from fep.testing.cable import Way
from fep.testing.printers import HOSTILE, RARE, PrinterKit
from fep.testing.promise import promise

WIDTH_MM, SHEET_MM = 200.0, 25.4
HALF_MM = 12 / 180 * 25.4


def small_form(mark: str) -> Form:
    """Return a form: its head, a person, its tail."""
    return Form("kit", WIDTH_MM, SHEET_MM, (
        FormText(head(mark), 10.0, 3.0), FormText(f"{PERSON} {PERSON_ID}", 10.0, 9.0),
        FormText(tail(mark), 10.0, 16.0),
    ))  # fmt: skip


class Attended(Station):
    """A form printer with a person who loads the next sheet when a line broke in one."""

    def gone(self, line: Line) -> None:
        """Hear that a connection ended."""
        super().gone(line)
        self.machine.load()


class FormPrinter:
    """`fepsim form-printer` in this process."""

    def __init__(self, reactor: Any, place: Path) -> None:
        self._paper = place / "paper"
        tray = Tray(self._paper, Blank("", WIDTH_MM, SHEET_MM), png=False)
        self.station = Attended(reactor, tray, "lq", SHEET_MM)
        self.port = 0

    async def start(self) -> FormPrinter:
        """Listen."""
        self.port = await self.station.start()
        return self

    def sheets(self) -> list[Sheet]:
        """Return all sheets that left, and what is on the one that did not."""
        files = sorted(self._paper.glob("sheet-*.json"))
        told = [json.loads(file.read_text("utf-8"))["marks"] for file in files]
        bands = self.station.machine._bands
        loose = [[mark.facts() for mark in bands[number].marks] for number in sorted(bands)]
        found = [Sheet(_read(marks), True) for marks in told if marks]
        return found + [Sheet(_read(marks), False) for marks in loose]

    def paper_for(self, lines: int) -> None:
        """Nothing: it would not tell."""

    def load_paper(self) -> None:
        """Nothing: it never ended."""

    def cover_at_cut(self) -> None:
        """Nothing: it cuts nothing."""

    def close_cover(self) -> None:
        """Nothing: it is closed."""

    async def stop(self) -> None:
        """Switch off."""
        await self.station.stop()


def _read(marks: list[dict[str, Any]]) -> str:
    """Return what a person reads: lines by their height, blanks where nothing is."""
    lines: dict[float, list[dict[str, Any]]] = defaultdict(list)
    for mark in marks:
        lines[mark["y"]].append(mark)
    shown = []
    for y in sorted(lines):
        text, end = "", 0.0
        for mark in sorted(lines[y], key=lambda mark: mark["x"]):
            if text and mark["x"] - end > HALF_MM / 2:
                text += " "
            text, end = text + (mark["char"] or "▒"), mark["x"] + mark["w"]
        shown.append(text)
    return "\n".join(shown)


class EscpOverTcp(PrinterKit):
    """Form printers on a print server."""

    driver = "escp"
    tried_on = "fepsim form-printer (lq)"
    proves = Outcome.ACCEPTED
    exempt: Mapping[str, str] = {
        "test_paper_ends_at_every_line": "ESC/P says nothing; a person looks at every sheet",
        "test_cover_opened_during_the_cut": "a form printer cuts nothing",
        "test_link_killed_at_every_byte_of_the_answers": "ESC/P never answers",
        "test_another_device_in_its_place_gets_no_job": "ESC/P cannot be asked who it is",
        "test_any_split_of_a_stream_gives_the_same_events": "ESC/P never answers",
        "test_the_answer_to_another_job_proves_nothing": "ESC/P never answers",
        "test_an_answer_that_comes_again_before_a_job_proves_nothing": "ESC/P never answers",
    }

    async def make_simulator(self, reactor: Any, place: Path) -> FormPrinter:
        """Switch the simulator on."""
        return await FormPrinter(reactor, place).start()

    def make_driver(self, reactor: Any, way: Way, rasteriser: BarRasteriser) -> escp.EscpPrinter:
        """Return the driver with little patience."""
        profile = replace(
            escp.load("lq-generic"), settle_s=0.02, margin_s=0.3, bytes_per_s=1_000_000
        )
        options = escp.Options(tcp.Options(way.host, way.port, 0.5, 1, 0.0))
        return escp.create(reactor, RealClock(), options, rasteriser, profile)

    def paper(self, mark: str) -> Paper:
        """Return a form that bears the mark."""
        return small_form(mark)

    @promise("C", "汉字原样、生僻字画出")
    async def test_what_was_given_is_on_the_paper(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Words come out whole, rare ones drawn."""
        """Read the sheet."""
        async with self.bench(device_reactor, tmp_path) as b:
            mark, _ = await b.good()
            rare = await b.driver.print(
                Form("rare", WIDTH_MM, SHEET_MM, (FormText(RARE, 5.0, 5.0),)), "rar1"
            )
            await b.good()
            (sheet,) = b.bearing(mark)
            drawn = b.device.sheets()[1].text

        assert "\n".join((head(mark), f"{PERSON} {PERSON_ID}", tail(mark))) == sheet.text
        assert rare.outcome in GOOD
        assert "▒▒▒▒￥é〇" == drawn

    @promise("C", "恶意文字")
    async def test_no_text_commands_the_device(self, device_reactor: Any, tmp_path: Path) -> None:
        """No text commands the device."""
        """Give it text with commands in it."""
        async with self.bench(device_reactor, tmp_path) as b:
            for text in HOSTILE:
                form = Form("hostile", WIDTH_MM, SHEET_MM, (FormText(text, 5.0, 5.0),))
                result = await b.driver.print(form, "hos1")
                b.judge_words(result.fault, result.detail)

                assert (Outcome.NOT_PRINTED, "PRN_TEXT") == (result.outcome, result.fault)
            await b.good()
            assert 1 == len(b.device.sheets())
