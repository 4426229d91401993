"""Bridge and library die at random with money under way: the books are as the money is."""

from __future__ import annotations

import random
import shutil
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from fep.domain.payment import Verdict
from tests.device.ums_rig import Pos, order, pos

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="the library is built from C")
PAYMENTS = 15
SETTLED = (Verdict.APPROVED, Verdict.DECLINED, Verdict.CANCELLED, Verdict.NOT_SENT, Verdict.ABSENT)


async def _one(p: Pos, number: int, dice: random.Random) -> Any:
    """Carry one payment out while something dies; return what is known in the end."""
    asked = order(number, 1000 + number)
    p.knobs.card_s = dice.choice((0.0, 0.0, 0.3))
    p.knobs.crash = dice.choice(("", "", "before_host", "after_host"))
    p.knobs.answer = dice.choice(("approve", "approve", "approve", "decline"))
    alone = number % 5 == 3
    if alone:  # the library dies and nothing else: nobody can know
        p.knobs.crash = "before_host"
    in_peace = number % 4 == 1 and not alone
    if in_peace:  # however slow the machine, there is money that moved
        p.knobs.crash, p.knobs.answer = "", "approve"
    begun: list[int] = []
    work = Deferred.fromCoroutine(p.driver.run(asked, lambda: begun.append(number)))
    if dice.random() < 0.8 and not (alone or in_peace):
        if dice.random() < 0.8:  # with the library called, else before that
            await p.rig.until(lambda: begun or work.called)
        await deferLater(p.rig.reactor, dice.uniform(0.0, 0.3))
        p.rig.kill()
        if dice.random() < 0.5:  # it stays away for a moment
            await deferLater(p.rig.reactor, 0.1)
        p.rig.run()
    reply = await work
    for _ in range(12):
        if reply.verdict is not Verdict.SILENT:
            return reply
        reply = await p.driver.inquire(asked)
    return reply


@pytest_twisted.ensureDeferred
async def test_a_connection_cut_at_any_byte_brings_the_answer_over_the_next_one(tmp_path):
    dice = random.Random(7)
    async with pos(tmp_path, cabled=True) as p:
        assert "" == await p.driver.prepare()
        said, heard = p.cable.sent, p.cable.answered
        first = await p.driver.run(order(1), lambda: None)
        sizes = p.cable.sent - said, p.cable.answered - heard
        known = {1: first.verdict}
        for number in range(2, 12):
            await p.rig.connected()
            if number % 2:
                p.cable.cut_at = p.cable.sent + dice.randint(1, sizes[0])
            else:
                p.cable.cut_answer_at = p.cable.answered + dice.randint(1, sizes[1])
            reply = await p.driver.run(order(number), lambda: None)
            while reply.verdict is Verdict.SILENT:
                reply = await p.driver.inquire(order(number))
            known[number] = reply.verdict
            p.cable.cut_at = p.cable.cut_answer_at = None
            await p.cable.quiet()

        moved = [row["nonce"] for row in p.machine.lines if row["op"] == "pay"]
        debits = {number: moved.count(f"{number:03d}") for number in known}
        assert debits == {n: int(verdict is Verdict.APPROVED) for n, verdict in known.items()}
        assert set(known.values()) <= {Verdict.APPROVED, Verdict.NOT_SENT}
        assert list(known.values()).count(Verdict.APPROVED) >= 6, known


@pytest_twisted.ensureDeferred
async def test_random_deaths_leave_the_books_as_the_money_is(tmp_path):
    dice = random.Random(20261121)
    async with pos(tmp_path) as p:
        assert "" == await p.driver.prepare()
        known = {}
        for number in range(1, PAYMENTS + 1):
            await p.rig.connected()
            # The next one waits until the library is free, as the till does.
            await p.rig.until(lambda: () == p.rig.bridge.state("pos"), 15)
            known[number] = (await _one(p, number, dice)).verdict

        moved = [row["nonce"] for row in p.machine.lines if row["op"] == "pay"]
        debits = {number: moved.count(f"{number:03d}") for number in known}
        wrong = {
            number: (verdict, debits[number])
            for number, verdict in known.items()
            if debits[number] > 1
            or (verdict in SETTLED and debits[number] != (verdict is Verdict.APPROVED))
        }
        assert {} == wrong
        assert Verdict.SILENT not in known.values()
        told = list(known.values())
        assert told.count(Verdict.APPROVED) >= PAYMENTS // 4, known
        assert told.count(Verdict.MISMATCH) >= 1, known
