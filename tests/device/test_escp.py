"""A form printer says nothing: accepted at best, uncertain when in doubt, never printed."""

from __future__ import annotations

import os
import tty
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from drivers.escp import codec
from drivers.transports import lpd, serial, usblp
from fep.domain.printing import Form, FormText, Outcome, Slip
from fep.sim.form.machine import MAKES, Machine
from fep.sim.form.station import sheet_units
from tests.device.form_rig import HEARD_S, SHEET_MM, driver, form_rig, over, small
from tests.device.test_transports import daemon


@pytest_twisted.ensureDeferred
async def test_sheets_that_left_whole_are_accepted_and_never_called_printed(tmp_path: Path):
    async with form_rig(tmp_path) as r:
        outcomes = [(await r.printer.print(small(name), "aa01")).outcome for name in "甲乙丙"]
        await r.settled()

        assert [Outcome.ACCEPTED] * 3 == outcomes
        assert ["甲首▒甲末", "乙首▒乙末", "丙首▒丙末"] == [sheet["text"] for sheet in r.sheets()]
        assert 0 == r.station.machine.drift_mm


@pytest_twisted.ensureDeferred
async def test_the_line_cut_at_every_byte_is_uncertain_and_the_next_sheet_is_whole(tmp_path: Path):
    async with form_rig(tmp_path) as r:
        await r.printer.print(small("甲"), "aa01")
        size = r.station.received
    wrong = []
    async with form_rig(tmp_path / "cut") as r:
        # What goes before the job of a new driver ends an image of an earlier run.
        before = len(codec.FLUSH)
        for at in (1, before - 1, *range(before, size + 1)):
            r.station.hang_up_at = at

            cut = await driver(r.reactor, r.station.port, HEARD_S).print(small("乙"), "aa02")
            # A person tears the sheet off and loads the next one.
            r.station.hang_up_at = 0
            r.station.machine.align()
            begun = r.station.tray.count
            await r.settled()
            after = await r.printer.print(small("丙"), "aa03")
            await r.settled()

            whole = [sheet["text"] for sheet in r.sheets()[begun:]]
            # Of the last byte it may be known too late that the line broke with it.
            allowed = {Outcome.UNCERTAIN, Outcome.ACCEPTED} if at == size else {Outcome.UNCERTAIN}
            if (
                cut.outcome not in allowed
                or after.outcome is not Outcome.ACCEPTED
                or whole != ["丙首▒丙末"]
            ):
                wrong.append((at, cut, after, whole))
            for old in r.paper.glob("*.json"):
                old.unlink()
            r.station.tray.count = 0

    assert [] == wrong


@pytest_twisted.ensureDeferred
async def test_a_printer_that_takes_no_bytes_is_uncertain_in_time():
    from twisted.internet import reactor

    printer_end, port = os.openpty()
    printer = over(reactor, serial.Options(os.ttyname(port)))
    # Far more than a port holds: nobody reads at the other end.
    full = tuple(FormText("票据" * 20, 5.0, 3.0 + n * 0.2) for n in range(80))

    result = await printer.print(Form("full", 190.0, SHEET_MM, full), "aa01")

    printer.close()
    os.close(printer_end)
    os.close(port)
    assert (Outcome.UNCERTAIN, "DEV_TIMEOUT") == (result.outcome, result.fault)


@pytest.mark.parametrize("kind", [serial.Options, usblp.Options])
@pytest_twisted.ensureDeferred
async def test_a_form_goes_over_a_port_as_it_is(kind: Any):
    from twisted.internet import reactor

    printer_end, port = os.openpty()
    tty.setraw(port)
    printer = over(reactor, kind(os.ttyname(port)))

    result = await printer.print(small("甲"), "aa01")
    sheets = _read(os.read(printer_end, 4096))

    printer.close()
    os.close(printer_end)
    os.close(port)
    assert Outcome.ACCEPTED is result.outcome
    assert ["甲首▒甲末"] == sheets


