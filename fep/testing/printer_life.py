"""Promises of a printer's driver about its life and the device's replies (parts A and B)."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from fep.domain.printing import Outcome
from fep.testing.bench import GOOD, BarRasteriser
from fep.testing.printer_case import PrinterCase
from fep.testing.promise import promise
from fep.testing.watch import Held, Pulse, noise, open_things

HELD_S = 0.05
ROUNDS = 100
NOISE = 1 << 20
# Well below the noise itself: whoever keeps it all is over.
NOISE_HELD = NOISE // 2 + (1 << 17)


async def _once(told: Awaitable[tuple[str, ...]]) -> tuple[str, ...]:
    return await told


class LifePromises(PrinterCase):
    """Opened, lost, swapped, closed, chattered at."""

    # A: life
    @promise("A", "开关一百次不泄漏")
    async def test_opened_and_closed_a_hundred_times_nothing_leaks(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Opened and closed 100 times leaks nothing."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            b.driver.close()
            await b.cable.quiet()
            before = await open_things(device_reactor)
            b.cable.single = False  # a line that is left open must show
            for _ in range(ROUNDS):
                for code in await b.driver.status():
                    b.judge_words(code)
                b.driver.close()
            after = await open_things(device_reactor, no_more_than=before)

        assert after <= before

    @promise("A", "断开后自动恢复")
    async def test_a_device_that_is_away_prints_nothing_and_comes_back_by_itself(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A device that was away is back without a person."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            await b.cable.unplug()
            _, first = await b.job()
            mark, result = await b.job()
            away = await b.driver.status()
            await b.cable.plug()
            await b.good()

        # The very first may have met the end of the line in the middle.
        assert first.outcome not in GOOD
        assert result.outcome is Outcome.NOT_PRINTED, (mark, result)
        assert any(code.startswith("DEV_") for code in away), away

    @promise("A", "换了设备不出票")
    async def test_another_device_in_its_place_gets_no_job(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Another device in its place gets no job."""
        async with self.bench(device_reactor, tmp_path) as b:
            stranger = self.make_stranger(device_reactor, b.way, BarRasteriser())
            b.drivers.append(stranger)
            _, result = await b.job(stranger)

        assert (Outcome.NOT_PRINTED, "DEV_IDENTITY") == (result.outcome, result.fault)

    @promise("A", "打印中关闭有结论")
    async def test_closed_while_printing_a_job_still_ends(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Closed while it prints, a job ends with an outcome."""
        async with self.bench(device_reactor, tmp_path) as b:
            for turns in (0, 1, 3, 10):
                job = ensureDeferred(b.job())
                for _ in range(turns):
                    await deferLater(device_reactor, 0)
                b.driver.close()
                job.addTimeout(self.patience_s, device_reactor)
                await job
            await b.good()

    @promise("A", "不阻塞主循环 50 毫秒")
    async def test_the_reactor_is_never_held_for_fifty_milliseconds(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """The reactor is never held for 50 ms."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            with Pulse(device_reactor) as pulse:
                for _ in range(5):
                    await b.good()
                await b.cable.unplug()
                await b.job()
                await b.cable.plug()
                await b.good()

        assert pulse.longest_s < HELD_S

    # B: what the device says
    @promise("B", "回复任意拆分结果相同")
    async def test_answers_in_single_bytes_prove_the_same(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Replies in single bytes prove the same."""
        async with self.bench(device_reactor, tmp_path) as b:
            b.cable.pieces = 1
            _, first = await b.good()
            _, second = await b.good()

        assert [self.proves, self.proves] == [first.outcome, second.outcome]

    @promise("B", "解析器任意切分事件相同")
    async def test_any_split_of_a_stream_gives_the_same_events(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Any split of the replies gives the same events."""
        stream = noise(3000)
        whole = list(self.make_parser()(stream))

        for size in (1, 2, 3, 5, 7, 64, 1000):
            parser = self.make_parser()
            split = [
                event
                for at in range(0, len(stream), size)
                for event in parser(stream[at : at + size])
            ]
            assert whole == split, size

    @promise("B", "1 MB 杂音内存有界")
    async def test_a_megabyte_of_noise_costs_bounded_memory_and_no_sheet(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """1 MB of noise costs bounded memory."""
        async with self.bench(device_reactor, tmp_path) as b:
            await b.good()
            b.driver.close()
            await b.cable.quiet()
            b.cable.noise = noise(NOISE)
            most = 0
            with Held() as count:
                asked: Deferred[tuple[str, ...]] = ensureDeferred(_once(b.driver.status()))
                while not (asked.called and b.cable.silent()):
                    await deferLater(device_reactor, 0)
                    most = max(most, count.bytes())
            for code in await asked:
                b.judge_words(code)
            await b.job()
            await b.good()

        assert most < NOISE_HELD
