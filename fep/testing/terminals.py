"""Promises of a payment terminal's driver (facts on devices 7.7, parts A, B, D and F).

Derive from `TerminalKit`, say how to make the simulator, which keeps the money in a ledger of
its own, and the driver. The rule, whatever happens to cable and terminal: `approved` is one
debit, `declined`, `cancelled`, `not_sent` and `absent` are none, and what stays unknown is at
most one; silence is inquired, a financial command is never repeated.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater

from fep.domain.payment import Verdict
from fep.ports import PaymentTerminal
from fep.testing.cable import Way as Reached
from fep.testing.cable import until
from fep.testing.counter import CODE, Counter, Terminal
from fep.testing.promise import Kit, promise
from fep.testing.watch import Held, Pulse, noise, open_things

ROUNDS = 100
HELD_S = 0.05
NOISE = 1 << 20
NOISE_HELD = NOISE // 2 + (1 << 17)


class TerminalKit(Kit):
    """The kit over one terminal driver. What the author says stands above `counter`."""

    payer_shows: ClassVar[bool] = False
    """Whether payments are made by the payer's code, for a device without a card reader."""

    patience_s: ClassVar[float] = 8.0

    taken: ClassVar[str] = "DEV_"
    """How the code of a terminal in other hands begins; only a driver behind another program has
    one of its own."""

    # from the author
    async def make_simulator(self, reactor: Any, place: Path) -> Terminal:
        """Start the device; `place` is an empty directory."""
        raise LookupError(f"{type(self).__name__} makes no simulator")

    def make_driver(self, reactor: Any, way: Reached) -> PaymentTerminal:
        """Return a new driver of the device behind `way`."""
        raise LookupError(f"{type(self).__name__} makes no driver")

    def make_parser(self) -> Callable[[bytes], Sequence[object]]:
        """Return a new parser of the device's answers: bytes in, events out."""
        raise LookupError(f"{type(self).__name__} makes no parser")

    # for the promises
    @asynccontextmanager
    async def counter(self, reactor: Any, place: Path) -> AsyncIterator[Counter]:
        """Switch everything on; at the end judge the ledger, and switch it off."""
        device = await self.make_simulator(reactor, place)
        cable = self.make_cable(reactor, device.port, place)
        way = await cable.start()
        driver = self.make_driver(reactor, way)
        c = Counter(reactor, way, cable, device, driver, self.payer_shows, self.patience_s)
        try:
            yield c
            assert [] == c.audit()
        finally:
            driver.close()
            await cable.stop()
            await device.stop()

    async def sizes(self, c: Counter) -> tuple[int, int]:
        """Return how many bytes a payment sends, and how many it hears."""
        await c.good()
        assert await c.ready() == ""
        sent, heard = c.cable.sent, c.cable.answered
        await c.pay()
        return c.cable.sent - sent, c.cable.answered - heard

    # A: life
    @promise("A", "开关一百次不泄漏")
    async def test_opened_and_closed_a_hundred_times_nothing_leaks(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Opened and closed 100 times leaks nothing."""
        async with self.counter(device_reactor, tmp_path) as c:
            await c.good()
            c.driver.close()
            await c.cable.quiet()
            before = await open_things(device_reactor)
            c.cable.single = False  # a line that is left open must show
            for _ in range(ROUNDS):
                c.judge_words(await c.driver.prepare())
                c.driver.close()
            after = await open_things(device_reactor, no_more_than=before)

        assert after <= before

    @promise("A", "断开后自动恢复")
    async def test_a_terminal_that_is_away_takes_no_money_and_comes_back_by_itself(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A device that was away is back without a person."""
        async with self.counter(device_reactor, tmp_path) as c:
            await c.good()
            await c.cable.unplug()
            await c.driver.prepare()
            away = await c.driver.prepare()
            order, reply = await c.pay()
            await c.cable.plug()
            await c.clear_up(order)
            await c.good()

        assert away.startswith("DEV_"), away
        assert reply.verdict is not Verdict.APPROVED

    @promise("A", "付款中关闭有结论")
    async def test_closed_while_paying_a_payment_still_ends(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Closed while it is paid, a payment ends with a verdict."""
        async with self.counter(device_reactor, tmp_path) as c:
            for turns in (0, 1, 3, 10):
                await c.ready()
                paying = ensureDeferred(c.pay())
                for _ in range(turns):
                    await deferLater(device_reactor, 0)
                c.driver.close()
                paying.addTimeout(self.patience_s, device_reactor)
                order, _ = await paying
                await c.ready()
                await c.clear_up(order)
            await c.good()

    @promise("A", "不阻塞主循环 50 毫秒")
    async def test_the_reactor_is_never_held_for_fifty_milliseconds(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """The reactor is never held for 50 ms."""
        async with self.counter(device_reactor, tmp_path) as c:
            await c.good()
            with Pulse(device_reactor) as pulse:
                for _ in range(3):
                    await c.good()

        assert pulse.longest_s < HELD_S

    # B: what the device says
    @promise("B", "回复任意拆分结果相同")
    async def test_answers_in_single_bytes_prove_the_same(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Replies in single bytes prove the same."""
        async with self.counter(device_reactor, tmp_path) as c:
            c.cable.pieces = 1
            await c.good()
            await c.good()

    @promise("B", "解析器任意切分事件相同")
    async def test_any_split_of_a_stream_gives_the_same_events(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Any split of the replies gives the same events."""
        stream = noise(3000)
        whole = list(self.make_parser()(stream))

        for size in (1, 2, 3, 5, 7, 64, 1000):
            feed = self.make_parser()
            starts = range(0, len(stream), size)
            assert whole == [e for at in starts for e in feed(stream[at : at + size])], size

    @promise("B", "1 MB 杂音内存有界")
    async def test_a_megabyte_of_noise_costs_bounded_memory_and_no_money(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """1 MB of noise costs bounded memory."""
        async with self.counter(device_reactor, tmp_path) as c:
            await c.good()
            c.driver.close()
            await c.cable.quiet()
            c.cable.noise = noise(NOISE)
            most = 0
            with Held() as count:
                asked = ensureDeferred(c.ready())
                while not (asked.called and c.cable.silent()):
                    await deferLater(device_reactor, 0)
                    most = max(most, count.bytes())
            await asked
            await c.good()

        assert most < NOISE_HELD

    # D: money
    @promise("D", "付款任意字节处断线")
    async def test_link_killed_at_every_byte_of_a_payment(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Link killed at every byte of a payment."""
        async with self.counter(device_reactor, tmp_path) as c:
            size, _ = await self.sizes(c)
            for at in range(1, size + 1, self.stride):
                assert await c.ready() == ""
                c.cable.cut_at = c.cable.sent + at
                order, _ = await c.pay()
                c.cable.cut_at = None
                await c.cable.quiet()
                await c.ready()
                await c.clear_up(order)
            await c.good()

        assert size >= 1

    @promise("D", "回复任意字节处断线")
    async def test_link_killed_at_every_byte_of_the_answers(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Link killed at every byte of the answers."""
        async with self.counter(device_reactor, tmp_path) as c:
            _, size = await self.sizes(c)
            for at in range(1, size + 1, self.stride):
                assert await c.ready() == ""
                c.cable.cut_answer_at = c.cable.answered + at
                order, _ = await c.pay()
                c.cable.cut_answer_at = None
                await c.cable.quiet()
                await c.ready()
                await c.clear_up(order)
            await c.good()

        assert size >= 1

    @promise("D", "付款中途无应答")
    async def test_mute_in_the_middle_of_a_payment(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """Silence in the middle of a payment is inquired, not repeated."""
        async with self.counter(device_reactor, tmp_path) as c:
            size, _ = await self.sizes(c)
            for part in (1, 2):
                assert await c.ready() == ""
                c.cable.mute_at = c.cable.sent + size - size // part
                order, reply = await c.pay()
                c.cable.mute_at = None
                await c.ready()
                await c.clear_up(order)

                assert reply.verdict is not Verdict.APPROVED
            await c.good()

    @promise("D", "设备被占用")
    async def test_a_terminal_in_other_hands_takes_no_money(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A terminal in other hands takes no money of ours."""
        async with self.counter(device_reactor, tmp_path) as c:
            await c.cable.occupy()
            told = await c.driver.prepare()
            order, reply = await c.pay()
            await c.cable.vacate()
            await c.ready()
            await c.clear_up(order)
            await c.good()

        assert told.startswith(self.taken), told
        assert reply.verdict in (Verdict.NOT_SENT, Verdict.SILENT)

    @promise("D", "指令滞后到达")
    async def test_a_command_that_was_held_up_is_one_debit_or_none(
        self, device_reactor: Any, tmp_path: Path
    ) -> None:
        """A command that arrives late is one debit or none."""
        async with self.counter(device_reactor, tmp_path) as c:
            await c.good()
            assert await c.ready() == ""
            c.cable.stalled = True
            order, reply = await c.pay()
            c.cable.release()
            await until(device_reactor, lambda: c.device.debits(order.serial) > 0, 0.5)
            await c.ready()
            await c.clear_up(order)
            await c.good()

        assert reply.verdict is not Verdict.APPROVED

    # F: words
    @promise("F", "日志不含付款码")
    async def test_no_log_tells_of_the_payers_code(
        self, device_reactor: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No log tells of the payer's code."""
        caplog.set_level(logging.DEBUG)
        async with self.counter(device_reactor, tmp_path) as c:
            c.payer_shows = True
            await c.good()

        assert CODE not in caplog.text
