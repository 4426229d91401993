"""Everything a province's dialect offers, over a real socket, against the simulated province:
deliveries, questions, refusals, faults and doubt. One suite for every dialect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from fep.domain.calendar import to_ms
from fep.domain.platform import DELIVERIES, MONEY, CallState, Operation, Verdict, decide
from fep.env import RealClock, RealEntropy
from fep.services.relay_lines import FrameFraming, HttpFraming, Lines
from fep.services.relay_platform import DIALECTS, DialectPlatform
from fep.wire.dialects.province import Place, Terms
from tests.harness.processes import Fleet
from tests.harness.province_window import CODE, KEY, UNIT, ShutWindow, forged

ANSWER_S = 0.4


class Spoken:
    """A window and the platform that speaks to it."""

    def __init__(self, window: ShutWindow) -> None:
        self.window = window
        self.opened: list[DialectPlatform] = []
        self.platform = self.speak()

    def speak(self, key: str = KEY) -> DialectPlatform:
        """Return a platform over fresh connections."""
        from twisted.internet import reactor

        terms = Terms("fep", key, {UNIT: Place(UNIT, "420600", "001")})
        rest = self.window.dialect == "finance_rest"
        framing: Any = HttpFraming("localhost", "/standard") if rest else FrameFraming()
        lines = Lines(reactor, f"tcp:127.0.0.1:{self.window.port}", framing, lines_max=4,
                      answer_s=ANSWER_S)  # fmt: skip
        made = DialectPlatform(
            DIALECTS[self.window.dialect](terms), lines, RealClock(), RealEntropy()
        )
        self.opened.append(made)
        return made

    def reopen(self, *knobs: str) -> None:
        """Start the window anew, with other knobs."""
        self.window.open(*knobs)

    def next(self) -> int:
        """Return a number nobody has used."""
        self.window.used += 1
        return self.window.used


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def window(request: Any, tmp_path_factory: Any) -> Iterator[ShutWindow]:
    """Return a province of each dialect."""
    place: Path = tmp_path_factory.mktemp(request.param)
    with Fleet(place / "logs") as fleet:
        made = ShutWindow(place / "world", fleet, request.param)
        made.found()
        yield made


@pytest.fixture
def spoken(window: ShutWindow) -> Iterator[Spoken]:
    """Return the talk with it; the counter of numbers lasts as long as the books."""
    made = Spoken(window)
    yield made
    for platform in made.opened:
        platform.close()


@pytest.fixture
def healthy(spoken: Spoken) -> Spoken:
    """Return a window that works as it should."""
    spoken.reopen()
    return spoken


@pytest_twisted.ensureDeferred
async def test_a_receipt_is_taken_once_and_found_by_its_number(healthy: Spoken):
    receipt = healthy.window.receipt(healthy.next())

    first = await healthy.platform.deliver(receipt)
    again = await healthy.platform.deliver(receipt)
    found = await healthy.platform.find(receipt)

    assert Verdict.OK is first.verdict, first
    # What a platform calls a duplicate must be compared before it is believed.
    assert CallState.DOUBT is decide(CallState.CALLING, again)
    assert (Verdict.DUP, CallState.DONE) == (found.verdict, decide(CallState.DOUBT, found))
    refs = [one["number"] for one in healthy.window.report()["receipts"]]
    assert 1 == refs.count(receipt.number)


@pytest_twisted.ensureDeferred
async def test_another_receipt_under_the_same_number_is_a_conflict(healthy: Spoken):
    number = healthy.next()
    await healthy.platform.deliver(healthy.window.receipt(number, 500))

    found = await healthy.platform.find(healthy.window.receipt(number, 501))

    assert Verdict.CONFLICT is found.verdict


@pytest_twisted.ensureDeferred
async def test_each_refusal_has_our_word_and_the_platforms_own_code(healthy: Spoken):
    window = healthy.window
    healthy.reopen("--issue-days", "0", "--refuse-item", "西药费")
    cases = {
        "stale_date": window.receipt(healthy.next(), days_ago=2),
        "not_yours": window.receipt(9_999_999),
        "signature": forged(window.receipt(healthy.next())),
        "item": window.receipt(healthy.next(), item="西药费"),
    }

    told = {word: await healthy.platform.deliver(parcel) for word, parcel in cases.items()}

    assert {word: word for word in cases} == {word: reply.why for word, reply in told.items()}
    assert {Verdict.REJECT} == {reply.verdict for reply in told.values()}
    assert all(reply.detail.split()[0].isdigit() for reply in told.values())
    fine = await healthy.platform.deliver(window.receipt(healthy.next()))
    assert Verdict.OK is fine.verdict


@pytest_twisted.ensureDeferred
async def test_a_wrong_key_is_refused_or_not_understood_and_never_taken(healthy: Spoken):
    receipt = healthy.window.receipt(healthy.next())

    reply = await healthy.speak("another key").deliver(receipt)

    # Where the answer's own MAC does not fit, nobody can believe the refusal either.
    assert (reply.verdict, reply.why) in ((Verdict.REJECT, "login"), (Verdict.DOUBT, "form"))
    assert Verdict.ABSENT is (await healthy.platform.find(receipt)).verdict


@pytest_twisted.ensureDeferred
async def test_a_red_receipt_reverses_its_blue_one_where_the_dialect_has_it(healthy: Spoken):
    window = healthy.window
    blue = window.receipt(healthy.next())
    await healthy.platform.deliver(blue)
    red = window.red_of(blue, healthy.next())

    first = await healthy.platform.deliver(red)
    orphan = await healthy.platform.deliver(
        replace(window.red_of(blue, healthy.next()), related_number="0000009999")
    )

    if Operation.RED in healthy.platform.capabilities:
        assert (Verdict.OK, "blue") == (first.verdict, orphan.why), (first, orphan)
        reds = [one["blue"] for one in window.report()["reds"]]
        assert [f"{CODE}-{blue.number}"] == [one for one in reds if one.endswith(blue.number)]
    else:
        assert (Verdict.REJECT, "unsupported") == (first.verdict, first.why)


@pytest_twisted.ensureDeferred
async def test_what_a_dialect_lacks_is_told_and_makes_no_call(healthy: Spoken):
    before = healthy.platform.answers
    missing = [op for op in Operation if op not in healthy.platform.capabilities]
    parcel = healthy.window.receipt(1)

    for op in missing:
        if op in DELIVERIES:
            reply = await healthy.platform.deliver(replace(parcel, op=op))
        else:
            reply = await healthy.platform.ask(op, {"unit": UNIT})
        wanted = Verdict.REJECT if op in MONEY else Verdict.UNSUPPORTED
        assert (wanted, "unsupported") == (reply.verdict, reply.why), op

    assert Operation.DAY_TOTALS in missing
    assert before == healthy.platform.answers


@pytest_twisted.ensureDeferred
async def test_every_question_the_dialect_has_is_answered(healthy: Spoken):
    platform = healthy.platform
    receipt = healthy.window.receipt(healthy.next())
    await platform.deliver(receipt)
    asked: dict[Operation, dict[str, str]] = {
        Operation.NUMBER: {"bill_batch_code": "42060226"},
        Operation.ITEMS: {},
        Operation.NOTICE: {
            "pay_code": "P1", "payer_name": "李四", "total_amt": "5.00", "item_code": "1",
            "item_name": "x", "PayCode": "P1", "PayerName": "李四", "Amt": "5.00", "PayInfo": "1",
        },
        Operation.PAYMENT: {"pay_code": "P1", "PayCode": "P1"},
        Operation.NOTICE_VOID: {"pay_code": "P1", "reason": "x"},
        Operation.BY_PAY_CODE: {"pay_code": receipt.event_key},
        Operation.FILE: {"code": receipt.code, "number": receipt.number},
        Operation.TIME: {},
        Operation.CAPABILITIES: {},
    }  # fmt: skip

    told = {
        op: await platform.ask(op, {"unit": UNIT, **fields})
        for op, fields in asked.items()
        if op in platform.capabilities
    }

    assert {Verdict.OK} == {reply.verdict for reply in told.values()}, told
    assert "0000000001" == told[Operation.NUMBER].facts["number"]
    assert set(platform.capabilities) - {*DELIVERIES, Operation.FIND} == set(told)
    again = await platform.ask(Operation.NUMBER, {"unit": UNIT, "bill_batch_code": "42060226"})
    assert "0000000002" == again.facts["number"]


@pytest_twisted.ensureDeferred
async def test_a_clock_that_is_off_is_seen(healthy: Spoken):
    healthy.reopen("--clock-off", str(3 * 86_400))

    reply = await healthy.platform.ask(Operation.TIME, {"unit": UNIT})

    now_ms = to_ms(RealClock().wall())
    if "at_ms" in reply.facts:
        assert abs(int(reply.facts["at_ms"]) - now_ms - 3 * 86_400_000) < 10_000
    else:
        assert len(reply.facts["day"]) == 8


@pytest.mark.parametrize(
    ("knobs", "there"),
    [
        (("--lost", "1"), True),
        (("--dropped", "1"), False),
        (("--half", "1"), True),
        (("--error500", "1"), None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_silence_is_doubt_and_the_question_by_key_resolves_it(
    spoken: Spoken, knobs: tuple[str, str], there: bool | None
):
    receipt = spoken.window.receipt(spoken.next())
    spoken.reopen(*knobs)

    reply = await spoken.platform.deliver(receipt)
    doubted = await spoken.platform.find(receipt)
    spoken.reopen()
    found = await spoken.platform.find(receipt)

    assert (Verdict.DOUBT, CallState.DOUBT) == (reply.verdict, decide(CallState.CALLING, reply))
    assert CallState.DOUBT is decide(CallState.DOUBT, doubted)
    expected = {True: {Verdict.DUP}, False: {Verdict.ABSENT}, None: {Verdict.DUP, Verdict.ABSENT}}
    assert found.verdict in expected[there]


@pytest_twisted.ensureDeferred
async def test_what_never_left_or_was_put_off_may_come_again(spoken: Spoken):
    receipt = spoken.window.receipt(spoken.next())
    spoken.window.shut()
    away = await spoken.platform.deliver(receipt)
    spoken.reopen("--busy", "1")
    busy = await spoken.platform.deliver(receipt)
    spoken.reopen()

    assert [Verdict.RETRY] * 2 == [away.verdict, busy.verdict]
    fresh = spoken.speak()  # the old connection is the old window's
    assert Verdict.ABSENT is (await fresh.find(receipt)).verdict
    assert Verdict.OK is (await fresh.deliver(receipt)).verdict