def _read(data: bytes) -> list[str]:
    """Return what a printer makes of the bytes of whole sheets."""
    sheets: list[str] = []
    machine = Machine(MAKES["lq"], sheet_units(SHEET_MM), lambda n, band: sheets.append(
        "".join(mark.char or "▒" for mark in band.marks)))  # fmt: skip
    machine.receive(data)
    return sheets


@pytest_twisted.ensureDeferred
async def test_a_form_goes_through_a_print_queue_as_it_is():
    from twisted.internet import reactor

    async with daemon() as (port, jobs):
        printer = over(reactor, lpd.Options("127.0.0.1", "lp", port, reopen_gap_s=0))
        result = await printer.print(small("甲"), "aa01")
        printer.close()
    async with daemon(b"silent") as (port, _torn):
        printer = over(reactor, lpd.Options("127.0.0.1", "lp", port, reopen_gap_s=0))
        torn = await printer.print(small("乙"), "aa02")
        printer.close()

    assert [Outcome.ACCEPTED, Outcome.UNCERTAIN] == [result.outcome, torn.outcome]
    assert [["甲首▒甲末"]] == [_read(job) for job in jobs]


@pytest_twisted.ensureDeferred
async def test_the_status_lines_of_a_usb_port_keep_a_job_back_or_leave_it_in_doubt():
    from twisted.internet import reactor

    printer_end, port = os.openpty()
    tty.setraw(port)
    printer = over(reactor, usblp.Options(os.ttyname(port)))
    told = iter([("PRN_PAPER_END",), ("PRN_OFFLINE",), (), ("PRN_PAPER_END",)])
    printer.ask_lines = lambda _descriptor: next(told)  # type: ignore[method-assign]  # a port of the test

    status = await printer.status()
    kept = await printer.print(small("甲"), "aa01")
    os.set_blocking(printer_end, False)
    with pytest.raises(BlockingIOError):
        os.read(printer_end, 1)
    torn = await printer.print(small("甲"), "aa02")

    printer.close()
    os.close(printer_end)
    os.close(port)
    assert ("PRN_PAPER_END",) == status
    assert (Outcome.NOT_PRINTED, "PRN_OFFLINE") == (kept.outcome, kept.fault)
    assert (Outcome.UNCERTAIN, "PRN_PAPER_END") == (torn.outcome, torn.fault)


@pytest_twisted.ensureDeferred
async def test_what_fails_before_the_first_byte_is_not_printed(tmp_path: Path):
    async with form_rig(tmp_path) as r:
        other = driver(r.reactor, r.station.port)
        beside = Form("f", 190.0, SHEET_MM, (FormText("x", 300.0, 4.0),))
        results = [
            await r.printer.print(Slip(()), "aa01"),
            await r.printer.print(beside, "aa02"),
            await r.printer.print(Form("f", 190.0, SHEET_MM, (FormText("\x07", 3, 4),)), "aa03"),
        ]
        await r.station.stop()
        await deferLater(r.reactor, 0)
        results.append(await other.print(small("甲"), "aa04"))

        assert {Outcome.NOT_PRINTED} == {result.outcome for result in results}
        assert ["DEV_CONFIG", "FRM_OFF_SHEET", "PRN_TEXT"] == [r.fault for r in results[:3]]
        assert results[3].fault.startswith("DEV_")
        assert 0 == r.station.received


@pytest_twisted.ensureDeferred
async def test_after_a_restart_a_torn_image_does_not_swallow_the_next_job(tmp_path: Path):
    async with form_rig(tmp_path) as r:
        # Within the image of the rare character.
        r.station.hang_up_at = len(codec.FLUSH) + 90
        await r.printer.print(small("甲"), "aa01")
        await deferLater(r.reactor, 0.01)
        fresh = driver(r.reactor, r.station.port)
        # The printer was not switched off: its parser still waits for the rest.
        result = await fresh.print(small("乙"), "aa02")
        fresh.close()
        await r.settled()

        assert Outcome.ACCEPTED is result.outcome
        assert "乙首▒乙末" in "".join(sheet["text"] for sheet in r.sheets())
