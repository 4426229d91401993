"""The life of a device over real TCP: identity, swaps, sharing, and coming back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import pytest_twisted

from drivers import escpos, ipp
from fep.services.devices_check import report
from fep.sim.printer.profiles import PROFILES
from fep.store import devices as notes
from fep.store.devices import Word
from tests.device.bench import slower
from tests.device.rig import Rig, rig
from tests.device.test_escpos_simulator import MAKES, QUICK
from tests.device.test_spool_paper import Site, _site

EPSON = ("epson_full", "epson-80")
WORD = Word("li(1000)", "换机")


def _row(site: Site):
    return site.spool.devices()[0]


async def _ready(site: Site) -> None:
    await site.until(lambda: _row(site).state == "ready")


async def _swap(r: Rig, serial: str) -> None:
    """Put another printer of the same make at the same socket."""
    profile = replace(r.station.printer.profile, serial=serial)
    r.station.printer.profile = r.station.printer._interpreter._profile = profile
    await r.station.restart(0.02)


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_every_make_says_who_it_is_without_paper(tmp_path: Path, make, profile):
    async with _site(tmp_path, make, profile) as (r, site):
        known = PROFILES[make]
        await site.until(lambda: _row(site).identity == f"{known.model} {known.serial}")
        told = await site.spool.loop("p1").ask(lambda: report(site.spool.loop("p1").life))

        assert told.ok
        assert ["driver", "open", "identity", "condition", "proof"] == [
            line.name for line in told.lines
        ]
        assert [] == r.sheets()


@pytest_twisted.ensureDeferred
async def test_a_swapped_printer_gets_no_job_until_a_person_accepts_it(tmp_path: Path):
    async with _site(tmp_path, *EPSON) as (r, site):
        await site.until(lambda: _row(site).identity != "")
        await _swap(r, "OTHER")
        await site.add(1)
        await site.until(lambda: _row(site).state == "failed")
        refused = (_row(site).faults, r.sheets(), site.states())

        life = site.spool.loop("p1").life
        await site.store.do("reset", notes.reset_txn, "p1", WORD)
        life.reset(life.settings)
        site.spool.loop("p1").look_again()
        await site.until(lambda: site.states() == {"printed": 1})
        await site.until(lambda: _row(site).identity != "")

        assert (("DEV_IDENTITY",), [], {"due": 1}) == refused
        assert "OTHER" == site.store.read(notes.notes_q)["p1"].identity.serial


@pytest_twisted.ensureDeferred
async def test_the_same_printer_comes_back_by_itself(tmp_path: Path):
    async with _site(tmp_path, *EPSON) as (r, site):
        await site.until(lambda: _row(site).identity != "")
        await r.station.power_off()
        await site.until(lambda: _row(site).state in ("degraded", "lost"))
        r.station.power_on()
        await _ready(site)
        await site.add(1)
        await site.until(lambda: site.states() == {"printed": 1})

        assert 1 == len(r.sheets())


@pytest_twisted.ensureDeferred
async def test_a_printer_that_comes_back_without_paper_is_still_itself(tmp_path: Path):
    async with _site(tmp_path, *EPSON) as (r, site):
        await site.until(lambda: _row(site).identity != "")
        r.station.printer.state.rows_left = 0
        r.station.printer.settle()
        await r.station.restart(0.02)
        await site.until(lambda: "PRN_PAPER_END" in _row(site).faults)
        seen = _row(site).state
        r.station.printer.load_paper(100_000)
        await _ready(site)

        assert "degraded" == seen


async def _in_turn(printer: escpos.EscposPrinter) -> tuple[str, ...]:
    """Ask a printer that another till lets go of: the simulator notices a moment later."""
    for _ in range(100):
        faults = await printer.status()
        if faults != ("DEV_BUSY",):
            break
    return faults


@pytest_twisted.ensureDeferred
async def test_a_shared_printer_is_free_for_others_after_it_said_who_it_is(tmp_path: Path):
    profile = slower(escpos.load("epson-80"), **QUICK)
    async with rig(tmp_path, "epson_full", profile) as r:
        options = replace(r.printer._options.transport, shared=True)
        mine = escpos.create(
            r.reactor, r.printer._clock, escpos.Options(options), r.printer._rasteriser, profile
        )
        said = await mine.identify()
        others = await _in_turn(r.printer)
        mine.expect(said.model, said.serial)
        r.printer.close()

        assert ("TM-T88VI", "SIM0000001") == (said.model, said.serial)
        assert ((), ()) == (others, await _in_turn(mine))
        mine.close()


def test_options_of_a_page_printer_stand_above_its_profile():
    raw = {"transport": {"type": "ipp", "host": "h"}, "options": {"job_s": 300}}
    printer = ipp.create(None, None, ipp.parse_options(raw), None, ipp.load("a5"))

    assert ("iso_a5_148x210mm", 300) == (printer._profile.media, printer._profile.job_s)
    for wrong in ({"jobs": 1}, {"media": 5}):
        options = ipp.parse_options({**raw, "options": wrong})
        with pytest.raises(ipp.BadProfile):
            ipp.create(None, None, options, None, ipp.load("a5"))


def test_options_of_a_device_stand_above_its_profile():
    raw = {
        "transport": {"type": "tcp", "host": "h"},
        "options": {"cutter": False, "cut_n": 3, "settle_s": 1},
    }
    printer = escpos.create(None, None, escpos.parse_options(raw), None, escpos.load("hprt-80"))

    assert (False, 3, 4000) == (
        printer._profile.cutter, printer._profile.cut_n, printer._profile.bytes_per_s
    )  # fmt: skip
    for wrong in ({"cuter": False}, {"cutter": 1}):
        options = escpos.parse_options({**raw, "options": wrong})
        with pytest.raises(escpos.BadProfile):
            escpos.create(None, None, options, None, escpos.load("hprt-80"))
