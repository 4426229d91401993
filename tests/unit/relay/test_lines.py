"""Connections to a platform: every call has its own time, and one line carries one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport

from fep.services.relay_lines import Heard, HttpFraming, Lines, NotSent, Unanswered
from fep.wire.http_answer import AnswerReader, BadAnswer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"


class Platform:
    """The other end of a pool's connections, in memory; time is ours."""

    def __init__(self, *, lines_max: int = 2) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.lines = Lines(
            self.reactor, "unix:/platform", HttpFraming("h", "/p"), lines_max=lines_max,
            answer_s=3.0, idle_s=60.0,
        )  # fmt: skip
        self.ends: list[Any] = []

    def call(self, then: Callable[[], object] = lambda: None) -> list[object]:
        """Make a call; the list gets what became of it, and `then` is called with that."""
        told: list[object] = []
        done = Deferred.fromCoroutine(self.lines.exchange(b"x"))
        done.addCallbacks(told.append, lambda failure: told.append(failure.value))
        done.addCallback(lambda _: then())
        while len(self.ends) < len(self.reactor.unixClients):
            end = self.reactor.unixClients[len(self.ends)][1].buildProtocol(None)
            end.makeConnection(StringTransport())
            self.ends.append(end)
        return told


def test_each_unanswered_call_ends_at_its_own_time():
    platform = Platform()
    first = platform.call()
    platform.reactor.advance(2.0)
    second = platform.call()

    platform.reactor.advance(0.9)
    assert ([], []) == (first, second)
    platform.reactor.advance(0.2)
    assert isinstance(first[0], Unanswered)
    assert second == []
    platform.reactor.advance(1.8)
    assert second == []
    platform.reactor.advance(0.2)
    assert isinstance(second[0], Unanswered)


def test_a_call_that_leaves_when_another_ends_does_not_lengthen_a_third():
    platform = Platform(lines_max=3)
    told: list[list[object]] = []
    platform.call(then=lambda: told.append(platform.call()))
    platform.reactor.advance(2.0)
    third = platform.call()
    platform.reactor.advance(1.1)
    assert [[]] == told

    platform.reactor.advance(2.0)
    assert isinstance(third[0], Unanswered)
    assert [[]] == told
    platform.reactor.advance(1.1)
    assert isinstance(told[0][0], Unanswered)


def test_the_time_of_an_answered_call_does_not_cut_the_next_on_its_line():
    platform = Platform(lines_max=1)
    first = platform.call()
    platform.reactor.advance(2.0)
    platform.ends[0].dataReceived(ANSWER)
    second = platform.call()
    platform.reactor.advance(2.9)

    assert [Heard(b"ok", stays=True)] == first
    assert (1, []) == (len(platform.ends), second)
    platform.ends[0].dataReceived(ANSWER)
    assert [Heard(b"ok", stays=True)] == second


def test_calls_that_wait_for_a_line_get_it_in_their_order():
    platform = Platform(lines_max=1)
    told = [platform.call() for _ in range(3)]
    for done in range(1, 4):
        platform.ends[0].dataReceived(ANSWER)
        assert done == sum(map(len, told))
        assert told[done - 1]


def test_a_closed_pool_leaves_no_timer_and_takes_no_call():
    platform = Platform()
    under_way = platform.call()
    platform.lines.close()
    platform.ends[0].connectionLost(None)

    assert isinstance(under_way[0], Unanswered)
    assert isinstance(platform.call()[0], NotSent)
    assert [] == platform.reactor.getDelayedCalls()


def test_a_head_read_before_is_read_the_same_again():
    answers: list[Any] = [AnswerReader().feed(ANSWER) for _ in range(2)]

    assert answers[0] == answers[1]
    with pytest.raises(TypeError):  # nobody may change what others are told
        answers[0].headers["content-length"] = "9"
    for _ in range(2):
        with pytest.raises(BadAnswer):
            AnswerReader().feed(b"nonsense\r\n\r\n")
