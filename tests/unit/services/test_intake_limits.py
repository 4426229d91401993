"""A caller's limits are in force over a real socket: rate, amount, address, silence, unread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.task import deferLater

from fep.services.callers import Callers
from fep.services.callers_limits import Addresses
from fep.services.connection import Bounds
from fep.services.methods import Method, Methods
from tests.unit.services.line import HIS, TOKEN, Front, Hall, echo, fault, reactor
from tests.unit.services.test_intake_auth import MovedClock
from tests.unit.services.test_intake_bad_input import EVENT


def _known(hall: Hall, clock: Any, *callers: Any) -> None:
    hall.intake._callers = Callers(clock, callers)


@pytest_twisted.ensureDeferred
async def test_a_caller_makes_so_many_calls_a_second_over_all_its_connections(tmp_path: Path):
    clock = MovedClock()
    async with Hall(tmp_path, echo(), clock=clock) as hall:
        _known(hall, clock, replace(HIS, rate_per_s=3), replace(HIS, appid="other"))
        first, second = await (await hall.line()).enter(), await (await hall.line()).enter()
        other = await (await hall.line()).enter(replace(HIS, appid="other"))

        told = [await (first, second)[n % 2].ask("test.echo") for n in range(5)]
        free = [await other.ask("test.echo") for _ in range(5)]
        clock.now += 0.34
        later = [await first.ask("test.echo") for _ in range(2)]

    assert ["result", "result", "result"] == [list(answer)[-1] for answer in told[:3]]
    assert ["CALLER_RATE"] * 2 == [fault(answer) for answer in told[3:]]
    assert told[3]["error"]["data"]["retryable"]
    assert all("result" in answer for answer in free)
    assert "result" in later[0]
    assert "CALLER_RATE" == fault(later[1])


@pytest_twisted.ensureDeferred
async def test_a_receipt_above_the_callers_amount_is_refused_with_both_sums(tmp_path: Path):
    async with Front(tmp_path) as front:
        _known(front, MovedClock(), replace(HIS, max_amount_fen=1000))
        line = await (await front.line()).enter()

        told = [await line.ask(name, **EVENT) for name in ("receipt.issue", "event.submit")]

    assert ["CALLER_AMOUNT"] * 2 == [fault(answer) for answer in told]
    assert "10.00" in told[0]["error"]["data"]["en"]


@pytest_twisted.ensureDeferred
async def test_who_holds_the_key_is_told_that_its_address_is_not_listed(tmp_path: Path):
    async with Hall(tmp_path, echo()) as hall:
        away = replace(HIS, addresses=Addresses(("10.0.0.0/8",)))
        here = replace(HIS, appid="here", addresses=Addresses(("127.0.0.1",)))
        _known(hall, MovedClock(), away, here)
        line = await hall.line()

        wrong = await line.ask("system.auth", **line.proof("his", key=b"x"))
        told = await line.ask("system.auth", **line.proof("his"))
        await line.enter(here)

    assert ("AUTH_WRONG", "AUTH_ADDRESS") == (fault(wrong), fault(told))


def test_a_token_is_taken_over_tls_from_listed_addresses_only():
    listed = replace(TOKEN, addresses=Addresses(("10.0.0.0/8",)))

    assert [True, True, False, False] == [
        TOKEN.token_from(local=True, tls=False), listed.token_from(local=False, tls=True),
        listed.token_from(local=False, tls=False), TOKEN.token_from(local=False, tls=True),
    ]  # fmt: skip
    assert [True, True, False, False] == [
        listed.addresses.hold(text) for text in ("10.1.2.3", "::ffff:10.1.2.3", "11.0.0.1", "x")
    ]


@pytest_twisted.ensureDeferred
async def test_a_silent_caller_is_closed_and_a_person_is_not(tmp_path: Path):
    async with Hall(tmp_path, echo(), bounds=Bounds(1 << 20, 8, idle_s=0.2)) as hall:
        line, person = await (await hall.line()).enter(), await hall.control()
        for _ in range(5):
            await line.ask("test.echo")
            await deferLater(reactor, 0.1)
        assert not line.gone.called

        await line.gone

        assert "result" in await person.ask("test.echo")


@pytest_twisted.ensureDeferred
async def test_a_caller_with_too_many_unread_answers_is_cut_at_once(tmp_path: Path):
    def slow(_caller: Any, _params: Any) -> Any:
        return deferLater(reactor, 0.05, str, "x" * 1_000_000)

    big = Methods({"test.big": Method("", slow, "")})
    bounds = Bounds(1 << 20, 64, stall_s=60, unsent_bytes=3_000_000)
    async with Hall(tmp_path, big, bounds=bounds) as hall:
        line = await (await hall.line()).enter()
        line.transport.pauseProducing()
        for _ in range(64):
            line.send(line.request("test.big", {}))

        for _ in range(200):
            if not hall.intake.connections:
                break
            await deferLater(reactor, 0.02)

        assert not hall.intake.connections
        assert "connection.not_reading" in hall.notes.said
        line.transport.resumeProducing()
