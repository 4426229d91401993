"""What every test shares: the default reactor through pytest-twisted, and a tidy-up guard.

A test that leaves a delayed call, a socket or an unhandled Deferred failure behind has not
finished; the guard fails it at its end, where it is still clear whose doing it was.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import task
from twisted.logger import LogEvent, globalLogPublisher

SETTLE_TURNS = 20
SETTLE_TURN_S = 0.01


def _reactor() -> Any:
    """Return the reactor pytest-twisted has installed; importing it earlier would install one."""
    from twisted.internet import reactor

    return reactor


def _uses_reactor(request: pytest.FixtureRequest) -> bool:
    function = getattr(request, "function", None)
    return inspect.iscoroutinefunction(inspect.unwrap(function)) or hasattr(
        function, "_pytest_twisted_mark"
    )


def _dirt(reactor: Any, before: set[object]) -> list[str]:
    calls = [f"delayed call {call}" for call in reactor.getDelayedCalls() if call.active()]
    # The reactor's own wakers come with the first child process and stay.
    own = before | set(reactor._internalReaders)
    selectables = {*reactor.getReaders(), *reactor.getWriters()} - own
    return calls + [f"open {selectable!r}" for selectable in selectables]


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collections that end each test of the reactor.

    It lives as long as the run; walking it cost more than many a test.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def logged_failures() -> Iterator[list[LogEvent]]:
    """Collect failures that Twisted logged; a test that expects one removes it."""
    events: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(observe)


@pytest.fixture(autouse=True)
def tidy_reactor(request: pytest.FixtureRequest, logged_failures: list[LogEvent]) -> Iterator[None]:
    """Fail a test that leaves the reactor dirty or a Deferred's failure unhandled."""
    reactor = _reactor()
    before = {*reactor.getReaders(), *reactor.getWriters()}
    yield
    dirt = _dirt(reactor, before)
    for _turn in range(SETTLE_TURNS):
        if not dirt:
            break
        # A connection that was closed needs a turn of the reactor to be gone; our own
        # waiting call has fired by the time it is looked at.
        pytest_twisted.blockon(task.deferLater(reactor, SETTLE_TURN_S))
        dirt = _dirt(reactor, before)
    for call in reactor.getDelayedCalls():
        call.cancel()
    if _uses_reactor(request):
        gc.collect()
    shown = [event["log_failure"].getTraceback() for event in logged_failures]
    assert [] == dirt, "the test left the reactor dirty"
    assert [] == shown, "failures were logged and handled by nobody"
