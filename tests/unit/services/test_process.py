"""A service told to stop: up, on its way up, or never up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from fep.domain.faults import refuse
from fep.services.process import Process
from fep.settings import SettingsError
from fep.settings_toml import Problem


class Reactor(Clock):
    """A clock that also shuts down."""

    def __init__(self) -> None:
        super().__init__()
        self.trigger: Callable[[], Any] = lambda: None
        self.stopped = 0

    def addSystemEventTrigger(self, _phase: str, _event: str, fn: Callable[[], Any]) -> None:
        self.trigger = fn

    def stop(self) -> None:
        self.stopped += 1


class Service:
    """Comes up when the test says so."""

    name = "node"
    title = "fep test"

    def __init__(self) -> None:
        self.coming_up: Deferred[None] = Deferred()
        self.seen: list[str] = []
        self.why = self.why_zh = ""
        self.on_fatal: Callable[[str], None] = lambda why: None

    async def start(self) -> None:
        await self.coming_up

    def started(self) -> None:
        self.seen.append("started")

    def not_started(self, why: str, why_zh: str) -> None:
        self.seen.append("not started")
        self.why, self.why_zh = why, why_zh

    def alive(self) -> bool:
        return True

    async def stop(self) -> None:
        self.seen.append("stopped")


@pytest.fixture
def service() -> Service:
    """A service on its way up."""
    return Service()


@pytest.fixture
def process(service: Service) -> tuple[Reactor, Process]:
    """Its process, started."""
    reactor = Reactor()
    process = Process(reactor, service)
    process.start()
    return reactor, process


def test_a_service_told_to_stop_while_it_comes_up_comes_up_and_is_stopped(
    service: Service, process: tuple[Reactor, Process]
):
    reactor, _ = process
    done = reactor.trigger()

    assert not done.called
    assert [] == service.seen
    service.coming_up.callback(None)
    assert ["started", "stopped"] == service.seen
    assert done.called
    assert [] == reactor.getDelayedCalls()


def test_a_service_that_is_up_is_stopped_in_order(
    service: Service, process: tuple[Reactor, Process]
):
    reactor, _ = process
    service.coming_up.callback(None)
    done = reactor.trigger()

    assert ["started", "stopped"] == service.seen
    assert done.called


def test_a_service_that_cannot_come_up_ends_its_process_and_is_not_stopped(
    service: Service, process: tuple[Reactor, Process]
):
    reactor, running = process
    service.coming_up.errback(refuse("STORE_LOCKED", pid=1))

    assert ["not started"] == service.seen
    assert (1, 1) == (reactor.stopped, running.exit_code)
    assert reactor.trigger().called
    assert ["not started"] == service.seen


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "no such file", "keys/node.crt"),
        SettingsError([Problem("keys/node.crt", 0, "key", "没有", "no such file")]),
    ],
)
def test_a_file_that_keeps_a_service_down_is_named_in_both_languages(
    service: Service, process: tuple[Reactor, Process], error: Exception
):
    service.coming_up.errback(error)

    assert ["not started"] == service.seen
    assert "keys/node.crt cannot be read" in service.why
    assert service.why_zh.startswith("CTL_FILE 文件 keys/node.crt")


def test_a_service_that_is_told_to_stop_and_then_cannot_come_up_ends_once(
    service: Service, process: tuple[Reactor, Process]
):
    reactor, running = process
    done = reactor.trigger()
    service.coming_up.errback(refuse("STORE_LOCKED", pid=1))

    assert ["not started"] == service.seen
    assert (0, 1) == (reactor.stopped, running.exit_code)
    assert done.called
