"""The courier on a fake clock: order of a receipt, the bound, doubt, and a platform away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from fep.domain.platform import CallState, Operation, Parcel, Reply, Verdict
from fep.services.relay_courier import Courier, Errand

OK = Reply(Verdict.OK)


class Paper:
    """A platform and a ledger that write down what happens, in one list."""

    name = "paper"
    capabilities = frozenset({Operation.ISSUE, Operation.FIND})

    def __init__(self) -> None:
        self.log: list[str] = []
        self.waiting: dict[str, Deferred[Reply]] = {}
        self.done: list[tuple[int, str]] = []
        self.slow: list[Deferred[None]] | None = None  # answers that are being kept

    def deliver(self, parcel: Parcel) -> Deferred[Reply]:
        return self._call("deliver", parcel)

    def find(self, parcel: Parcel) -> Deferred[Reply]:
        return self._call("find", parcel)

    def ask(self, op: Operation, fields: Any) -> Deferred[Reply]:
        raise AssertionError(op)

    def _call(self, what: str, parcel: Parcel) -> Deferred[Reply]:
        self.log.append(f"{what} {parcel.number}")
        self.waiting[parcel.number] = Deferred()
        return self.waiting[parcel.number]

    def say(self, number: int, reply: Reply) -> None:
        self.waiting.pop(str(number)).callback(reply)

    def leaving(self, ids: Sequence[int]) -> Deferred[None]:
        self.log.append("leaving " + " ".join(map(str, ids)))
        return succeed(None)

    def answered(self, errand: Errand, state: CallState, reply: Reply) -> Deferred[None]:
        self.log.append(f"{state.value} {errand.id}")
        if self.slow is None:
            return succeed(None)
        self.slow.append(Deferred())
        return self.slow[-1]

    def info(self, event: str, **details: Any) -> None:
        self.log.append(event)

    warning = error = info


def _courier(paper: Paper, clock: Clock, bound: int = 2) -> Courier:
    made = Courier(
        clock, clock.seconds, paper, paper, paper, in_flight_max=bound, settle_s=5.0,
        on_done=lambda errand, reply: paper.done.append((errand.id, reply.verdict.value)),
    )  # fmt: skip
    made.start()
    return made


def _errand(number: int, lane: str = "", state: CallState = CallState.DUE) -> Errand:
    parcel = Parcel(Operation.ISSUE, str(number), "u", "42060126", str(number))
    return Errand(number, lane or str(number), lambda: parcel, state)


def test_a_call_is_marked_before_it_leaves_and_kept_before_it_is_told():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock)
    courier.add(_errand(1))
    courier.pump()

    paper.say(1, OK)

    assert ["leaving 1", "deliver 1", "done 1"] == paper.log
    assert ([(1, "OK")], 0) == (paper.done, courier.open)


def test_no_more_than_the_bound_are_under_way():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock, bound=3)
    for number in range(1, 11):
        courier.add(_errand(number))
    courier.pump()

    assert (3, {"1", "2", "3"}) == (courier.in_flight, set(paper.waiting))
    paper.say(2, OK)
    assert {"1", "3", "4"} == set(paper.waiting)


def test_the_next_call_leaves_while_an_answer_is_being_kept_and_its_own_lane_waits():
    paper, clock = Paper(), Clock()
    paper.slow = []
    courier = _courier(paper, clock, bound=1)
    for number, lane in ((1, "blue"), (2, "blue"), (3, "other")):
        courier.add(_errand(number, lane))
    courier.pump()
    paper.say(1, OK)

    assert {"3"} == set(paper.waiting)
    assert [] == paper.done
    stopped = Deferred.fromCoroutine(courier.stop())
    paper.say(3, OK)
    assert not stopped.called
    for kept in list(paper.slow):
        kept.callback(None)
    assert [(1, "OK"), (3, "OK")] == paper.done
    assert stopped.called


def test_the_red_one_waits_for_its_blue_one_and_others_do_not():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock, bound=8)
    for number, lane in ((1, "blue"), (2, "blue"), (3, "other")):
        courier.add(_errand(number, lane))
    courier.pump()

    assert {"1", "3"} == set(paper.waiting)
    paper.say(1, Reply(Verdict.REJECT, "item"))
    assert {"2", "3"} == set(paper.waiting)


def test_silence_is_asked_for_by_key_and_never_sent_blindly():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock)
    courier.add(_errand(1))
    courier.pump()
    paper.say(1, Reply(Verdict.DOUBT, "unanswered"))
    clock.pump([1.0] * 7)

    paper.say(1, Reply(Verdict.ABSENT, "absent"))
    clock.advance(0.1)
    paper.say(1, OK)

    calls = [line for line in paper.log if line.split()[0] in ("deliver", "find")]
    assert ["deliver 1", "find 1", "deliver 1"] == calls
    assert [(1, "OK")] == paper.done


def test_what_a_crash_left_in_doubt_is_only_asked_for():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock)
    courier.add(_errand(1, state=CallState.DOUBT))
    courier.pump()
    clock.advance(0)

    paper.say(1, Reply(Verdict.DUP))

    assert ["find 1", "done 1"] == paper.log


def test_a_bug_in_an_errand_leaves_it_in_doubt_and_never_sends_it_again():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock)
    courier.add(_errand(1))
    courier.pump()

    paper.waiting.pop("1").errback(RuntimeError("ours"))
    clock.pump([1.0] * 7)

    assert "find 1" == paper.log[-1]
    assert (1, 1) == (courier.doubts, courier.open)


def test_one_call_tries_a_platform_that_is_away_and_the_others_wait():
    paper, clock = Paper(), Clock()
    courier = _courier(paper, clock, bound=4)
    for number in range(1, 9):
        courier.add(_errand(number))
    courier.pump()
    for number in range(1, 5):
        paper.say(number, Reply(Verdict.RETRY, "unreachable", "no route"))

    assert (0, "no route") == (courier.in_flight, courier.fault)
    clock.pump([0.5] * 5)
    assert 1 == courier.in_flight
    paper.say(int(next(iter(paper.waiting))), OK)
    assert (3, "") == (courier.in_flight, courier.fault)  # four had their try and wait
