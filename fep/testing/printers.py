"""Promises of a printer's driver, the whole kit (facts on devices 7.7, parts A, B, C and F).

Derive from `PrinterKit`, name the driver, say how to make its simulator and itself, run
pytest. Give the driver short timeouts: a silence costs each of them. A driver that cannot keep
a promise by nature is exempt with a reason; whatever else fails here would be a second fiscal
receipt one day.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import deferLater

from fep.domain.printing import Outcome, Page, Paper, Slip, Text
from fep.testing.bench import GOOD, PERSON, PERSON_ID, head, small_page, tail
from fep.testing.cable import until
from fep.testing.printer_life import LifePromises
from fep.testing.promise import promise

HOSTILE = (
    "张\x1dV\x00三", "李\x10\x14\x08四", "王\x1b@五", "赵\u202e六", "钱\x00七", "孙\x0c八",
    "周\nEND hos1\n九",
)  # fmt: skip
RARE = "㐀𠀀䶮・￥é〇"
LONG = "票据" * 3400
# What the cable said has been read by the driver, whatever carries it.
SETTLED_S = 0.02


class PrinterKit(LifePromises):
    """The kit over one printer driver."""

    # C: paper
    @promise("C", "任意字节处断线")
    async def test_link_killed_at_every_byte_of_a_job(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Link killed at every byte of a job."""
        async with self.bench(device_reactor, tmp_path) as b:
            size = await self.size(b)
            for at in range(1, size + 1, self.stride):
                b.cable.cut_at = b.cable.sent + at
                await b.job()
                b.cable.cut_at = None
                await b.cable.quiet()
                await b.good()

        assert size >= 1

    @promise("C", "回复任意字节处断线")
    async def test_link_killed_at_every_byte_of_the_answers(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Link killed at every byte of the answers."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            before = b.cable.answered
            await b.good()
            size = b.cable.answered - before
            for at in range(1, size + 1, self.stride):
                b.cable.cut_answer_at = b.cable.answered + at
                await b.job()
                b.cable.cut_answer_at = None
                await b.cable.quiet()
                await b.good()

        assert size >= 1

    @promise("C", "任意行处缺纸")
    async def test_paper_ends_at_every_line(self, device_reactor: Any, tmp_path: Path) -> None:
        """Paper ends at every line, and its rest never comes out."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            for lines in range(1, self.lines + 1):
                b.device.paper_for(lines)
                mark, torn = await b.job()
                _, refused = await b.job()
                b.device.load_paper()
                await b.good()

                assert torn.outcome is not Outcome.PRINTED, (lines, mark, torn)
                assert torn.fault in ("PRN_PAPER_END", ""), torn
                assert refused.outcome not in GOOD or self.proves is Outcome.ACCEPTED

    @promise("C", "切纸时开盖")
    async def test_cover_opened_during_the_cut(self, device_reactor: Any, tmp_path: Path) -> None:
        """Cover opened during the cut."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            b.device.cover_at_cut()
            _, result = await b.job()
            b.device.close_cover()
            await b.good()

        assert result.outcome is Outcome.UNCERTAIN or result.outcome is self.proves

    @promise("C", "打开后无应答")
    async def test_mute_after_open(self, device_reactor: Any, tmp_path: Path) -> None:
        """A device that went mute gets no job it could print unproved."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            b.cable.mute_at = 0
            _, result = await b.job()
            _, again = await b.job()
            b.cable.mute_at = None
            await b.good()

        assert Outcome.PRINTED not in (result.outcome, again.outcome)

    @promise("C", "打印中途无应答")
    async def test_mute_in_the_middle_of_a_job(self, device_reactor: Any, tmp_path: Path) -> None:
        """Silence in the middle of a job is not a proof."""
        async with self.bench(device_reactor, tmp_path) as b:
            size = await self.size(b)
            for part in (2, 3, 4):
                b.cable.mute_at = b.cable.sent + size - size // part
                _, result = await b.job()
                b.cable.mute_at = None
                await b.good()

                assert result.outcome is not Outcome.PRINTED

    @promise("C", "别单回执不作凭据")
    async def test_the_answer_to_another_job_proves_nothing(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """The answer to an earlier job, come in place of its own, proves nothing."""
        async with self.bench(device_reactor, tmp_path) as b:
            size = await self.size(b)
            result = await b.unanswered(size, instead=await b.proof(size))
            await b.good()

        assert result.outcome is not Outcome.PRINTED

    @promise("C", "迟到的旧回执不作凭据")
    async def test_an_answer_that_comes_again_before_a_job_proves_nothing(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """The answer to an earlier job, come again before the next, proves nothing."""
        async with self.bench(device_reactor, tmp_path) as b:
            size = await self.size(b)
            b.cable.say(await b.proof(size))
            await until(device_reactor, b.cable.silent)
            await deferLater(device_reactor, SETTLED_S)
            result = await b.unanswered(size)
            await b.good()

        assert result.outcome is not Outcome.PRINTED

    @promise("C", "设备被占用")
    async def test_a_device_in_other_hands_gets_no_byte(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A device in other hands gets no byte."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.cable.occupy()
            sent = b.cable.sent
            _, result = await b.job()
            untouched = b.cable.sent == sent
            await b.cable.vacate()
            await b.good()

        assert Outcome.NOT_PRINTED is result.outcome
        assert result.fault in ("DEV_BUSY", "DEV_UNREACHABLE", "DEV_TIMEOUT", "DEV_LOST")
        assert untouched

    @promise("C", "滞留数据后到")
    async def test_a_job_that_was_held_up_comes_once_or_not_at_all(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A job that arrives late is not a second sheet."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            b.cable.stalled = True
            _, result = await b.job()
            b.cable.release()
            await b.cable.quiet()
            await b.good()
            await b.good()

        assert result.outcome is not Outcome.PRINTED

    @promise("C", "重启后缓冲残留")
    async def test_a_half_job_of_an_earlier_run_spoils_no_later_one(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A half job of an earlier run spoils no later one."""
        async with self.bench(device_reactor, tmp_path) as b:
            size = await self.size(b)
            driver = b.driver
            for part in (2, 3, 4):
                b.cable.cut_at = b.cable.sent + size - size // part
                await b.job(driver)
                b.cable.cut_at = None
                driver.close()
                await b.cable.quiet()
                driver = b.another()
                driver.distrust()
                await b.good(driver)

    @promise("C", "恶意文字")
    async def test_no_text_commands_the_device(self, device_reactor: Any, tmp_path: Path) -> None:
        """No text commands the device."""
        async with self.bench(device_reactor, tmp_path) as b:
            for text in HOSTILE:
                before = len(b.device.sheets())
                result = await b.driver.print(Slip((Text(text),)), "hos1")
                b.judge_words(result.fault, result.detail)

                assert result.outcome is not Outcome.UNCERTAIN
                new = b.device.sheets()[before:]
                assert len(new) == (result.outcome in GOOD), repr(text)
                for sheet in new:
                    assert _visible(text) in _visible(sheet.text), repr(text)
            await b.good()

    @promise("C", "汉字、长行、二维码原样")
    async def test_what_was_given_is_on_the_paper(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Rare words, long lines and codes come out whole."""
        async with self.bench(device_reactor, tmp_path) as b:
            mark, _ = await b.good()
            rare = await b.driver.print(Slip((Text(RARE),)), "rar1")
            result = await b.driver.print(Slip((Text(LONG),)), "lon1")
            sheet = b.bearing(mark)[0]
            longest = b.device.sheets()[-1]

        for words in (head(mark), PERSON, PERSON_ID, "诊察费", "20.00", tail(mark)):
            assert words in sheet.text
        assert (f"qr-{mark}",) == sheet.codes
        assert rare.outcome in GOOD or rare.fault == "PRN_CHAR"
        assert result.outcome in GOOD, result
        assert LONG == "".join(longest.text.split())

    @promise("C", "不收别种文档")
    async def test_a_document_of_another_kind_is_refused(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A document of another kind is refused."""
        async with self.bench(device_reactor, tmp_path) as b:
            other: Paper = Page(b"%PDF-1.4", "x") if b.driver.takes != "page" else Slip(())
            result = await b.driver.print(other, "oth1")

        assert (Outcome.NOT_PRINTED, "DEV_CONFIG") == (result.outcome, result.fault)

    # F: words
    @promise("F", "日志不含个人信息")
    async def test_no_log_tells_of_a_person(
        self, device_reactor: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No log tells of a person."""
        caplog.set_level(logging.DEBUG)
        async with self.bench(device_reactor, tmp_path) as b:
            size = await self.size(b)
            b.cable.cut_at = b.cable.sent + size - 5
            await b.job()
            await b.good()

        assert PERSON not in caplog.text
        assert PERSON_ID not in caplog.text


def _visible(text: str) -> str:
    return "".join(char for char in text if char.isprintable() and not char.isspace())


class PageKit(PrinterKit):
    """The kit over a driver of page printers: the document is a PDF."""

    def paper(self, mark: str) -> Paper:
        """Return a page whose comments bear the mark."""
        return small_page(mark)

    @promise("C", "页面原样")
    async def test_what_was_given_is_on_the_paper(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """The page arrives byte for byte."""
        async with self.bench(device_reactor, tmp_path) as b:
            mark, _ = await b.good()
            (sheet,) = b.bearing(mark)

        assert small_page(mark).pdf.decode() == sheet.text
