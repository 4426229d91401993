"""Requests for numbers where a platform gives one a call, and questions of an operator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

import pytest

from fep.domain.platform import Operation, Parcel, Reply, Verdict, unsupported
from fep.services.number_fetch import NumberFetch, Shelf, evidence_of
from fep.services.relay_ask import MEMBER_MAX, TEXT_MAX, able, asked, lost, text_of

CODE = "42060126"
REQUEST = Parcel(Operation.REQUEST, "k1", "H001", CODE, "0" * 10, count=3, node="n1")


class Counter:
    """A platform that counts up; `said` are answers that come first."""

    name = "counter"
    capabilities = frozenset({Operation.NUMBER, Operation.NOTICE, Operation.FILE})

    def __init__(self, *said: Reply) -> None:
        self.said = list(said)
        self.given = 0
        self.calls: list[tuple[Operation, dict[str, str]]] = []

    async def deliver(self, parcel: Parcel) -> Reply:
        return unsupported(parcel.op, self.name)

    async def find(self, parcel: Parcel) -> Reply:
        return Reply(Verdict.DUP)

    async def ask(self, op: Operation, fields: Mapping[str, str]) -> Reply:
        self.calls.append((op, dict(fields)))
        if self.said:
            return self.said.pop(0)
        self.given += 1
        return _number(self.given)


class Books:
    """Where numbers are kept."""

    def __init__(self, most: int = 100) -> None:
        self.kept: list[str] = []
        self.doubts: list[str] = []
        self.busy: list[bool] = []
        self.watch: Callable[[], bool] = lambda: False
        self.shelf = Shelf(lambda _: len(self.kept), self._keep, self._doubted, most)

    async def _keep(self, request: Parcel, number: str) -> bool:
        assert "request k1" == evidence_of(request)
        self.busy.append(self.watch())
        new = number not in self.kept
        self.kept += [number] if new else []
        return new

    async def _doubted(self, _request: Parcel, why: str) -> None:
        self.doubts.append(why)


def _number(number: int) -> Reply:
    return Reply(Verdict.OK, facts={"code": CODE, "number": f"{number:010d}"})


def _delivered(fetch: NumberFetch, parcel: Parcel = REQUEST) -> Reply:
    return asyncio.run(fetch.deliver(parcel))


def test_a_request_is_answered_when_its_numbers_are_kept():
    books, platform = Books(), Counter()

    fetch = NumberFetch(platform, books.shelf)
    books.watch = lambda: fetch.busy("n1")
    reply = _delivered(fetch)

    assert not fetch.busy("n1")
    assert (Verdict.OK, "3 of 3 numbers") == (reply.verdict, reply.detail)
    assert [True] * 3 == books.busy, "what is not whole yet waits to be one block"
    assert ["0000000001", "0000000002", "0000000003"] == books.kept
    assert (Operation.NUMBER, {"unit": "H001", "bill_batch_code": CODE}) == platform.calls[0]


@pytest.mark.parametrize("verdict", [Verdict.DOUBT, Verdict.RETRY])
def test_a_request_that_was_cut_off_is_taken_up_again_where_it_stood(verdict: Verdict):
    books, platform = Books(), Counter(_number(8), Reply(verdict, "unanswered", "gone"))
    fetch = NumberFetch(platform, books.shelf)

    cut = _delivered(fetch)
    again = asyncio.run(fetch.find(REQUEST))
    done = _delivered(fetch)

    assert [verdict, Verdict.ABSENT, Verdict.OK] == [cut.verdict, again.verdict, done.verdict]
    assert ["0000000008", "0000000001", "0000000002"] == books.kept
    assert (["gone"] if verdict is Verdict.DOUBT else []) == books.doubts


@pytest.mark.parametrize(
    "answer",
    [
        Reply(Verdict.REJECT, "not_yours", "no right"),
        Reply(Verdict.OK, facts={"code": "42060199", "number": "0000000009"}),
        Reply(Verdict.OK, facts={"number": "9"}),
        _number(5),
    ],
)
def test_what_the_platform_does_not_give_is_said_with_what_it_gave(answer: Reply):
    after_one, at_once = Books(), Books()
    at_once.kept.append("0000000005")
    at_once.shelf = Shelf(lambda _: 0, at_once.shelf.keep, at_once.shelf.doubted, 100)

    partly = _delivered(NumberFetch(Counter(_number(5), answer), after_one.shelf))
    nothing = _delivered(NumberFetch(Counter(answer), at_once.shelf))

    assert (Verdict.OK, True) == (partly.verdict, partly.detail.startswith("1 of 3 numbers: "))
    assert Verdict.REJECT is nothing.verdict
    assert "duplicate" != nothing.why, "nothing is to be compared"


def test_a_request_is_bounded_and_ends_with_the_relay():
    books = Books(most=2)
    fetch = NumberFetch(Counter(), books.shelf)

    bounded = _delivered(fetch)
    fetch.end()
    ended = _delivered(NumberFetch(Counter(), Books().shelf))
    books.kept.clear()
    stopped = _delivered(fetch)

    assert ("2 of 3 numbers", Verdict.OK) == (bounded.detail, ended.verdict)
    assert (Verdict.RETRY, []) == (stopped.verdict, books.kept)


def test_a_platform_without_single_numbers_has_no_requests_and_no_returns():
    class Poor(Counter):
        capabilities = frozenset({Operation.ISSUE})

    fetch = NumberFetch(Poor(), Books().shelf)
    back = Parcel(Operation.RETURN, "k2", "H001", CODE, "0" * 10, count=3)

    assert Verdict.UNSUPPORTED is _delivered(fetch).verdict
    assert Verdict.UNSUPPORTED is _delivered(NumberFetch(Counter(), Books().shelf), back).verdict
    assert Verdict.DUP is asyncio.run(fetch.find(back)).verdict
    none = Parcel(Operation.REQUEST, "k1", "H001", CODE, "0" * 10)
    assert Verdict.REJECT is _delivered(NumberFetch(Counter(), Books().shelf), none).verdict


def test_a_question_is_answered_in_words_that_fit_and_is_never_repeated_by_itself():
    facts = {"url": "u" * 50, **{f"m{n}": "x" * n for n in range(400)}}
    notice = Parcel(Operation.NOTICE, "k", "H001", "", "q", original=b'{"pay_code":"P1"}')
    good, silent = Counter(Reply(Verdict.OK, facts=facts)), Counter(Reply(Verdict.DOUBT, "", "?"))

    told, gone = asyncio.run(asked(good, notice)), asyncio.run(asked(silent, notice))
    wrong = asyncio.run(asked(good, Parcel(Operation.NOTICE, "k", "", "", "", original=b"[1]")))

    assert len(told.detail) <= TEXT_MAX
    assert json.loads(told.detail)
    assert (Operation.NOTICE, {"pay_code": "P1", "unit": "H001"}) == good.calls[0]
    assert (Verdict.REJECT, "no answer: ?") == (gone.verdict, gone.detail)
    assert (Verdict.REJECT, 1) == (wrong.verdict, len(good.calls))
    assert Verdict.CONFLICT is lost(notice).verdict
    assert Verdict.ABSENT is lost(Parcel(Operation.PAYMENT, "k", "", "", "")).verdict


def test_a_long_member_is_told_by_its_size_and_abilities_name_what_is_missing():
    assert f"… {MEMBER_MAX + 1} characters" in text_of({"file": "x" * (MEMBER_MAX + 1)})
    codes = ",".join(str(code) for code in range(100_000, 100_500))
    assert text_of({"items": codes}).startswith('{"items": "100000,100001,')
    assert "100099,… 3499 characters" in text_of({"items": codes})
    facts = able("d", frozenset({Operation.NUMBER, Operation.ISSUE})).facts
    assert {"ISSUE", "NUMBER", "REQUEST"} == set(facts["has"].split())
    assert {"RED", "RETURN", "DAY_TOTALS"} <= set(facts["unsupported"].split())
