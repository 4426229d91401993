"""The outcome rule of a receipt printer, over a real TCP connection."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from drivers import escpos
from drivers.transports import tcp
from fep.domain.printing import Outcome, PrintResult, Slip, Text
from fep.env import RealClock
from tests.device.bench import FAST, FakeRasteriser, bearing, bench, make, slower, small, whole

PROOFS = [
    pytest.param({"process_id": True}, "process_id", id="process-id"),
    pytest.param({"process_id": False}, "fence", id="fence"),
]


@pytest.mark.parametrize(("abilities", "proof"), PROOFS)
@pytest_twisted.ensureDeferred
async def test_a_proved_sheet_is_printed_whole_and_once(abilities, proof):
    async with bench(**abilities) as b:
        results = [
            await b.printer.print(small(name), f"id0{at}") for at, name in enumerate(("甲1", "甲2"))
        ]

        assert [PrintResult(Outcome.PRINTED, "", proof)] * 2 == results
        assert [True, True] == [
            whole(sheet.lines, name)
            for sheet, name in zip(b.device.sheets, ("甲1", "甲2"), strict=True)
        ]
        assert ["qr-甲1", "qr-甲2"] == [sheet.qr[0] for sheet in b.device.sheets]
        assert [] == b.device.odd


@pytest_twisted.ensureDeferred
async def test_a_device_without_proof_is_accepted_not_printed():
    async with bench(slower(FAST, gs_r=False), process_id=False) as b:
        result = await b.printer.print(small("乙1"), "id01")

        assert Outcome.ACCEPTED == result.outcome


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("paper_end", "PRN_PAPER_END"),
        ("cover_open", "PRN_COVER_OPEN"),
        ("cutter_jam", "PRN_CUTTER"),
        ("mute", "DEV_TIMEOUT"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_unfit_device_is_refused_by_cause_before_the_first_byte(fault, code):
    async with bench() as b:
        b.device.jam_stays = True
        setattr(b.device, fault, True)

        result = await b.printer.print(small("丙1"), "id01")

        assert (Outcome.NOT_PRINTED, code) == (result.outcome, result.fault)
        assert [] == bearing(b.device, "丙1")


@pytest.mark.parametrize(("abilities", "proof"), PROOFS)
@pytest.mark.parametrize("line", [1, 2, 3, 4])
@pytest_twisted.ensureDeferred
async def test_paper_end_at_any_line_is_uncertain_and_its_rest_never_comes(abilities, proof, line):
    async with bench(**abilities) as b:
        assert (await b.printer.print(small("丁0"), "id00")).outcome is Outcome.PRINTED
        b.device.lines_left = line

        torn = await b.printer.print(small("丁1"), "id01")
        refused = await b.printer.print(small("丁2"), "id02")
        b.device.load_paper()
        printed = await b.printer.print(small("丁2"), "id03")

        assert (Outcome.UNCERTAIN, "PRN_PAPER_END") == (torn.outcome, torn.fault)
        assert (Outcome.NOT_PRINTED, "PRN_PAPER_END") == (refused.outcome, refused.fault)
        assert PrintResult(Outcome.PRINTED, "", proof) == printed
        assert 1 == len(bearing(b.device, "丁1"))
        assert ["【打印中断，残联作废】"] == bearing(b.device, "丁1")[0][line:]
        assert [True] == [whole(lines, "丁2") for lines in bearing(b.device, "丁2")]


@pytest_twisted.ensureDeferred
async def test_cover_opened_before_the_fence_is_uncertain():
    async with bench() as b:
        await b.printer.print(small("戊0"), "id00")
        b.device.open_cover_at_cut = True

        result = await b.printer.print(small("戊1"), "id01")

        assert (Outcome.UNCERTAIN, "PRN_COVER_OPEN") == (result.outcome, result.fault)


@pytest.mark.parametrize(("abilities", "proof"), PROOFS)
@pytest_twisted.ensureDeferred
async def test_silence_after_the_body_is_uncertain_and_the_next_sheet_is_not_proved_by_it(
    abilities, proof
):
    async with bench(**abilities) as b:
        await b.printer.print(small("己0"), "id00")
        b.device.mute_after_cut = True

        silent = await b.printer.print(small("己1"), "id01")
        b.device.mute = b.device.mute_after_cut = False
        result = await b.printer.print(small("己2"), "id02")

        assert (Outcome.UNCERTAIN, "DEV_TIMEOUT") == (silent.outcome, silent.fault)
        assert PrintResult(Outcome.PRINTED, "", proof) == result
        assert [True] == [whole(lines, "己2") for lines in bearing(b.device, "己2")]


@pytest_twisted.ensureDeferred
async def test_the_process_id_of_another_job_proves_nothing():
    async with bench(process_id=True) as b:
        await b.printer.print(small("午0"), "id00")
        b.device.wrong_id = b"id00"

        result = await b.printer.print(small("午1"), "id01")

        assert (Outcome.UNCERTAIN, "DEV_TIMEOUT") == (result.outcome, result.fault)


@pytest_twisted.ensureDeferred
async def test_a_fence_that_tells_of_no_paper_proves_nothing():
    """Some makes answer in order although their paper is out."""
    async with bench(process_id=False) as b:
        await b.printer.print(small("午2"), "id00")
        b.device.paper_seen = b"\x0c"

        result = await b.printer.print(small("午3"), "id01")

        assert (Outcome.UNCERTAIN, "PRN_PAPER_END") == (result.outcome, result.fault)


@pytest_twisted.ensureDeferred
async def test_the_late_fence_of_an_earlier_job_proves_nothing():
    profile = slower(FAST, settle_s=0.3, fence_min_s=0.5, probe_process_id=False)
    async with bench(profile) as b:
        await b.printer.print(small("未0"), "id00")
        # Job 1 is silent; its reply comes with the one that settles; job 2 is silent again.
        b.device.fence_plan = [(), (0.0, 0.1), ()]

        silent = await b.printer.print(small("未1"), "id01")
        after = await b.printer.print(small("未2"), "id02")

        assert (Outcome.UNCERTAIN, Outcome.UNCERTAIN) == (silent.outcome, after.outcome)


@pytest_twisted.ensureDeferred
async def test_a_device_that_cannot_clear_prints_its_rest_before_the_next_sheet():
    async with bench(process_id=False) as b:
        b.device.clears = False
        await b.printer.print(small("庚0"), "id00")
        b.device.lines_left = 2
        torn = await b.printer.print(small("庚1"), "id01")
        b.device.load_paper()

        result = await b.printer.print(small("庚2"), "id02")

        assert Outcome.UNCERTAIN == torn.outcome
        assert Outcome.PRINTED == result.outcome
        assert 1 == len(bearing(b.device, "庚1"))
        assert [True] == [whole(lines, "庚2") for lines in bearing(b.device, "庚2")]


@pytest_twisted.ensureDeferred
async def test_a_port_in_other_hands_is_busy_and_nothing_is_printed():
    async with bench() as b:
        b.device.refuse_second = True
        assert () == await b.printer.status()
        other = b.another()

        result = await other.print(small("辛1"), "id01")
        other.close()

        assert (Outcome.NOT_PRINTED, "DEV_BUSY") == (result.outcome, result.fault)


@pytest_twisted.ensureDeferred
async def test_a_shared_printer_is_given_back_after_every_job():
    async with bench(process_id=False) as b:
        b.device.refuse_second = True
        options = escpos.Options(tcp.Options("127.0.0.1", b.port, 0.5, 1, 0.02, shared=True))
        tills = [
            escpos.create(b.reactor, RealClock(), options, b.rasteriser, FAST) for _ in range(2)
        ]
        results = []
        for at in range(4):
            results.append(await tills[at % 2].print(small(f"申{at}"), f"id0{at}"))
            await deferLater(b.reactor, 0.02)

        assert [PrintResult(Outcome.PRINTED, "", "fence")] * 4 == results
        assert [True] * 4 == [
            whole(sheet.lines, f"申{at}") for at, sheet in enumerate(b.device.sheets)
        ]


@pytest_twisted.ensureDeferred
async def test_nobody_at_the_port_is_busy_or_unreachable_and_nothing_is_printed():
    async with bench() as b:
        port = b.port
        reactor = b.reactor

    result = await make(reactor, port, FakeRasteriser()).print(small("壬1"), "id01")

    assert Outcome.NOT_PRINTED == result.outcome
    assert result.fault in ("DEV_BUSY", "DEV_UNREACHABLE")


@pytest_twisted.ensureDeferred
async def test_a_lost_idle_connection_costs_nothing():
    async with bench() as b:
        await b.printer.print(small("癸1"), "id01")
        b.device.wire.transport.abortConnection()
        await deferLater(b.reactor, 0.01)

        result = await b.printer.print(small("癸2"), "id02")

        assert Outcome.PRINTED == result.outcome


@pytest_twisted.ensureDeferred
async def test_a_character_without_glyph_is_told_and_nothing_is_sent():
    async with bench(missing="䶮") as b:
        result = await b.printer.print(Slip((Text("欧阳䶮"),)), "id01")

        assert (Outcome.NOT_PRINTED, "PRN_CHAR") == (result.outcome, result.fault)
        assert [] == b.device.sheets


@pytest_twisted.ensureDeferred
async def test_hostile_text_is_refused_and_commands_nothing():
    async with bench() as b:
        for text in ("张\x1dV\x00三", "李\x10\x14\x08四", "王\x1b@五", "赵\u202e六"):
            result = await b.printer.print(Slip((Text(text),)), "id01")

            assert (Outcome.NOT_PRINTED, "PRN_TEXT") == (result.outcome, result.fault)
        assert [] == b.device.sheets


@pytest_twisted.ensureDeferred
async def test_a_line_of_twenty_kilobytes_is_printed_whole():
    async with bench() as b:
        text = "票据" * 3000

        result = await b.printer.print(Slip((Text(text),)), "id01")

        assert Outcome.PRINTED == result.outcome
        assert text == "".join(b.device.sheets[-1].lines)


@pytest_twisted.ensureDeferred
async def test_a_printer_that_says_to_be_another_one_gets_no_job():
    async with bench() as b:
        options = escpos.Options(tcp.Options("127.0.0.1", b.port, 0.5, 1, 0.0), "OTHER")
        printer = escpos.create(b.reactor, RealClock(), options, b.rasteriser, FAST)

        result = await printer.print(small("子1"), "id01")
        printer.close()

        assert (Outcome.NOT_PRINTED, "DEV_IDENTITY") == (result.outcome, result.fault)
