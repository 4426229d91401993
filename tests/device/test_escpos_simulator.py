"""The driver at the printer simulator, which was written by another hand from the manuals."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
import zxingcpp
from PIL import Image
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater

from drivers import escpos
from fep.domain.columns import pad
from fep.domain.printing import Outcome, PrintResult
from fep.render.slip import slip
from tests.device.bench import slower, small
from tests.device.rig import Rig, rig
from tests.unit.render.test_slip import VIEW

QUICK = {
    "probe_timeout_s": 0.1,
    "status_timeout_s": 0.1,
    "fence_min_s": 1.0,
    "fence_margin_s": 0.5,
    "settle_s": 0.1,
    "poll_s": 0.1,
}
MAKES = [
    pytest.param("epson_full", "epson-80", id="epson"),
    pytest.param("clone_no_procid", "gprinter-80", id="clone"),
    pytest.param("clone_no_asb", "xprinter-80", id="clone-no-asb"),
]


def _profile(name: str, **changes: object) -> escpos.Profile:
    return slower(escpos.load(name), **{**QUICK, **changes})


def _bearing(sheets: list[dict], name: str) -> list[dict]:
    return [sheet for sheet in sheets if any(name in line for line in sheet["lines"])]


def _whole(sheet: dict, name: str) -> bool:
    shown = [line.strip() for line in sheet["lines"] if line.strip()]
    # The simulator lists the QR code apart from the text.
    return (
        sheet["cut"]
        and len(shown) == 4
        and shown[0] == f"{name} 首行"
        and shown[-1] == f"{name} 末行"
        and sheet["qr"] == [f"qr-{name}"]
    )


async def _feed(r: Rig, rows: int) -> None:
    """Leave `rows` dot rows of paper."""
    r.station.printer.state.rows_left = rows


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_a_receipt_is_proved_and_its_qr_code_can_be_read_from_the_paper(
    tmp_path: Path, make, profile
):
    async with rig(tmp_path, make, _profile(profile), png=True) as r:
        result = await r.printer.print(slip(VIEW), "ab01")

        (sheet,) = r.sheets()
        assert Outcome.PRINTED is result.outcome
        line = pad("诊察费", 22) + pad("1/次", 12, "right") + pad("20.00", 14, "right")
        assert line in sheet["lines"]
        assert sheet["cut"]
        picture = Image.open(tmp_path / "sheet-000001.png").convert("L")
        assert [VIEW.qr] == [code.text for code in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest.mark.parametrize("rows", [10, 60, 100, 150, 200, 250])
@pytest_twisted.ensureDeferred
async def test_paper_end_anywhere_is_uncertain_and_loading_paper_gives_one_new_sheet(
    tmp_path: Path, make, profile, rows
):
    async with rig(tmp_path, make, _profile(profile)) as r:
        await r.printer.print(small("甲0"), "ab00")
        await _feed(r, rows)

        torn = await r.printer.print(small("甲1"), "ab01")
        refused = await r.printer.print(small("甲2"), "ab02")
        r.station.printer.load_paper(100_000)
        await deferLater(r.reactor, 0.05)
        result = await r.printer.print(small("甲2"), "ab03")

        assert (Outcome.UNCERTAIN, "PRN_PAPER_END") == (torn.outcome, torn.fault)
        assert (Outcome.NOT_PRINTED, "PRN_PAPER_END") == (refused.outcome, refused.fault)
        assert Outcome.PRINTED is result.outcome
        assert [True] == [_whole(sheet, "甲2") for sheet in _bearing(r.sheets(), "甲2")]


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_a_jammed_cutter_is_uncertain_and_is_freed_once_it_is_clear(
    tmp_path: Path, make, profile
):
    async with rig(tmp_path, make, _profile(profile)) as r:
        await r.printer.print(small("乙0"), "ab00")
        r.station.printer.state.cutter_fails_next = True

        jammed = await r.printer.print(small("乙1"), "ab01")
        while_jammed = await r.printer.status()
        r.station.printer.state.cutter_blocked = False
        r.printer._freed_at = float("-inf")
        freed = await r.printer.status()
        result = await r.printer.print(small("乙2"), "ab02")

        assert (Outcome.UNCERTAIN, "PRN_CUTTER") == (jammed.outcome, jammed.fault)
        assert "PRN_CUTTER" in while_jammed
        assert () == freed
        assert Outcome.PRINTED is result.outcome
        assert [True] == [_whole(sheet, "乙2") for sheet in _bearing(r.sheets(), "乙2")]


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_cover_opened_while_printing_is_uncertain(tmp_path: Path, make, profile):
    async with rig(tmp_path, make, _profile(profile)) as r:
        await r.printer.print(small("丙0"), "ab00")
        r.knobs.lines_s = 20.0
        printing = ensureDeferred(r.printer.print(small("丙1"), "ab01"))
        await deferLater(r.reactor, 0.1)
        r.station.printer.state.cover_open = True
        r.station.printer.settle()

        result = await printing

        assert (Outcome.UNCERTAIN, "PRN_COVER_OPEN") == (result.outcome, result.fault)


@pytest_twisted.ensureDeferred
async def test_a_hot_head_is_waited_for(tmp_path: Path):
    async with rig(tmp_path, "epson_full", _profile("epson-80")) as r:
        await r.printer.print(small("丁0"), "ab00")
        r.knobs.lines_s = 100.0
        printing = ensureDeferred(r.printer.print(small("丁1"), "ab01"))
        await deferLater(r.reactor, 0.02)
        r.station.printer.heat(0.2)

        assert PrintResult(Outcome.PRINTED, "", "process_id") == await printing


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_power_cut_while_printing_is_uncertain_and_the_next_sheet_is_whole(
    tmp_path: Path, make, profile
):
    async with rig(tmp_path, make, _profile(profile)) as r:
        await r.printer.print(small("戊0"), "ab00")
        r.knobs.lines_s = 30.0
        printing = ensureDeferred(r.printer.print(small("戊1"), "ab01"))
        await deferLater(r.reactor, 0.1)
        await r.station.power_off()
        cut = await printing
        away = await r.printer.print(small("戊2"), "ab02")
        r.knobs.lines_s = 0.0
        r.station.power_on()

        result = await r.printer.print(small("戊2"), "ab03")

        assert (Outcome.UNCERTAIN, "DEV_LOST") == (cut.outcome, cut.fault)
        assert Outcome.NOT_PRINTED is away.outcome
        assert Outcome.PRINTED is result.outcome
        assert [True] == [_whole(sheet, "戊2") for sheet in _bearing(r.sheets(), "戊2")]


@pytest.mark.parametrize(
    ("how", "faults"),
    [("refuse", {"DEV_BUSY"}), ("reset", {"DEV_BUSY", "DEV_LOST"}), ("hang", {"DEV_TIMEOUT"})],
)
@pytest_twisted.ensureDeferred
async def test_a_printer_another_till_holds_gets_no_byte_of_ours(tmp_path: Path, how, faults):
    async with rig(tmp_path, "epson_full", _profile("epson-80")) as r:
        r.knobs.second_client = how
        assert () == await r.printer.status()
        other = escpos.create(
            r.reactor, r.printer._clock, r.printer._options, r.printer._rasteriser,
            _profile("epson-80"),
        )  # fmt: skip

        result = await other.print(small("己1"), "ab01")
        other.close()

        assert Outcome.NOT_PRINTED is result.outcome
        assert result.fault in faults
        assert [] == r.sheets()


@pytest_twisted.ensureDeferred
async def test_a_mute_printer_gets_no_job(tmp_path: Path):
    async with rig(tmp_path, "mute", _profile("xprinter-80")) as r:
        result = await r.printer.print(small("庚1"), "ab01")

        assert (Outcome.NOT_PRINTED, "DEV_TIMEOUT") == (result.outcome, result.fault)
        assert [] == r.sheets()


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_late_replies_change_nothing(tmp_path: Path, make, profile):
    async with rig(tmp_path, make, _profile(profile)) as r:
        r.knobs.latency_s = 0.02

        results = [await r.printer.print(small(f"辛{at}"), f"ab0{at}") for at in range(3)]

        assert [Outcome.PRINTED] * 3 == [result.outcome for result in results]
        assert 3 == len(r.sheets())


@pytest.mark.parametrize(("make", "profile"), MAKES)
@pytest_twisted.ensureDeferred
async def test_a_link_that_breaks_at_any_tenth_byte_never_gives_a_second_sheet(
    tmp_path: Path, make, profile
):
    wrong = []
    # Both ends turn in one reactor: what the old job still says comes before any pause ends.
    async with rig(tmp_path, make, _profile(profile, settle_s=0.03)) as r:
        await r.printer.print(small("壬壬"), "ab00")
        before = r.station.printer.received_bytes
        await r.printer.print(small("壬壬"), "ab01")
        size = r.station.printer.received_bytes - before
        for at in range(1, size, 10):
            name = f"癸{at:04d}"
            r.knobs.hang_up_at = at
            cut = await r.printer.print(small(name), "ab02")
            r.knobs.hang_up_at = 0
            while (after := await r.printer.print(small(f"{name}+"), "ab03")).fault in (
                "DEV_BUSY", "DEV_UNREACHABLE"
            ):  # fmt: skip
                await deferLater(r.reactor, 0.01)
            sheets = r.sheets()
            first = [s for s in _bearing(sheets, name) if not _bearing([s], f"{name}+")]
            second = [_whole(sheet, f"{name}+") for sheet in _bearing(sheets, f"{name}+")]
            allowed = 1 if cut.outcome is Outcome.UNCERTAIN else 0
            if len(first) > allowed or second != [True] or after.outcome is not Outcome.PRINTED:
                wrong.append((at, cut, after, len(first), second))

    assert [] == wrong
